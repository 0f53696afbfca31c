import { describe, expect, test } from 'vitest'
import { identities, isLoopback, sha256 } from '../../hub/intake/identity.ts'
import type { Device } from '../../hub/schema/device.ts'
import { testDevice } from '../support/mqtt-intake.ts'

function registry(ids: readonly string[]) {
  const devices = ids.map((id, n): Device => ({ ...testDevice(id), n }))
  const hashes = new Map<string, string | null>(
    ids.map((id) => [id, sha256(`pw-${id}`).toString('hex')]),
  )
  return {
    devices,
    hashes,
    allDevices: () => devices,
    secretHash: (id: string) => hashes.get(id),
  }
}

function known(ids: readonly string[] = ['dev-1', 'dev-2', 'dev-3']) {
  const store = registry(ids)
  const who = identities({ registry: store, busSecret: 'bus' })
  who.reload()
  const knock = (clientId: string, password = `pw-${clientId}`, change = {}) =>
    who.judge({
      clientId,
      username: clientId,
      password: Buffer.from(password),
      remote: '127.0.0.1',
      ...change,
    })
  return { store, who, knock }
}

describe('a device', () => {
  test('is admitted with its own name and secret', () => {
    const { knock } = known()
    expect(knock('dev-1')).toMatchObject({
      kind: 'device',
      prefix: 'jf/v1/339901/001/002/dev-1/',
      device: { deviceId: 'dev-1', n: 0 },
    })
  })

  test.each([
    ['an unknown device', 'dev-9', undefined, {}, 'unknown-device'],
    ['a wrong secret', 'dev-1', 'pw-dev-2', {}, 'wrong-secret'],
    ['no secret', 'dev-1', undefined, { password: undefined }, 'wrong-secret'],
    ["another device's name", 'dev-1', 'pw-dev-1', { username: 'dev-2' }, 'name-differs'],
    ['no name', 'dev-1', 'pw-dev-1', { username: undefined }, 'name-differs'],
    ['no client id', '', '', {}, 'empty-client-id'],
    ['a name from the prototype', '__proto__', 'x', {}, 'unknown-device'],
  ])('with %s is refused', (_, id, password, change, reason) => {
    expect(known().knock(id, password, change)).toBe(reason)
  })

  test('without an MQTT secret is never admitted, not even with an empty one', () => {
    const { store, knock } = known()
    store.hashes.set('dev-1', null)
    expect(knock('dev-1', '')).toBe('wrong-secret')
    store.hashes.set('dev-2', 'abcd')
    expect(knock('dev-2', '')).toBe('wrong-secret')
  })

  test('is a gateway when it is registered as one', () => {
    const { store, who, knock } = known()
    store.devices.push({ ...testDevice('gw', { kind: 'gateway' }), n: 3 })
    store.hashes.set('gw', sha256('pw-gw').toString('hex'))
    who.reload()
    expect(knock('gw')).toMatchObject({ kind: 'gateway' })
  })
})

describe('the registry changes', () => {
  test('reload names what is new and what changed, nothing else', () => {
    const { store, who } = known()
    store.devices.push({ ...testDevice('dev-4'), n: 3 })
    store.devices[0] = { ...testDevice('dev-1', { heartbeatS: 30 }), n: 0 }
    expect(who.reload().map(({ deviceId }) => deviceId)).toEqual(['dev-1', 'dev-4'])
    expect(who.reload()).toEqual([])
    expect(who.size()).toBe(4)
  })

  test('a moved device keeps its identity and gets its new prefix in place', () => {
    const { store, who, knock } = known()
    const admitted = knock('dev-1')
    store.devices[0] = { ...testDevice('dev-1', { region: '339901001009' }), n: 0 }
    who.reload()
    expect(admitted).toMatchObject({ prefix: 'jf/v1/339901/001/009/dev-1/' })
  })

  test('a changed secret or a removed device is no longer valid', () => {
    const { store, who, knock } = known()
    const [one, two, three] = ['dev-1', 'dev-2', 'dev-3'].map((id) => knock(id))
    store.hashes.set('dev-1', sha256('new').toString('hex'))
    store.devices.splice(1, 1)
    who.reload()
    const valid = [one, two, three].map(
      (each) => typeof each === 'object' && each.kind !== 'role' && who.stillValid(each),
    )
    expect(valid).toEqual([false, false, true])
  })
})

describe('a role', () => {
  test.each(['web', 'media', 'sink', 'intake'])(
    'hub-%s enters with the bus secret from loopback',
    (role) => {
      expect(known().knock(`hub-${role}`, 'bus')).toMatchObject({ kind: 'role', role })
    },
  )

  test.each([
    ['hub-web', 'wrong', '127.0.0.1', 'bad-role'],
    ['hub-root', 'bus', '127.0.0.1', 'bad-role'],
    ['hub-', 'bus', '127.0.0.1', 'bad-role'],
    ['hub-web', 'bus', '192.0.2.7', 'role-not-local'],
    ['hub-web', 'bus', '', 'role-not-local'],
    ['hub-web', 'wrong', '192.0.2.7', 'bad-role'],
  ])('%s with %s from %s is refused', (id, password, remote, reason) => {
    expect(known().knock(id, password, { remote })).toBe(reason)
  })

  test('a device registered under a name of a role does not become one', () => {
    expect(known(['hub-web']).knock('hub-web')).toBe('bad-role')
  })
})

test.each([
  ['127.0.0.1', true],
  ['127.8.9.1', true],
  ['::1', true],
  ['::ffff:127.0.0.1', true],
  ['::ffff:10.0.0.1', false],
  ['10.0.0.1', false],
  ['1270.0.0.1', false],
])('%s is loopback: %s', (remote, expected) => {
  expect(isLoopback(remote)).toBe(expected)
})
