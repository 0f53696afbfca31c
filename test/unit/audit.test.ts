import { expect, onTestFinished, test } from 'vitest'
import { auditWriter } from '../../hub/audit/audit.ts'
import { sqliteAudit } from '../../hub/store/sqlite-audit.ts'

const opened = async () => {
  const audit = auditWriter(await sqliteAudit(':memory:', { busyTimeoutMs: 0 }), {
    now: () => 5_000,
  })
  onTestFinished(() => audit.close())
  return audit
}
const line = {
  actor: 'u1',
  action: 'camera.watch',
  subject: 'cam-1',
  region: '339901001001',
  outcome: 'ok',
  detail: 'live',
} as const

test('a line gets the time of now, or keeps its own', async () => {
  const audit = await opened()
  expect(audit.write(line)).toBe(1)
  expect(audit.append({ ...line, at: 4_000, region: null })).toBe(2)
  expect(audit.list({ limit: 9 })).toEqual([
    { ...line, seq: 2, at: 4_000, region: null },
    { ...line, seq: 1, at: 5_000 },
  ])
})

test('no value is longer than its bound', async () => {
  const audit = await opened()
  const long = 'x'.repeat(100_000)
  audit.write({ ...line, actor: long, action: long, subject: long, region: long, detail: long })
  const [kept] = audit.list({ limit: 1 })
  expect(
    [kept?.actor, kept?.action, kept?.subject, kept?.region, kept?.detail].map(
      (text) => text?.length,
    ),
  ).toEqual([64, 64, 128, 12, 512])
})

test.each([
  ['a line break', 'a\nb', 'a?b'],
  ['a terminal escape', 'a\u001B[2Jb', 'a?[2Jb'],
  ['a zero byte', 'a\0b', 'a?b'],
  ['a right-to-left override', 'a\u202Eb', 'a?b'],
  ['a zero-width space', 'a\u200Bb', 'a?b'],
  ['a line separator', 'a\u2028b', 'a?b'],
  ['half a character', 'a\uD83Db', 'a?b'],
  ['Chinese and pictures', '王芳 🔔', '王芳 🔔'],
])('%s cannot forge a line', async (_what, text, kept) => {
  const audit = await opened()
  audit.write({ ...line, actor: text, subject: text, detail: text })
  expect(audit.list({ limit: 1 })[0]).toMatchObject({ actor: kept, subject: kept, detail: kept })
})

test('a character cut in half at the bound does not stay half', async () => {
  const audit = await opened()
  audit.write({ ...line, actor: `${'x'.repeat(63)}🔔` })
  expect(audit.list({ limit: 1 })[0]?.actor).toBe(`${'x'.repeat(63)}?`)
})
