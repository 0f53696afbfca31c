import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { errors } from '../../hub/errors.ts'
import { counters } from '../../hub/intake/counters.ts'
import { clientsFor, openFileLimit } from '../../hub/intake/descriptors.ts'
import { pointBuffer } from '../../hub/intake/point-buffer.ts'
import { securityLog } from '../../hub/intake/security-log.ts'
import type { Point } from '../../hub/schema/metric.ts'
import type { AuditLine } from '../../hub/store/audit-store.ts'
import { fakeClock } from '../support/fake-clock.ts'

const log = pino({ level: 'silent' })
const point = (at: number): Point => ({
  series: 'heartbeat',
  deviceId: 'd',
  kind: 'contact',
  region: '339901001002',
  at,
  fields: { seq: at },
})

function points(limits = { slice: 10, most: 100 }) {
  const batches: number[] = []
  const count = counters()
  const state = { fails: false, hints: 0, pushedOut: 0 }
  const buffer = pointBuffer({
    metrics: {
      append(batch) {
        if (state.fails) throw errors.storeBusy()
        batches.push(batch.length)
        return state.pushedOut
      },
    },
    log,
    counters: count,
    written: () => {
      state.hints++
    },
    limits,
  })
  return { buffer, batches, state, count: (name: string) => count.read()[name] ?? 0 }
}

describe('points on their way to the spool', () => {
  test('are written by the slice as they come, the rest once a second', () => {
    const { buffer, batches, state } = points()
    for (let at = 0; at < 25; at++) buffer.add(point(at))
    expect(batches).toEqual([10, 10])
    buffer.flush()
    expect(batches).toEqual([10, 10, 5])
    buffer.flush()
    expect(batches).toEqual([10, 10, 5])
    expect(state.hints).toBe(3)
  })

  test('are held while the store fails, dropped and counted over the bound, none written twice', () => {
    const { buffer, batches, state, count } = points()
    state.fails = true
    for (let at = 0; at < 120; at++) buffer.add(point(at))
    expect(count('points_dropped')).toBe(20)
    state.fails = false
    for (let second = 0; second < 5; second++) buffer.flush()
    expect(batches.reduce((sum, size) => sum + size, 0)).toBe(100)
    expect(count('points_written')).toBe(100)
  })

  test('a long backlog is written a few slices at a time', () => {
    const { buffer, batches, state } = points({ slice: 10, most: 1000 })
    state.fails = true
    for (let at = 0; at < 500; at++) buffer.add(point(at))
    state.fails = false
    buffer.flush()
    expect(batches).toEqual([10, 10, 10, 10])
  })

  test('that the quota pushed out are counted', () => {
    const { buffer, state, count } = points()
    state.pushedOut = 7
    buffer.add(point(1))
    buffer.flush()
    expect(count('points_pushed_out')).toBe(7)
  })
})

function security() {
  const lines: AuditLine[] = []
  const quarantined: string[] = []
  const clock = fakeClock()
  const count = counters()
  const state = { fails: false }
  const events = securityLog({
    audit: {
      append(line) {
        if (state.fails) throw errors.storeBusy()
        return lines.push(line)
      },
    },
    registry: { quarantine: ({ clientId }) => void quarantined.push(clientId) },
    clock,
    log,
    counters: count,
  })
  return {
    events,
    lines,
    quarantined,
    clock,
    state,
    count: (name: string) => count.read()[name] ?? 0,
  }
}

describe('security events', () => {
  test('an unknown device leaves a quarantine row and an audit line', () => {
    const { events, lines, quarantined } = security()
    events.refused({ clientId: 'x', remote: '192.0.2.1', reason: 'unknown-device' })
    events.flush()
    expect(quarantined).toEqual(['x'])
    expect(lines).toMatchObject([
      {
        action: 'security.connect',
        actor: 'x',
        outcome: 'refused',
        detail: 'unknown-device from 192.0.2.1',
      },
    ])
  })

  test('other refusals leave an audit line alone', () => {
    const { events, lines, quarantined } = security()
    events.refused({ clientId: '', remote: '192.0.2.1', reason: 'empty-client-id' })
    events.flush()
    expect(quarantined).toEqual([])
    expect(lines).toHaveLength(1)
  })

  test('the same offence is one line a minute; the next says how many were left out', () => {
    const { events, lines, clock } = security()
    const offend = () =>
      events.forbidden({ clientId: 'd1', region: '339901001002', topic: 'x/y', what: 'publish' })
    for (let time = 0; time < 50; time++) offend()
    events.flush()
    clock.advance(61_000)
    offend()
    events.flush()
    expect(lines.map(({ detail }) => detail)).toEqual(['publish', 'publish; 49 more like it'])
  })

  test('a flood of different offenders is bounded per second and in memory', () => {
    const { events, lines, count } = security()
    for (let id = 0; id < 20_000; id++)
      events.refused({ clientId: `x${id}`, remote: 'r', reason: 'unknown-device' })
    events.flush()
    expect(lines.length).toBeLessThanOrEqual(5)
    expect(count('security_events_dropped')).toBe(20_000 - 100)
  })

  test('a busy store gets the line at the next flush, once', () => {
    const { events, lines, state, count } = security()
    state.fails = true
    events.forbidden({ clientId: 'd1', region: null, topic: 't', what: 'subscribe' })
    events.flush()
    state.fails = false
    events.flush()
    events.flush()
    expect(lines).toHaveLength(1)
    expect(count('security_write_failures')).toBe(1)
  })

  test('control and bidi characters of a client id never reach the audit', () => {
    const { events, lines } = security()
    events.refused({ clientId: 'a\u0000b\u202Ec', remote: 'r', reason: 'unknown-device' })
    events.flush()
    expect(lines[0]?.actor).toBe('a?b?c')
  })
})

describe('open files', () => {
  test('20,000 descriptors hold about 18,000 direct clients', () => {
    expect(clientsFor(20_000)).toBe(18_018)
    expect(clientsFor(100)).toBe(0)
  })

  test('the limit of this process is known', () => {
    expect(openFileLimit()).toBeGreaterThan(100)
  })
})
