import { spawnSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { adviceOnFsync } from '../../hub/commands/doctor.ts'
import { readablePassword } from '../../hub/commands/readable-password.ts'
import { sqliteAudit } from '../../hub/store/sqlite-audit.ts'
import { sqlitePeople } from '../../hub/store/sqlite-people.ts'
import { sqliteRegistry } from '../../hub/store/sqlite-registry.ts'
import { passwords } from '../../hub/web/password.ts'
import { projectRoot, temporaryFolder } from '../support/hub-process.ts'

const village = '339901001001'
const region = { code: village, level: 'village', name: '东村', center: null, outline: null }
const contact = {
  deviceId: 'door-1',
  kind: 'contact',
  model: 'native/contact',
  name: '门',
  region: village,
  place: '',
  position: null,
  heartbeatS: 60,
  commissionedAt: 1,
  camera: null,
}
const camera = {
  ...contact,
  deviceId: 'cam-1',
  kind: 'camera',
  camera: { url: 'rtsp://10.0.0.1/1', user: 'viewer' },
}
const county = {
  seed: 1,
  regions: [region],
  devices: [
    { device: contact, secret: 'open sesame', cameraPassword: null },
    { device: camera, secret: null, cameraPassword: 'canary' },
  ],
}

/** A data folder, and `npm run hub -- ...` on it. */
function desk() {
  const folder = temporaryFolder('commands')
  const open = (name: string) => join(folder.path, `${name}.db`)
  return {
    path: folder.path,
    registry: () => sqliteRegistry(open('registry'), { busyTimeoutMs: 1000 }),
    people: () => sqlitePeople(open('registry'), { busyTimeoutMs: 1000 }),
    audit: () => sqliteAudit(open('audit'), { busyTimeoutMs: 1000 }),
    hub: (args: string[], input = '') =>
      spawnSync(process.execPath, [join(projectRoot, 'hub/commands/main.ts'), ...args], {
        cwd: folder.path,
        env: { ...process.env, HUB_DATA_DIR: folder.path, HUB_HTTP_PORT: '0', HUB_MQTT_PORT: '0' },
        encoding: 'utf8',
        input,
      }),
    county(content: unknown = county) {
      const file = join(folder.path, 'county.json')
      writeFileSync(file, JSON.stringify(content))
      return file
    },
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  }
}

describe('user', () => {
  test('add prints a one-time password that works, list shows the person, reset replaces it', async () => {
    using at = desk()
    const added = at.hub(['user', 'add', 'zhang', '--role', 'crew', '--display', '张三'])
    expect(added).toMatchObject({ status: 0, stderr: '' })
    const people = await at.people()
    const first = /one-time password (\S+)/.exec(added.stdout)?.[1] ?? ''
    const found = people.byName('zhang')
    expect(found?.user).toMatchObject({ role: 'crew', scope: '339901', mustChange: true })
    expect(await passwords().check(first, found?.passwordHash)).toBe(true)

    expect(at.hub(['user', 'list']).stdout).toMatch(/^zhang +crew +339901 +张三\n$/)
    const now = Date.now()
    const session = { idHash: 'h', createdAt: now, lastAt: now, expiresAt: now + 60_000 }
    people.openSession({ ...session, userId: found?.user.id ?? '' })
    expect(at.hub(['user', 'reset', 'zhang']).status).toBe(0)
    expect(await passwords().check(first, people.byName('zhang')?.passwordHash)).toBe(false)
    expect(people.session('h')).toBeUndefined()
    people.close()

    const audit = await at.audit()
    expect(audit.list({ limit: 10 }).map(({ action }) => action)).toEqual([
      'user.reset',
      'user.add',
    ])
    expect(JSON.stringify(audit.list({ limit: 10 }))).not.toContain(first)
    audit.close()
  })

  test.each([
    [['user', 'add', 'Zhang', '--role', 'crew'], /NAME 'Zhang'/],
    [['user', 'add', 'zhang', '--role', 'king'], /--role must be one of village-duty/],
    [['user', 'add', 'zhang', '--role', 'crew', '--scope', '33'], /--scope must have 6, 9 or 12/],
    [['user', 'add'], /^Usage: npm run hub -- user add NAME/],
    [['user', 'add', 'zhang', '--rol', 'crew'], /Usage: npm run hub -- user add/],
    [['user', 'reset', 'nobody'], /^No user 'nobody'/],
    [['usr', 'list'], /did you mean 'user list'\?/],
  ])('%j is refused in one sentence', (args, sentence) => {
    using at = desk()
    const { status, stderr, stdout } = at.hub(args)
    expect({ status, stdout }).toEqual({ status: 1, stdout: '' })
    expect(stderr).toMatch(sentence)
    expect(stderr.trim()).not.toContain('\n')
  })
})

describe('import', () => {
  test('registers regions and devices; a second time changes nothing', async () => {
    using at = desk()
    const file = at.county()
    expect(at.hub(['import', file]).stdout).toBe(
      '1 regions written, 2 devices added, 0 already known\n',
    )
    const registry = await at.registry()
    const before = registry.lastChange()
    expect(registry.device('door-1')).toMatchObject({ region: village, n: 0 })
    // SHA-256 of `open sesame`.
    expect(registry.secretHash('door-1')).toBe(
      '41ef4bb0b23661e66301aac36066912dac037827b4ae63a7b1165a5aa93ed4eb',
    )
    expect(registry.secretHash('cam-1')).toBeNull()
    expect(registry.cameraPassword('cam-1')).toBe('canary')
    expect(at.hub(['import', file]).stdout).toBe(
      '0 regions written, 0 devices added, 2 already known\n',
    )
    expect(registry.lastChange()).toBe(before)
    registry.close()
  })

  test.each([
    [{ ...county, regions: 'none' }, /is wrong at regions: /],
    [
      { ...county, devices: [{ ...county.devices[0], device: { ...contact, region: '1' } }] },
      /is wrong at devices\.0\.device\.region: a region code has 12 digits/,
    ],
  ])('a file with a mistake loads nothing and names its place', (content, sentence) => {
    using at = desk()
    const { status, stderr } = at.hub(['import', at.county(content)])
    expect(status).toBe(1)
    expect(stderr).toMatch(sentence)
  })
})

describe('device add', () => {
  const args = ['device', 'add', 'cam-2', '--kind', 'camera', '--region', village]

  test('prints the secret once and keeps its hash; a camera password comes by stdin', async () => {
    using at = desk()
    at.hub(['import', at.county()])
    const more = ['--camera-url', 'rtsp://10.0.0.2/1', '--camera-user', 'viewer']
    const { stdout, status } = at.hub([...args, ...more], 'canary\n')
    expect(status).toBe(0)
    const secret = /secret \(shown only now\) +(\S{43})\n/.exec(stdout)?.[1]
    expect(secret).toBeDefined()
    expect(stdout).toContain('jf/v1/339901/001/001/cam-2/')
    expect(stdout).not.toContain('canary')
    const registry = await at.registry()
    expect(registry.secretHash('cam-2')).toMatch(/^[0-9a-f]{64}$/)
    expect(registry.secretHash('cam-2')).not.toBe(secret)
    expect(registry.cameraPassword('cam-2')).toBe('canary')
    registry.close()
  })

  test('refuses an unknown region and a device that is there', () => {
    using at = desk()
    expect(at.hub(args).stderr).toMatch(/^No region '339901001001'/)
    at.hub(['import', at.county()])
    expect(at.hub(args).status).toBe(0)
    expect(at.hub(args).stderr).toMatch(/^Device 'cam-2' is already registered/)
  })
})

describe('doctor', () => {
  test('measures the disk and says what it found', () => {
    using at = desk()
    const { stdout, status } = at.hub(['doctor'])
    expect(status).toBe(0)
    expect(stdout).toMatch(/write to disk \(fsync\) +median \d+\.\d\d ms, worst \d+\.\d\d ms of 50/)
    expect(stdout).toMatch(/free space in the data folder +[\d.]+ GiB/)
    expect(stdout).toMatch(/MQTT port +127\.0\.0\.1:0 free/)
  })

  test('distrusts a disk that answers faster than any can', () => {
    expect(adviceOnFsync(0.01)).toMatch(/too fast to be true/)
    expect(adviceOnFsync(1)).toBeUndefined()
    expect(adviceOnFsync(60)).toMatch(/slow/)
  })
})

test('a readable password has four pronounceable parts and never comes twice', () => {
  const made = Array.from({ length: 1000 }, readablePassword)
  for (const each of made) expect(each).toMatch(/^([bdfghjkmnprstvz][aeiou]){2}(-(\w{4})){3}$/)
  expect(new Set(made).size).toBe(1000)
})
