import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { errors } from '../../hub/errors.ts'
import { acceptance, acceptanceLimits } from '../../hub/intake/acceptance.ts'
import { counters } from '../../hub/intake/counters.ts'
import type { AlarmEvent } from '../../hub/schema/alarm.ts'
import type { Accepted } from '../../hub/store/alarm-store.ts'
import { fakeClock } from '../support/fake-clock.ts'

const event = (deviceId: string, seq: number): AlarmEvent => ({
  deviceId,
  region: '339901001002',
  boot: 'b1',
  seq,
  kind: 'intrusion',
  point: '',
  edge: 'active',
  priority: 2,
  deviceAt: null,
  receivedAt: 0,
  assured: true,
  fingerprint: '',
  resent: false,
})

/** A store whose behaviour the test decides per call; remembers each transaction it committed. */
function desk(limits = acceptanceLimits) {
  const commits: string[][] = []
  const told: string[] = []
  const clock = fakeClock()
  const count = counters()
  let fault: (events: readonly AlarmEvent[]) => Error | undefined = () => undefined
  const queue = acceptance({
    alarms: {
      accept(events) {
        const error = fault(events)
        if (error) throw error
        commits.push(events.map(({ deviceId, seq }) => `${deviceId}/${seq}`))
        return events.map((): Accepted => ({ outcome: 'raised', alarm: undefined }))
      },
    },
    clock,
    log: pino({ level: 'silent' }),
    counters: count,
    committed: () => told.push('hint'),
    limits,
  })
  return {
    queue,
    commits,
    told,
    clock,
    count: (name: string) => count.read()[name] ?? 0,
    fail(next: typeof fault) {
      fault = next
    },
    take: (deviceId: string, seq: number) =>
      queue.take({
        deviceId,
        events: [event(deviceId, seq)],
        rejects: [],
        stored: (accepted) => told.push(`ack ${deviceId}/${seq} ${accepted[0]?.outcome}`),
        lost: (error) => told.push(`lost ${deviceId}/${seq}: ${error.message}`),
      }),
  }
}

const diskFull = () => new Error('database or disk is full')

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'setImmediate', 'clearTimeout', 'clearImmediate'] })
})
afterEach(() => {
  vi.useRealTimers()
})

describe('group commit', () => {
  test('what arrives in one tick is one transaction, acknowledged in order, then one hint', () => {
    const at = desk()
    at.take('d1', 1)
    at.take('d2', 1)
    at.take('d1', 2)
    expect(at.told).toEqual([])
    vi.runAllTimers()
    expect(at.commits).toEqual([['d1/1', 'd2/1', 'd1/2']])
    expect(at.told).toEqual(['ack d1/1 raised', 'ack d2/1 raised', 'ack d1/2 raised', 'hint'])
  })

  test('after a quiet moment the first alarms do not wait for the tick to end', async () => {
    const at = desk()
    at.clock.advance(acceptanceLimits.quietMs)
    at.take('d1', 1)
    at.take('d1', 2)
    expect(at.commits).toEqual([])
    await Promise.resolve()
    expect(at.commits).toEqual([['d1/1', 'd1/2']])
    at.take('d1', 3)
    await Promise.resolve()
    expect(at.commits).toHaveLength(1)
    vi.runAllTimers()
    expect(at.commits).toEqual([['d1/1', 'd1/2'], ['d1/3']])
  })

  test('what is closed before that is given back, not stored', async () => {
    const at = desk()
    at.clock.advance(acceptanceLimits.quietMs)
    at.take('d1', 1)
    at.queue.close()
    await Promise.resolve()
    expect(at.commits).toEqual([])
    expect(at.told).toEqual(['lost d1/1: the hub stops'])
  })

  test('a flood is cut into transactions of bounded size', () => {
    const at = desk({ ...acceptanceLimits, batch: 10 })
    for (let seq = 0; seq < 25; seq++) at.take('d1', seq)
    vi.runAllTimers()
    expect(at.commits.map((commit) => commit.length)).toEqual([10, 10, 5])
  })

  test('rejects alone are stored without a hint', () => {
    const at = desk()
    const acked: string[] = []
    const reject = { at: 0, deviceId: 'd1', topic: 't', reason: 'not-json', payload: Buffer.of(1) }
    at.queue.take({
      deviceId: 'd1',
      events: [],
      rejects: [reject],
      stored: () => acked.push('ack'),
      lost: () => acked.push('lost'),
    })
    vi.runAllTimers()
    expect(acked).toEqual(['ack'])
    expect(at.told).toEqual([])
  })
})

describe('a busy store', () => {
  test('is tried again until the other process lets go; nothing is acknowledged before', () => {
    const at = desk()
    let left = 5
    at.fail(() => (left-- > 0 ? errors.storeBusy() : undefined))
    at.take('d1', 1)
    vi.runAllTimers()
    expect(at.commits).toEqual([['d1/1']])
    expect(at.told).toEqual(['ack d1/1 raised', 'hint'])
    expect(at.count('store_busy')).toBe(5)
    expect(at.count('store_failures')).toBe(0)
  })
})

describe('a failing store', () => {
  test('holds acknowledgements for 10 s, then drops the connection, and never acknowledges falsely', () => {
    const at = desk()
    at.fail(diskFull)
    at.take('d1', 1)
    for (let step = 0; step < 39; step++) {
      vi.advanceTimersByTime(250)
      at.clock.advance(250)
    }
    expect(at.told).toEqual([])
    at.clock.advance(250)
    vi.advanceTimersByTime(300)
    expect(at.told).toEqual(['lost d1/1: the alarm store did not take it in time'])
    expect(at.commits).toEqual([])
  })

  test('that recovers in time stores everything, each device in its own order', () => {
    const at = desk()
    at.fail(diskFull)
    at.take('d1', 1)
    at.take('d1', 2)
    at.take('d2', 1)
    vi.advanceTimersByTime(2000)
    at.take('d1', 3)
    at.fail(() => undefined)
    vi.runAllTimers()
    expect(at.commits.flat().filter((key) => key.startsWith('d1'))).toEqual([
      'd1/1',
      'd1/2',
      'd1/3',
    ])
    expect(at.told.filter((line) => line.startsWith('ack'))).toHaveLength(4)
  })

  test('because of one row loses that row alone, at once', () => {
    const at = desk()
    at.fail((events) =>
      events.some(({ seq }) => seq === 13) ? new Error('constraint') : undefined,
    )
    at.take('d1', 13)
    at.take('d2', 1)
    at.take('d2', 2)
    vi.runAllTimers()
    expect(at.commits.flat()).toEqual(['d2/1', 'd2/2'])
    expect(at.told).toContain('lost d1/13: the alarm store cannot take it')
  })

  test('holds a bounded number; those over it stay with their senders', () => {
    const at = desk({ ...acceptanceLimits, held: 3 })
    at.fail(diskFull)
    for (let seq = 0; seq < 5; seq++) at.take('d1', seq)
    expect(at.told).toEqual([
      'lost d1/3: too many alarms wait for the store',
      'lost d1/4: too many alarms wait for the store',
    ])
    expect(at.queue.waiting()).toBe(3)
    expect(at.count('alarms_lost_to_sender')).toBe(2)
  })
})

describe('the stop', () => {
  test('drained resolves when everything is stored', async () => {
    const at = desk()
    at.take('d1', 1)
    const drained = at.queue.drained()
    vi.runAllTimers()
    await drained
    expect(at.commits).toEqual([['d1/1']])
    await at.queue.drained()
  })

  test('close gives back what is not stored and takes nothing more', async () => {
    const at = desk()
    at.fail(diskFull)
    at.take('d1', 1)
    const drained = at.queue.drained()
    at.queue.close()
    await drained
    at.take('d1', 2)
    expect(at.told).toEqual([
      'lost d1/1: the hub stops',
      'lost d1/2: too many alarms wait for the store',
    ])
  })
})

describe('a device that floods', () => {
  const flood = (at: ReturnType<typeof desk>, count: number) => {
    for (let seq = 1; seq <= count; seq++) at.take('flooder', seq)
  }

  test('does not delay another device’s alarm beyond the next commit', () => {
    const at = desk({ ...acceptanceLimits, batch: 10, share: 3 })
    flood(at, 100)
    at.take('door', 1)
    at.take('door', 2)
    vi.runOnlyPendingTimers()
    vi.runOnlyPendingTimers()
    expect(at.commits.slice(0, 2).flat()).toEqual(expect.arrayContaining(['door/1', 'door/2']))
  })

  test('does not delay it in company either', () => {
    const at = desk({ ...acceptanceLimits, batch: 10 })
    for (let seq = 1; seq <= 50; seq++)
      for (const name of ['f1', 'f2', 'f3', 'f4', 'f5', 'f6', 'f7', 'f8', 'f9']) at.take(name, seq)
    at.take('door', 1)
    vi.runOnlyPendingTimers()
    vi.runOnlyPendingTimers()
    expect(at.commits.slice(0, 2).flat()).toContain('door/1')
    vi.runAllTimers()
    expect(at.commits.flat()).toHaveLength(451)
  })

  test('keeps its own order, and nothing of it is forgotten', () => {
    const at = desk({ ...acceptanceLimits, batch: 10, share: 3 })
    flood(at, 100)
    for (let seq = 1; seq <= 20; seq++) at.take('door', seq)
    vi.runAllTimers()
    const stored = at.commits.flat()
    const numbers = (device: string) =>
      stored.filter((id) => id.startsWith(device)).map((id) => Number(id.split('/')[1]))
    expect(numbers('flooder')).toEqual(Array.from({ length: 100 }, (_, index) => index + 1))
    expect(numbers('door')).toEqual(Array.from({ length: 20 }, (_, index) => index + 1))
  })

  test('gives way itself when too many wait; the others keep their place', () => {
    const at = desk({ ...acceptanceLimits, held: 100, share: 10 })
    at.fail(diskFull)
    flood(at, 99)
    at.take('door', 1)
    at.take('door', 2)
    expect(at.told.filter((line) => line.startsWith('lost door'))).toEqual([])
    expect(at.told.filter((line) => line.startsWith('lost flooder'))).toHaveLength(10)
    expect(at.told[0]).toMatch(/^lost flooder\/90: too many alarms of this device/)
  })

  test('is refused at the door when it is the one that has most waiting', () => {
    const at = desk({ ...acceptanceLimits, held: 100 })
    at.fail(diskFull)
    at.take('door', 1)
    flood(at, 100)
    expect(at.told).toEqual(['lost flooder/100: too many alarms wait for the store'])
  })
})
