import { afterEach, describe, expect, test } from 'vitest'
import { errors } from '../../hub/errors.ts'
import type { AlarmStore } from '../../hub/store/alarm-store.ts'
import { alarmBody, deviceClient, publishAlarm, rawDevice } from '../support/mqtt-client.ts'
import { type TestDoor, testDevice, testDoor, topicOf } from '../support/mqtt-intake.ts'
import { until } from '../support/until.ts'

let hub: TestDoor
afterEach(() => hub.close())

const anywhere = { regions: { from: '0', to: '9' }, limit: 50 }

/** The real store with a fault in front of it that the test switches. */
function breakable() {
  const state: { error: Error | undefined; tries: number } = { error: undefined, tries: 0 }
  const alarms = (real: AlarmStore): Pick<AlarmStore, 'accept'> => ({
    accept(events, rejects) {
      state.tries++
      if (state.error) throw state.error
      return real.accept(events, rejects)
    },
  })
  return { state, alarms }
}

const publish = (messageId: number, seq: number) => ({
  cmd: 'publish' as const,
  topic: topicOf('dev-1', 'a'),
  payload: alarmBody({ seq }),
  qos: 1 as const,
  messageId,
  dup: false,
  retain: false,
})

describe('an alarm while the store fails', () => {
  test('is acknowledged only when the store works again', async () => {
    const { state, alarms } = breakable()
    hub = await testDoor({ alarms })
    state.error = new Error('database or disk is full')
    const raw = await rawDevice(hub.port, 'dev-1')
    raw.send(publish(1, 1))
    await until('tried', () => state.tries >= 2)
    expect(raw.received.map(({ cmd }) => cmd)).toEqual(['connack'])
    state.error = undefined
    await raw.expect('puback')
    expect(hub.alarms.list(anywhere)).toHaveLength(1)
    raw.socket.destroy()
  })

  test('ends its connection unacknowledged after the hold; the resend is stored once', async () => {
    const { state, alarms } = breakable()
    hub = await testDoor({ alarms, limits: { acceptance: { holdMs: 400, retryMs: 50 } } })
    state.error = new Error('database or disk is full')
    const raw = await rawDevice(hub.port, 'dev-1')
    raw.send(publish(1, 1))
    await raw.ended()
    expect(raw.received.map(({ cmd }) => cmd)).toEqual(['connack'])
    expect(hub.count('alarms_lost_to_sender')).toBe(1)
    state.error = undefined
    const again = await rawDevice(hub.port, 'dev-1')
    again.send({ ...publish(1, 1), dup: true })
    await again.expect('puback')
    expect(hub.alarms.list(anywhere)).toMatchObject([{ count: 1 }])
    again.socket.destroy()
  })

  test('waits for another role that holds the file, without an error', async () => {
    const { state, alarms } = breakable()
    hub = await testDoor({ alarms })
    state.error = errors.storeBusy()
    const raw = await rawDevice(hub.port, 'dev-1')
    raw.send(publish(1, 1))
    await until('tried', () => state.tries >= 5)
    state.error = undefined
    await raw.expect('puback')
    expect(hub.count('store_failures')).toBe(0)
    raw.socket.destroy()
  })
})

describe('a frame nobody can read', () => {
  test('is kept raw, counted and then acknowledged, or it would be resent for ever', async () => {
    hub = await testDoor()
    const raw = await rawDevice(hub.port, 'dev-1')
    raw.send({ ...publish(1, 1), payload: 'door open!' })
    await raw.expect('puback')
    expect(hub.alarms.rejects(5)).toMatchObject([
      { deviceId: 'dev-1', topic: topicOf('dev-1', 'a'), reason: 'not-json' },
    ])
    expect(Buffer.from(hub.alarms.rejects(1)[0]?.payload ?? []).toString()).toBe('door open!')
    expect(hub.count('rejects_a')).toBe(1)
    expect(hub.status.lines).toEqual([])
    raw.socket.destroy()
  })

  test('of a model without an adapter is a reject, too', async () => {
    hub = await testDoor({ devices: [testDevice('dev-1', { model: 'other/thing' })] })
    const client = await deviceClient(hub.port, 'dev-1')
    await publishAlarm(client, 'dev-1')
    expect(hub.alarms.rejects(5)).toMatchObject([{ reason: 'no-adapter' }])
    await client.endAsync()
  })

  test('over the length of its branch is a reject', async () => {
    hub = await testDoor()
    const client = await deviceClient(hub.port, 'dev-1')
    const body = JSON.stringify({ kind: 'panic', state: 'pulse', pad: 'x'.repeat(5000) })
    await client.publishAsync(topicOf('dev-1', 'a'), body, { qos: 1 })
    expect(hub.alarms.rejects(5)).toMatchObject([{ reason: 'too-long' }])
    await client.endAsync()
  })

  test('sent a thousand times as heartbeat is counted each time and kept as a sample', async () => {
    hub = await testDoor()
    const client = await deviceClient(hub.port, 'dev-1')
    for (let time = 0; time < 1000; time++) client.publish(topicOf('dev-1', 'hb'), 'nonsense')
    await until('counted', () => hub.count('rejects_hb') === 1000)
    await publishAlarm(client, 'dev-1')
    const kept = hub.alarms.rejects(2000).length
    expect(kept).toBeGreaterThan(0)
    expect(kept).toBeLessThanOrEqual(100)
    expect(hub.alarms.list(anywhere)).toHaveLength(1)
    await client.endAsync()
  })
})

describe('the stop', () => {
  test('stores and acknowledges what has arrived before the connections end', async () => {
    hub = await testDoor()
    const raw = await rawDevice(hub.port, 'dev-1')
    for (let seq = 1; seq <= 20; seq++) raw.send(publish(seq, seq))
    await until('some arrived', () => hub.count('alarms_accepted') > 0)
    await hub.door.close()
    await raw.ended()
    const acked = raw.received.filter(({ cmd }) => cmd === 'puback').length
    expect(acked).toBe(hub.count('alarms_accepted'))
  })
})
