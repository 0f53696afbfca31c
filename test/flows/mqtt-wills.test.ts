import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { alarmBody, connectPacket, rawClient, rawDevice } from '../support/mqtt-client.ts'
import { type TestDoor, testDoor, topicOf } from '../support/mqtt-intake.ts'
import { until } from '../support/until.ts'

let hub: TestDoor
beforeEach(async () => {
  hub = await testDoor()
})
afterEach(() => hub.close())

const lastWill = (boot: string, change: Record<string, unknown> = {}) => ({
  will: {
    topic: topicOf('dev-1', 'status'),
    payload: Buffer.from(`{"online":false,"boot":"${boot}"}`),
    qos: 1,
    retain: true,
    ...change,
  },
})
const birth = (boot: string) =>
  ({
    cmd: 'publish',
    topic: topicOf('dev-1', 'status'),
    payload: `{"online":true,"boot":"${boot}","hb":60}`,
    qos: 1,
    messageId: 1,
    dup: false,
    retain: true,
  }) as const

describe('the status of a device', () => {
  test('its birth is a sign of life although it is published retained', async () => {
    const raw = await rawDevice(hub.port, 'dev-1', lastWill('b1'))
    raw.send(birth('b1'))
    await raw.expect('puback')
    expect(hub.status.lines).toEqual(['seen 0'])
    expect(hub.count('retained_refused')).toBe(0)
    raw.socket.destroy()
  })

  test('a socket that breaks lets the will say that it is lost', async () => {
    // [MQTT-3.1.2-8]
    const raw = await rawDevice(hub.port, 'dev-1', lastWill('b1'))
    raw.socket.destroy()
    await until('lost', () => hub.status.lines.includes('lost 0'))
    expect(hub.status.lines).toEqual(['lost 0'])
  })

  test('DISCONNECT discards the will', async () => {
    // [MQTT-3.1.2-10] [MQTT-3.14.4-3]
    const raw = await rawDevice(hub.port, 'dev-1', lastWill('b1'))
    raw.send({ cmd: 'disconnect' })
    await raw.ended()
    await until('gone', () => hub.count('clients') === 0)
    expect(hub.status.lines).toEqual([])
  })

  test('going offline in its own words counts as lost', async () => {
    const raw = await rawDevice(hub.port, 'dev-1')
    raw.send({ ...birth('b1'), payload: '{"online":false,"boot":"b1"}' })
    await raw.expect('puback')
    expect(hub.status.lines).toEqual(['lost 0'])
    raw.socket.destroy()
  })
})

describe('a will that proves nothing', () => {
  test('take-over: the stale will of the old connection is ignored', async () => {
    // [MQTT-3.1.4-2] the old connection is closed; its will must not darken the new one.
    const old = await rawDevice(hub.port, 'dev-1', lastWill('b1'))
    const fresh = await rawDevice(hub.port, 'dev-1', lastWill('b2'))
    await old.ended()
    await until('the stale will', () => hub.count('wills_stale') === 1)
    expect(hub.count('takeovers')).toBe(1)
    expect(hub.status.lines).toEqual([])
    fresh.socket.destroy()
    await until('the fresh will still counts', () => hub.status.lines.includes('lost 0'))
  })

  test('keep-alive: a device that falls silent is not lost before its silence limit', async () => {
    // [MQTT-3.1.2-24] closed after one and a half keep-alives.
    const raw = await rawDevice(hub.port, 'dev-1', { keepalive: 1, ...lastWill('b1') })
    const begun = performance.now()
    await raw.ended()
    expect(performance.now() - begun).toBeGreaterThan(1400)
    expect(performance.now() - begun).toBeLessThan(3500)
    await until('the will came', () => hub.count('wills_keepalive') === 1)
    expect(hub.status.lines).toEqual([])
  })

  test('the hub itself ended the connection: its guard is no witness of the device', async () => {
    const raw = await rawDevice(hub.port, 'dev-1', lastWill('b1'))
    raw.write(Uint8Array.of(0x30, 0xff, 0xff, 0xff, 0x7f))
    await raw.ended()
    await until('the will came', () => hub.count('wills_expelled') === 1)
    expect(hub.status.lines).toEqual([])
  })

  test('the hub stops: no device is lost by that', async () => {
    const raw = await rawDevice(hub.port, 'dev-1', lastWill('b1'))
    await hub.door.close()
    await raw.ended()
    expect(hub.count('wills_hub_stop')).toBe(1)
    expect(hub.status.lines).toEqual([])
  })

  test('of a refused connection never fires', async () => {
    const raw = await rawClient(hub.port)
    raw.send(connectPacket('dev-1', { password: Buffer.from('wrong'), ...lastWill('b1') }))
    expect((await raw.expect('connack')).returnCode).toBe(5)
    await raw.ended()
    expect(hub.status.lines).toEqual([])
  })

  test('that cannot be read is a reject, not a loss', async () => {
    const raw = await rawDevice(hub.port, 'dev-1', lastWill('b1', { payload: Buffer.from('gone') }))
    raw.socket.destroy()
    await until('the reject', () => hub.count('rejects_status') === 1)
    expect(hub.status.lines).toEqual([])
  })
})

test('an alarm left as a will is taken, but is no sign of life', async () => {
  const will = {
    topic: topicOf('dev-1', 'a'),
    payload: Buffer.from(alarmBody({ kind: 'device-alarm' })),
    qos: 1,
    retain: false,
  }
  const raw = await rawDevice(hub.port, 'dev-1', { will })
  raw.socket.destroy()
  await until('the alarm', () => hub.count('alarms_accepted') === 1)
  expect(hub.alarms.list({ regions: { from: '0', to: '9' }, limit: 10 })).toMatchObject([
    { deviceId: 'dev-1', kind: 'device-alarm' },
  ])
  expect(hub.status.lines).toEqual([])
})
