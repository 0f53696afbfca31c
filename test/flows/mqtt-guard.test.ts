import { readFileSync } from 'node:fs'
import mqttPacket from 'mqtt-packet'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { guardLimits } from '../../hub/intake/guard.ts'
import {
  connectPacket,
  deviceClient,
  rawClient,
  rawDevice,
  roleClient,
} from '../support/mqtt-client.ts'
import { busSecret, type TestDoor, testDoor, topicOf } from '../support/mqtt-intake.ts'
import { until } from '../support/until.ts'

const rssMb = () => {
  const line = /^VmRSS:\s+(\d+)/m.exec(readFileSync('/proc/self/status', 'utf8'))
  return Number(line?.[1]) / 1024
}

let hub: TestDoor
beforeEach(async () => {
  hub = await testDoor()
})
afterEach(() => hub.close())

/** The door still serves a device after what the test did to it. */
async function stillServes() {
  const client = await deviceClient(hub.port, 'dev-2')
  await client.publishAsync(topicOf('dev-2', 'a'), '{"kind":"panic","state":"pulse"}', { qos: 1 })
  await client.endAsync()
}

describe('an unauthenticated socket', () => {
  test('that announces a CONNECT of 200 MB is closed by its header and costs no memory', async () => {
    const before = rssMb()
    const block = Buffer.alloc(1 << 20, 0x41)
    for (let time = 0; time < 3; time++) {
      const raw = await rawClient(hub.port)
      raw.write(Uint8Array.of(0x10, 0x80, 0x84, 0xaf, 0x5f))
      for (let megabyte = 0; megabyte < 8; megabyte++) raw.write(block)
      await raw.ended()
    }
    expect(hub.count('guard_connect-too-long')).toBe(3)
    // Unguarded aedes 1.2 went from 56 to 667 MB here; the sender's own 24 MB are in this process, too.
    expect(rssMb() - before).toBeLessThan(120)
    await stillServes()
  })

  test.each([
    ['something that is not MQTT', Buffer.from('GET / HTTP/1.1\r\n\r\n'), 'first-not-connect'],
    ['a PUBLISH first', Uint8Array.of(0x30, 4, 0, 1, 0x61, 0x62), 'first-not-connect'],
    ['a broken remaining length', Uint8Array.of(0x10, 255, 255, 255, 255, 1), 'bad-length'],
  ])('that sends %s is closed', async (_, bytes, reason) => {
    const raw = await rawClient(hub.port)
    raw.write(bytes)
    await raw.ended()
    expect(hub.count(`guard_${reason}`)).toBe(1)
    expect(raw.received).toEqual([])
  })

  test('with a CONNECT that lies inside is closed', async () => {
    const raw = await rawClient(hub.port)
    raw.write(Uint8Array.of(0x10, 6, 0, 4, 0x4d, 0x51, 0x54, 0x54))
    await raw.ended()
    expect(raw.received).toEqual([])
    await stillServes()
  })

  test('with an empty client id is answered 2 and closed', async () => {
    const raw = await rawClient(hub.port)
    raw.send(connectPacket('', { username: 'dev-1' }))
    expect((await raw.expect('connack')).returnCode).toBe(2)
    await raw.ended()
    expect(hub.count('refused_empty-client-id')).toBe(1)
  })
})

describe('the deadline', () => {
  test('a socket that does not get admitted in time is closed', async () => {
    await hub.close()
    hub = await testDoor({
      limits: { broker: { guard: { ...guardLimits, connectTimeoutMs: 150 } } },
    })
    const silent = await rawClient(hub.port)
    const slow = await rawClient(hub.port)
    slow.write(Uint8Array.of(0x10))
    await silent.ended()
    await slow.ended()
    expect(hub.count('guard_connect-late')).toBe(2)
    const admitted = await rawDevice(hub.port, 'dev-1')
    const later = await rawClient(hub.port)
    await later.ended()
    expect(admitted.closed).toBe(false)
    admitted.socket.destroy()
  })
})

describe('sockets that never introduce themselves', () => {
  test('do not keep a device out: the one that waited longest gives way', async () => {
    await hub.close()
    hub = await testDoor({ limits: { broker: { unadmitted: 20 } } })
    const silent = await Promise.all(Array.from({ length: 20 }, () => rawClient(hub.port)))
    await stillServes()
    await until('one gave way', () => silent.filter(({ closed }) => closed).length === 1)
    expect(hub.count('refused_too_many_unadmitted')).toBe(1)
    for (const { socket } of silent) socket.destroy()
  })
})

describe('an admitted device', () => {
  test('that sends one packet over 64 KiB is closed before the packet is read', async () => {
    const raw = await rawDevice(hub.port, 'dev-1')
    raw.send({
      cmd: 'publish',
      topic: topicOf('dev-1', 't'),
      payload: Buffer.alloc(70_000),
      qos: 0,
      dup: false,
      retain: false,
    })
    await raw.ended()
    expect(hub.count('guard_frame-too-long')).toBe(1)
  })

  test('that floods is closed and counted, and the hub serves the others', async () => {
    const raw = await rawDevice(hub.port, 'dev-1')
    const beat = mqttPacket.generate({
      cmd: 'publish',
      topic: topicOf('dev-1', 'hb'),
      payload: '{"seq":1}',
      qos: 0,
      dup: false,
      retain: false,
    })
    const burst = Buffer.concat(Array.from({ length: 500 }, () => beat))
    for (let time = 0; time < 20 && !raw.closed; time++) raw.write(burst)
    await raw.ended()
    expect(hub.count('guard_packet-rate') + hub.count('guard_byte-rate')).toBe(1)
    await stillServes()
  })

  test('that comes back again and again gets no new burst each time', async () => {
    await hub.close()
    const guard = { ...guardLimits, packetsPerS: 1, burstPackets: 60 }
    hub = await testDoor({ limits: { broker: { guard } } })
    const beats = Array.from({ length: 40 }, () =>
      mqttPacket.generate({
        cmd: 'publish',
        topic: topicOf('dev-1', 'hb'),
        payload: '{"seq":1}',
        qos: 0,
        dup: false,
        retain: false,
      }),
    )
    const first = await rawDevice(hub.port, 'dev-1')
    first.write(Buffer.concat(beats))
    await until('the first 40', () => hub.count('heartbeats') === 40)
    const second = await rawDevice(hub.port, 'dev-1')
    second.write(Buffer.concat(beats))
    await second.ended()
    const third = await rawClient(hub.port)
    third.send(connectPacket('dev-1'))
    // [MQTT-3.2.2] return code 3: server unavailable. The identity is right, the time is not.
    expect((await third.expect('connack')).returnCode).toBe(3)
    expect(hub.count('refused_too-fast')).toBe(1)
    expect(hub.count('heartbeats')).toBeLessThanOrEqual(60)
    await stillServes()
  })

  test('with keep-alive 0 or longer than the limit is closed without CONNACK', async () => {
    // [MQTT-3.2.2-6] no listed return code fits: close without CONNACK.
    for (const keepalive of [0, 40_000]) {
      const raw = await rawClient(hub.port)
      raw.send(connectPacket('dev-1', { keepalive }))
      await raw.ended()
      expect(raw.received).toEqual([])
    }
    expect(hub.count('refused_keepalive')).toBe(2)
  })

  test('that asks for QoS 2 window after window without releasing is closed at 100', async () => {
    const raw = await rawDevice(hub.port, 'dev-1')
    for (let messageId = 1; messageId <= 101; messageId++)
      raw.send({
        cmd: 'publish',
        topic: topicOf('dev-1', 'hb'),
        payload: '{"seq":1}',
        qos: 2,
        messageId,
        dup: false,
        retain: false,
      })
    await raw.ended()
    expect(raw.received.filter(({ cmd }) => cmd === 'pubrec').length).toBeLessThanOrEqual(100)
    await stillServes()
  })
})

describe('a stalled subscriber', () => {
  test('costs its own messages and then its connection, never the process', async () => {
    const raw = await rawClient(hub.port)
    raw.send(connectPacket('hub-web', { password: Buffer.from(busSecret) }))
    await raw.expect('connack')
    raw.send({
      cmd: 'subscribe',
      messageId: 1,
      subscriptions: [{ topic: 'hub/bus/#', qos: 0 }],
    })
    await raw.expect('suback')
    raw.socket.pause()
    const healthy = await roleClient(hub.port, 'sink')
    let heard = 0
    healthy.on('message', () => heard++)
    await healthy.subscribeAsync('hub/bus/#')
    const body = new Uint8Array(256 * 1024)
    for (let time = 0; time < 200; time++) {
      hub.door.bus.publish('seen', body)
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(hub.count('forwards_shed')).toBeGreaterThan(0)
    await until('the healthy subscriber hears', () => heard > 100)
    // drainTimeout: the stalled one is closed after 5 s.
    await until(
      'the stalled one is closed',
      () => (hub.door.counters.read()['clients'] ?? 0) === 1,
      9000,
    )
    await healthy.endAsync()
    raw.socket.destroy()
    await stillServes()
  })
})
