import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import type { AuditLine } from '../../hub/store/audit-store.ts'
import { backends } from '../support/store-places.ts'

const line = (part: Partial<AuditLine> = {}): AuditLine => ({
  at: 1_000,
  actor: 'u1',
  action: 'alarm.acknowledge',
  subject: '01JD',
  region: '339901001001',
  outcome: 'ok',
  detail: '',
  ...part,
})

describe.each(backends.audit)('the audit in $name', ({ place }) => {
  test('lines are numbered from 1 and listed newest first, page by page', async () => {
    const store = await place().open()
    const numbers = [1, 2, 3].map((at) => store.append(line({ at, region: at > 2 ? null : '1' })))
    expect(numbers).toEqual([1, 2, 3])
    expect(store.list({ limit: 2 }).map(({ seq }) => seq)).toEqual([3, 2])
    expect(store.list({ before: 2, limit: 2 })).toEqual([
      { ...line({ at: 1, region: '1' }), seq: 1 },
    ])
    expect(store.list({ limit: 1 })[0]?.region).toBeNull()
  })

  test('a line of another connection waits its turn and gets the next number', async () => {
    const at = place()
    const [web, intake] = [await at.open(), await at.open({ busyTimeoutMs: 0 })]
    expect(web.append(line())).toBe(1)
    const release = at.hold()
    expect(() => intake.append(line())).toThrow(expect.objectContaining({ code: 'STORE_BUSY' }))
    release()
    expect(intake.append(line())).toBe(2)
    expect(web.list({ limit: 9 })).toHaveLength(2)
  })
})

test.each([
  ['an update', "update line set actor = 'nobody'"],
  ['a delete', 'delete from line'],
  ['a replacement', "insert or replace into line values (1, 1, 'a', 'b', 'c', null, 'ok', '')"],
  [
    'an upsert',
    "insert into line values (1,1,'a','b','c',null,'ok','') on conflict do update set at = 2",
  ],
])('SQLite itself refuses %s of an audit line', async (_what, text) => {
  const at = backends.audit[0]?.place()
  if (!at) throw new Error('no backend')
  const store = await at.open()
  store.append(line())
  const db = new DatabaseSync(at.file)
  expect(() => db.exec(text)).toThrow(/append-only/)
  db.close()
  expect(store.list({ limit: 9 })).toEqual([{ ...line(), seq: 1 }])
})
