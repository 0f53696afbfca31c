import { closeSync, openSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { createLog, withoutCredentials } from '../../hub/log.ts'
import { temporaryFolder } from '../support/hub-process.ts'

/** What a logger writes while `work` uses it. */
function written(work: (log: ReturnType<typeof createLog>) => void, level = 'info') {
  using folder = temporaryFolder('log')
  const file = join(folder.path, 'log')
  const descriptor = openSync(file, 'w')
  work(createLog({ role: 'web', level }, descriptor))
  closeSync(descriptor)
  return readFileSync(file, 'utf8')
}

test('a line is JSON with role, data and message', () => {
  expect(JSON.parse(written((log) => log.info({ alarmId: 'a1' }, 'alarm taken')))).toMatchObject({
    role: 'web',
    alarmId: 'a1',
    msg: 'alarm taken',
  })
})

test('below the level nothing is written', () => {
  expect(written((log) => log.info('quiet'), 'warn')).toBe('')
})

test.each([
  { password: 'canary' },
  { user: { password: 'canary' } },
  { settings: { HUB_ADMIN_PASSWORD: 'canary', HUB_INFLUX_TOKEN: 'canary' } },
  { start: { busSecret: 'canary', grantSecret: 'canary' } },
  { headers: { cookie: 'canary', authorization: 'canary' } },
  { url: 'rtsp://viewer:canary@10.0.0.1/1' },
  { err: new Error('cannot pull rtsp://viewer:canary@10.0.0.1/1') },
])('no secret of %j reaches the log', (data) => {
  const line = written((log) => log.error(data, 'failed'))
  expect(line).toContain('failed')
  expect(line).not.toContain('canary')
})

test('an address loses user and password, nothing else', () => {
  expect(withoutCredentials('a rtsp://u:p@h:554/x?y=1 b http://h/a@b c')).toBe(
    'a rtsp://***@h:554/x?y=1 b http://h/a@b c',
  )
})
