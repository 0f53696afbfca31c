import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { sha256 } from '../../hub/intake/identity.ts'
import {
  alarmBody,
  connectPacket,
  deviceClient,
  deviceOptions,
  mqttClient,
  publishAlarm,
  rawClient,
  rawDevice,
  roleClient,
} from '../support/mqtt-client.ts'
import { secretOf, type TestDoor, testDevice, testDoor, topicOf } from '../support/mqtt-intake.ts'
import { until } from '../support/until.ts'

const run = promisify(execFile)

let hub: TestDoor
beforeEach(async () => {
  hub = await testDoor()
})
afterEach(() => hub.close())

const audited = () => {
  hub.door.tick()
  return hub.audit.list({ limit: 50 })
}

describe('who may enter', () => {
  test.each([
    ['an unknown device', 'nobody', 'x', 'unknown-device'],
    ['a wrong secret', 'dev-1', 'x', 'wrong-secret'],
  ])('%s is refused, quarantined and audited', async (_, clientId, password, reason) => {
    await expect(mqttClient({ ...deviceOptions(hub.port, clientId), password })).rejects.toThrow(
      /Not authorized/,
    )
    expect(hub.count(`refused_${reason}`)).toBe(1)
    expect(audited()).toMatchObject([
      { action: 'security.connect', subject: clientId, outcome: 'refused' },
    ])
    expect(hub.registry.quarantined(10)).toMatchObject([{ clientId, reason, tries: 1 }])
  })

  test('a device added while the hub runs may enter within a second', async () => {
    await expect(deviceClient(hub.port, 'dev-3')).rejects.toThrow(/Not authorized/)
    hub.register([testDevice('dev-3')])
    hub.door.tick()
    const client = await deviceClient(hub.port, 'dev-3')
    expect(hub.status.lines).toContain('add 2')
    await client.endAsync()
  })

  test('a hint on the bus makes the door look at once', async () => {
    hub.register([testDevice('dev-3')])
    const web = await roleClient(hub.port, 'web')
    await web.publishAsync('hub/bus/registry', '')
    await until('the device is known', () => hub.status.lines.length > 0)
    expect(hub.status.lines).toEqual(['add 2'])
    await web.endAsync()
  })

  test('a device whose secret was changed is put out', async () => {
    const raw = await rawDevice(hub.port, 'dev-1')
    hub.registry.setSecretHash('dev-1', sha256('another').toString('hex'))
    hub.door.tick()
    await raw.ended()
    expect(hub.count('expelled_by_registry')).toBe(1)
    await expect(deviceClient(hub.port, 'dev-1')).rejects.toThrow(/Not authorized/)
  })

  test('MQTT 5 is refused with the return code for the protocol version', async () => {
    // [MQTT-3.1.2-2] unacceptable protocol level: 0x01, then close.
    const raw = await rawClient(hub.port)
    raw.send(connectPacket('dev-1', { protocolVersion: 5, properties: {} }))
    await raw.ended()
    expect(raw.received.map((packet) => packet.cmd === 'connack' && packet.returnCode)).toEqual([1])
  })
})

describe('a forbidden topic', () => {
  test.each([
    ["another device's alarm", topicOf('dev-2', 'a')],
    ['its own command branch', topicOf('dev-1', 'c')],
    ["the hub's bus", 'hub/bus/registry'],
    ["the broker's own topics", '$SYS/x'],
    ['a retained-looking root', 'jf'],
  ])('published to (%s) ends the connection, is counted and audited', async (_, topic) => {
    const raw = await rawDevice(hub.port, 'dev-1')
    raw.send({
      cmd: 'publish',
      topic,
      payload: alarmBody(),
      qos: 1,
      messageId: 5,
      dup: false,
      retain: false,
    })
    await raw.ended()
    expect(raw.received.some(({ cmd }) => cmd === 'puback')).toBe(false)
    expect(hub.count('forbidden_publish')).toBe(1)
    expect(audited()).toMatchObject([
      {
        actor: 'dev-1',
        action: 'security.acl',
        subject: topic,
        outcome: 'refused',
        detail: 'publish',
      },
    ])
    expect(hub.alarms.list({ regions: { from: '0', to: '9' }, limit: 10 })).toEqual([])
  })

  test.each(['#', '$SYS/#', 'hub/bus/#', 'jf/#', topicOf('dev-2', 'c'), topicOf('dev-1', '+')])(
    "subscribed to ('%s') ends the connection, is counted and audited",
    async (topic) => {
      const raw = await rawDevice(hub.port, 'dev-1')
      raw.send({ cmd: 'subscribe', messageId: 6, subscriptions: [{ topic, qos: 1 }] })
      await raw.ended()
      expect(hub.count('forbidden_subscribe')).toBe(1)
      expect(audited()).toMatchObject([{ action: 'security.acl', subject: topic }])
    },
  )

  test('as a last will is refused at CONNECT', async () => {
    const raw = await rawClient(hub.port)
    const will = {
      topic: topicOf('dev-2', 'a'),
      payload: Buffer.from(alarmBody()),
      qos: 1,
      retain: false,
    }
    raw.send(connectPacket('dev-1', { will }))
    expect((await raw.expect('connack')).returnCode).toBe(5)
    await raw.ended()
    expect(hub.count('refused_forbidden-will')).toBe(1)
  })

  test('a hundred times writes one line', async () => {
    for (let time = 0; time < 20; time++) {
      const raw = await rawDevice(hub.port, 'dev-1')
      raw.send({ cmd: 'subscribe', messageId: 6, subscriptions: [{ topic: '#', qos: 0 }] })
      await raw.ended()
    }
    expect(hub.count('forbidden_subscribe')).toBe(20)
    expect(audited()).toHaveLength(1)
  })
})

describe('commands', () => {
  test('reach the device they are for, and only it', async () => {
    const one = await deviceClient(hub.port, 'dev-1')
    const two = await deviceClient(hub.port, 'dev-2')
    const heard: string[] = []
    one.on('message', (topic, payload) => heard.push(`one ${topic} ${String(payload)}`))
    two.on('message', (topic) => heard.push(`two ${topic}`))
    await one.subscribeAsync([topicOf('dev-1', 'c'), topicOf('dev-1', 'cfg')], { qos: 1 })
    await two.subscribeAsync(topicOf('dev-2', 'c'), { qos: 1 })
    const web = await roleClient(hub.port, 'web')
    await web.publishAsync(topicOf('dev-1', 'c'), '{"id":"1"}', { qos: 1 })
    await until('the command arrives', () => heard.length > 0)
    expect(heard).toEqual([`one ${topicOf('dev-1', 'c')} {"id":"1"}`])
    for (const client of [one, two, web]) await client.endAsync()
  })
})

describe('a client that nobody here wrote', () => {
  const mosquittoPub = (deviceId: string, qos: string, body: string) =>
    run(
      'mosquitto_pub',
      Object.entries({
        '-p': String(hub.port),
        '-i': deviceId,
        '-u': deviceId,
        '-P': secretOf(deviceId),
        '-q': qos,
        '-t': topicOf(deviceId, 'a'),
        '-m': body,
      }).flat(),
    )

  test('mosquitto_pub raises an alarm with its own secret', async () => {
    await mosquittoPub('dev-1', '1', '{"kind":"intrusion","state":"active","point":"front"}')
    expect(hub.alarms.list({ regions: { from: '0', to: '9' }, limit: 10 })).toMatchObject([
      { deviceId: 'dev-1', kind: 'intrusion', point: 'front', state: 'unack-active' },
    ])
  })

  test('mosquitto_pub with QoS 2 raises it once', async () => {
    await mosquittoPub('dev-2', '2', '{"kind":"panic","state":"pulse"}')
    expect(hub.alarms.list({ regions: { from: '0', to: '9' }, limit: 10 })).toMatchObject([
      { deviceId: 'dev-2', kind: 'panic', count: 1 },
    ])
  })
})

test('alarms of two devices in one tick keep apart', async () => {
  const one = await deviceClient(hub.port, 'dev-1')
  const two = await deviceClient(hub.port, 'dev-2')
  await Promise.all([
    ...[1, 2, 3].map((seq) => publishAlarm(one, 'dev-1', { seq, point: String(seq) })),
    ...[1, 2, 3].map((seq) => publishAlarm(two, 'dev-2', { seq, point: String(seq) })),
  ])
  const rows = hub.alarms.list({ regions: { from: '0', to: '9' }, limit: 10 })
  expect(rows.map(({ deviceId, point }) => `${deviceId} ${point}`).toSorted()).toEqual([
    'dev-1 1',
    'dev-1 2',
    'dev-1 3',
    'dev-2 1',
    'dev-2 2',
    'dev-2 3',
  ])
  await one.endAsync()
  await two.endAsync()
})
