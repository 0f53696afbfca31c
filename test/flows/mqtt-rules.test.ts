import mqttPacket from 'mqtt-packet'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import {
  alarmBody,
  connectPacket,
  deviceClient,
  type RawClient,
  rawClient,
  rawDevice,
  roleClient,
} from '../support/mqtt-client.ts'
import { busSecret, type TestDoor, testDoor, topicOf } from '../support/mqtt-intake.ts'
import { until } from '../support/until.ts'

// The rules of MQTT 3.1.1 that the Paho interoperability suite checks, as tests of our own. Where a
// guard of the hub forbids the rule's set-up, the test shows what happens instead and says why; what
// devices may not do is shown on the internal branch, with the client of a role.

let hub: TestDoor
beforeEach(async () => {
  hub = await testDoor()
})
afterEach(() => hub.close())

const alarms = () => hub.alarms.list({ regions: { from: '0', to: '9' }, limit: 50 })
const publish = (branch: string, change: Record<string, unknown> = {}) => ({
  cmd: 'publish' as const,
  topic: topicOf('dev-1', branch),
  payload: alarmBody(),
  qos: 1 as const,
  messageId: 10,
  dup: false,
  retain: false,
  ...change,
})

async function rawRole(role: string): Promise<RawClient> {
  const raw = await rawClient(hub.port)
  raw.send(connectPacket(`hub-${role}`, { password: Buffer.from(busSecret) }))
  expect((await raw.expect('connack')).returnCode).toBe(0)
  return raw
}

describe('client identifiers', () => {
  test.each([true, false])(
    'a zero-byte one is refused with 0x02, clean session %s',
    async (clean) => {
      // [MQTT-3.1.3-8] with clean session 0. With 1 a server MAY make one up [MQTT-3.1.3-6]; here a
      // client without a name could be nobody's device, so it is refused alike.
      const raw = await rawClient(hub.port)
      const bytes = mqttPacket.generate(connectPacket('', { username: 'dev-1' }))
      // The writer refuses to make this packet: clear the clean-session bit behind it.
      if (!clean) bytes.writeUInt8(bytes.readUInt8(9) & ~2, 9)
      raw.write(bytes)
      expect((await raw.expect('connack')).returnCode).toBe(2)
      await raw.ended()
    },
  )

  test('a second CONNECT on one connection ends it', async () => {
    // [MQTT-3.1.0-2]
    const raw = await rawDevice(hub.port, 'dev-1')
    raw.send(connectPacket('dev-1'))
    await raw.ended()
    expect(raw.received.map(({ cmd }) => cmd)).toEqual(['connack'])
  })

  test('take-over: a second client of one id ends the first', async () => {
    // [MQTT-3.1.4-2]
    const first = await rawDevice(hub.port, 'dev-1')
    const second = await rawDevice(hub.port, 'dev-1')
    await first.ended()
    second.send(publish('a'))
    expect((await second.expect('puback')).messageId).toBe(10)
    second.socket.destroy()
  })
})

describe('sessions', () => {
  test('clean session 0 is served as a clean one: session present stays 0', async () => {
    // [MQTT-3.2.2-2] needs a stored session; devices have none (their backlog would be the hub's memory).
    for (let time = 0; time < 2; time++) {
      const raw = await rawClient(hub.port)
      raw.send(connectPacket('dev-1', { clean: false }))
      const connack = await raw.expect('connack')
      expect(connack).toMatchObject({ returnCode: 0, sessionPresent: false })
      raw.send({
        cmd: 'subscribe',
        messageId: 1,
        subscriptions: [{ topic: topicOf('dev-1', 'c'), qos: 1 }],
      })
      await raw.expect('suback')
      raw.socket.destroy()
      await until('gone', () => hub.count('clients') === 0)
    }
    expect(hub.count('clean_forced')).toBe(2)
  })

  test('what is published while a subscriber is away is not queued for it', async () => {
    const device = await deviceClient(hub.port, 'dev-1', { clean: false })
    await device.subscribeAsync(topicOf('dev-1', 'c'), { qos: 1 })
    await device.endAsync()
    const web = await roleClient(hub.port)
    await web.publishAsync(topicOf('dev-1', 'c'), 'missed', { qos: 1 })
    const back = await rawDevice(hub.port, 'dev-1', { clean: false })
    back.send({ cmd: 'pingreq' })
    await back.expect('pingresp')
    expect(back.received.map(({ cmd }) => cmd)).toEqual(['connack', 'pingresp'])
    await web.endAsync()
    back.socket.destroy()
  })
})

describe('retained messages', () => {
  test('an alarm published retained is stored, its flag dropped, and it is no sign of life', async () => {
    // [MQTT-3.3.1-5] would keep it for later subscribers; nobody may subscribe to alarms, and a
    // replayed alarm is not one of now. It is never lost for that.
    const raw = await rawDevice(hub.port, 'dev-1')
    raw.send(publish('a', { retain: true }))
    await raw.expect('puback')
    expect(alarms()).toHaveLength(1)
    expect(hub.count('retained_refused')).toBe(1)
    expect(hub.status.lines).toEqual([])
    raw.socket.destroy()
  })

  test('a command published retained reaches those who listen and is kept for nobody', async () => {
    // [MQTT-3.3.1-9] RETAIN is 0 for an established subscription. A kept command would be obeyed late.
    const device = await deviceClient(hub.port, 'dev-1')
    const heard: boolean[] = []
    device.on('message', (_topic, _payload, packet) => heard.push(packet.retain))
    await device.subscribeAsync(topicOf('dev-1', 'c'), { qos: 1 })
    const web = await roleClient(hub.port)
    await web.publishAsync(topicOf('dev-1', 'c'), 'now', { qos: 1, retain: true })
    await until('the command', () => heard.length === 1)
    expect(heard).toEqual([false])
    await device.endAsync()
    const later = await rawDevice(hub.port, 'dev-1')
    later.send({
      cmd: 'subscribe',
      messageId: 3,
      subscriptions: [{ topic: topicOf('dev-1', 'c'), qos: 1 }],
    })
    await later.expect('suback')
    later.send({ cmd: 'pingreq' })
    await later.expect('pingresp')
    expect(later.received.map(({ cmd }) => cmd)).toEqual(['connack', 'suback', 'pingresp'])
    await web.endAsync()
    later.socket.destroy()
  })

  test('a retained hint on the internal branch is kept for nobody either', async () => {
    const web = await roleClient(hub.port)
    await web.publishAsync('hub/bus/states', 'old', { qos: 1, retain: true })
    const sink = await rawRole('sink')
    sink.send({ cmd: 'subscribe', messageId: 4, subscriptions: [{ topic: 'hub/bus/#', qos: 1 }] })
    await sink.expect('suback')
    sink.send({ cmd: 'pingreq' })
    await sink.expect('pingresp')
    expect(sink.received.map(({ cmd }) => cmd)).toEqual(['connack', 'suback', 'pingresp'])
    await web.endAsync()
    sink.socket.destroy()
  })
})

describe('subscriptions', () => {
  test('SUBACK carries one code per filter, in order, with the id of the SUBSCRIBE', async () => {
    // [MQTT-3.8.4-2] [MQTT-3.8.4-5] [MQTT-3.9.3-1]
    const raw = await rawDevice(hub.port, 'dev-1')
    raw.send({
      cmd: 'subscribe',
      messageId: 77,
      subscriptions: [
        { topic: topicOf('dev-1', 'c'), qos: 1 },
        { topic: topicOf('dev-1', 'cfg'), qos: 0 },
      ],
    })
    expect(await raw.expect('suback')).toMatchObject({ messageId: 77, granted: [1, 0] })
    raw.socket.destroy()
  })

  test('overlapping subscriptions deliver at least once, at most once per filter', async () => {
    // [MQTT-3.3.5-1]
    const sink = await rawRole('sink')
    sink.send({
      cmd: 'subscribe',
      messageId: 5,
      subscriptions: [
        { topic: 'hub/bus/#', qos: 0 },
        { topic: 'hub/bus/+', qos: 0 },
        { topic: 'hub/bus/states', qos: 0 },
      ],
    })
    await sink.expect('suback')
    const web = await roleClient(hub.port)
    await web.publishAsync('hub/bus/states', 'x', { qos: 1 })
    await sink.expect('publish')
    sink.send({ cmd: 'pingreq' })
    await sink.expect('pingresp')
    const copies = sink.received.filter(({ cmd }) => cmd === 'publish').length
    expect(copies).toBeGreaterThanOrEqual(1)
    expect(copies).toBeLessThanOrEqual(3)
    await web.endAsync()
    sink.socket.destroy()
  })

  test('after UNSUBSCRIBE nothing more arrives', async () => {
    // [MQTT-3.10.4-2] [MQTT-3.10.4-4]
    const sink = await rawRole('sink')
    sink.send({
      cmd: 'subscribe',
      messageId: 5,
      subscriptions: [{ topic: 'hub/bus/states', qos: 0 }],
    })
    await sink.expect('suback')
    sink.send({ cmd: 'unsubscribe', messageId: 6, unsubscriptions: ['hub/bus/states'] })
    expect((await sink.expect('unsuback')).messageId).toBe(6)
    hub.door.bus.publish('states')
    sink.send({ cmd: 'pingreq' })
    await sink.expect('pingresp')
    expect(sink.received.some(({ cmd }) => cmd === 'publish')).toBe(false)
    sink.socket.destroy()
  })

  test('a message is delivered at the lower of the two levels', async () => {
    // [MQTT-3.8.4-6]
    const device = await rawDevice(hub.port, 'dev-1')
    device.send({
      cmd: 'subscribe',
      messageId: 5,
      subscriptions: [{ topic: topicOf('dev-1', 'c'), qos: 0 }],
    })
    await device.expect('suback')
    const web = await roleClient(hub.port)
    await web.publishAsync(topicOf('dev-1', 'c'), 'x', { qos: 1 })
    expect((await device.expect('publish')).qos).toBe(0)
    await web.endAsync()
    device.socket.destroy()
  })
})

describe('delivery', () => {
  test('QoS 1: PUBACK carries the packet id, and the alarm is on disk by then', async () => {
    // [MQTT-4.3.2-2]
    const raw = await rawDevice(hub.port, 'dev-1')
    raw.send(publish('a', { messageId: 4711 }))
    expect((await raw.expect('puback')).messageId).toBe(4711)
    expect(alarms()).toHaveLength(1)
    raw.socket.destroy()
  })

  test('QoS 1: a resend after a lost PUBACK is acknowledged again and stored once', async () => {
    // [MQTT-4.3.2-1] the sender resends with DUP = 1; with boot and seq the key is theirs.
    const raw = await rawDevice(hub.port, 'dev-1')
    raw.send(publish('a'))
    await raw.expect('puback')
    raw.socket.destroy()
    const again = await rawDevice(hub.port, 'dev-1')
    again.send(publish('a', { dup: true }))
    await again.expect('puback')
    expect(alarms()).toMatchObject([{ count: 1 }])
    expect(hub.count('alarms_duplicate')).toBe(1)
    again.socket.destroy()
  })

  test('without boot and seq only a resend is a duplicate; a second opening counts', async () => {
    const body = '{"kind":"intrusion","state":"active"}'
    const raw = await rawDevice(hub.port, 'dev-1')
    for (const dup of [false, true, false]) {
      raw.send(publish('a', { payload: body, dup }))
      await raw.expect('puback')
    }
    expect(alarms()).toMatchObject([{ count: 2 }])
    raw.socket.destroy()
  })

  test('QoS 2: PUBREC after the commit, PUBCOMP after PUBREL, duplicates stored once', async () => {
    // [MQTT-4.3.3-2]
    const raw = await rawDevice(hub.port, 'dev-1')
    const packet = publish('a', {
      qos: 2,
      messageId: 9,
      payload: '{"kind":"panic","state":"pulse"}',
    })
    raw.send(packet)
    expect((await raw.expect('pubrec')).messageId).toBe(9)
    expect(alarms()).toHaveLength(1)
    raw.send({ ...packet, dup: true })
    expect((await raw.expect('pubrec')).messageId).toBe(9)
    raw.send({ cmd: 'pubrel', messageId: 9 })
    expect((await raw.expect('pubcomp')).messageId).toBe(9)
    raw.send({ cmd: 'pubrel', messageId: 9 })
    expect((await raw.expect('pubcomp')).messageId).toBe(9)
    expect(alarms()).toMatchObject([{ count: 1 }])
    raw.socket.destroy()
  })

  test('QoS 0: nothing is answered, and the event is marked as unassured', async () => {
    // [MQTT-4.3.1-1]
    const raw = await rawDevice(hub.port, 'dev-1')
    raw.send(publish('a', { qos: 0 }))
    await until('stored', () => alarms().length === 1)
    raw.send({ cmd: 'pingreq' })
    await raw.expect('pingresp')
    expect(raw.received.map(({ cmd }) => cmd)).toEqual(['connack', 'pingresp'])
    raw.socket.destroy()
  })

  test('order: alarms of one device are stored as they were sent', async () => {
    // [MQTT-4.6.0-6]
    const raw = await rawDevice(hub.port, 'dev-1')
    for (let seq = 1; seq <= 60; seq++) {
      const state = seq % 2 === 1 ? 'active' : 'cleared'
      raw.send(publish('a', { messageId: seq, payload: alarmBody({ seq, state }) }))
    }
    for (let seq = 1; seq <= 60; seq++) expect((await raw.expect('puback')).messageId).toBe(seq)
    expect(alarms()).toMatchObject([{ count: 30, state: 'returned-unack' }])
    raw.socket.destroy()
  })
})

describe('topics', () => {
  test.each([
    ['an empty one', ''],
    ['one with +', 'jf/+/x'],
    ['one with #', 'jf/#'],
    ['one of a hundred levels', 'a/'.repeat(100)],
  ])('%s in PUBLISH ends the connection', async (_, topic) => {
    // [MQTT-3.3.2-2] [MQTT-4.7.3-1]
    const raw = await rawDevice(hub.port, 'dev-1')
    const name = Buffer.from(topic)
    const remaining = name.length + 2
    const header = [0x30, (remaining & 127) | (remaining > 127 ? 128 : 0)]
    if (remaining > 127) header.push(remaining >> 7)
    raw.write(Buffer.from([...header, name.length >> 8, name.length & 255, ...name]))
    await raw.ended()
    expect(alarms()).toEqual([])
  })
})

describe('keep-alive', () => {
  test('PINGREQ is answered', async () => {
    // [MQTT-3.12.4-1]
    const raw = await rawDevice(hub.port, 'dev-1')
    raw.send({ cmd: 'pingreq' })
    expect((await raw.expect('pingresp')).cmd).toBe('pingresp')
    raw.socket.destroy()
  })

  test('a client that publishes needs no PINGREQ', async () => {
    // [MQTT-3.1.2-23] any packet counts.
    const raw = await rawDevice(hub.port, 'dev-1', { keepalive: 1 })
    let sent = 0
    const beat = setInterval(() => {
      sent++
      raw.send(publish('hb', { qos: 0, payload: `{"seq":${sent}}` }))
    }, 250)
    await until('3 s of heartbeats', () => sent === 12 || raw.closed)
    clearInterval(beat)
    expect(raw.closed).toBe(false)
    raw.socket.destroy()
  })
})
