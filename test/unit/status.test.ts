import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { judge, silenceLimitMs, type Signs } from '../../hub/rules/status.ts'
import { collapsed, recovered, type Hearing } from '../../hub/rules/storm.ts'
import { deviceStates } from '../../hub/schema/state.ts'

const minute = 60_000
const signs = (over: Partial<Signs> = {}): Signs => ({
  now: 1000 * minute,
  commissioned: true,
  excluded: false,
  watchedFrom: 0,
  seenAt: 1000 * minute,
  lostAt: -Infinity,
  trouble: null,
  suspended: false,
  fresh: false,
  heartbeatMs: minute,
  limitMs: 3 * minute,
  ...over,
})
const ago = (minutes: number) => (1000 - minutes) * minute
const blind = { watchedFrom: ago(1), seenAt: ago(2) }

describe('silence limit', () => {
  test.each([
    ['a lamp of one minute', 60, 180_000],
    ['a talkative panel is judged like one of a minute', 10, 180_000],
    ['a camera of five minutes', 300, 900_000],
    ['a battery contact of six hours', 21_600, 64_800_000],
  ])('%s', (_name, heartbeatS, expected) => {
    expect(silenceLimitMs(heartbeatS)).toBe(expected)
  })

  test('is a setting', () => {
    expect(silenceLimitMs(5, { missedBeats: 2, leastHeartbeatS: 1 })).toBe(10_000)
  })
})

describe('one verdict', () => {
  test.each([
    ['heard now', {}, 'up', 'alive'],
    ['heard with something wrong', { trouble: 'stream' }, 'degraded', 'stream'],
    ['silent for less than the limit', { seenAt: ago(2.9) }, 'up', 'alive'],
    ['silent for the limit', { seenAt: ago(3) }, 'down', 'silence'],
    ['silent with trouble', { seenAt: ago(3), trouble: 'stream' }, 'down', 'silence'],
    ['last will', { lostAt: ago(0), seenAt: ago(1) }, 'down', 'lwt'],
    ['heard after its last will', { lostAt: ago(2), seenAt: ago(1) }, 'up', 'alive'],
    ['last will of an earlier watch', { ...blind, lostAt: ago(2) }, 'unknown', 'hub'],
    ['heard only before the watch began', blind, 'unknown', 'hub'],
    [
      'new and not heard',
      { watchedFrom: ago(1), seenAt: -Infinity, fresh: true },
      'unknown',
      'new',
    ],
    [
      'not heard for the limit of the watch',
      { watchedFrom: ago(3), seenAt: ago(9) },
      'down',
      'silence',
    ],
    ['silent while the observer is suspect', { seenAt: ago(3), suspended: true }, 'unknown', 'hub'],
    ['heard while the observer is suspect', { suspended: true }, 'up', 'alive'],
    ['maintenance of a live device', { excluded: true }, 'excluded', 'maintenance'],
    ['maintenance of a silent device', { excluded: true, seenAt: 0 }, 'excluded', 'maintenance'],
    ['maintenance while blind', { ...blind, excluded: true }, 'excluded', 'maintenance'],
    ['not commissioned', { commissioned: false }, 'uncommissioned', 'new'],
    [
      'not commissioned in maintenance',
      { commissioned: false, excluded: true },
      'uncommissioned',
      'new',
    ],
  ] as const)('%s: %o -> %s (%s)', (_name, over, state, reason) => {
    expect(judge(signs(over))).toMatchObject({ state, reason })
  })

  test.each([
    ['silence begins with the first missed beat', { seenAt: ago(3) }, ago(2)],
    [
      'a long heartbeat is missed later',
      { seenAt: ago(9), heartbeatMs: 3 * minute, limitMs: 9 * minute },
      ago(6),
    ],
    ['a last will counts from its receipt', { lostAt: ago(1), seenAt: ago(2) }, ago(1)],
    [
      'never heard in this watch: down when the limit has run',
      { watchedFrom: ago(5), seenAt: 0 },
      ago(2),
    ],
    [
      'withheld silence begins with the first missed beat too',
      { seenAt: ago(3), suspended: true },
      ago(2),
    ],
    ['blindness counts from the start of the watch', blind, ago(1)],
    ['being up counts from now', {}, ago(0)],
  ] as const)('%s', (_name, over, from) => {
    expect(judge(signs(over)).from).toBe(from)
  })

  const anySigns = fc.record({
    now: fc.constant(1000 * minute),
    commissioned: fc.boolean(),
    excluded: fc.boolean(),
    watchedFrom: fc.integer({ min: 0, max: 1000 * minute }),
    seenAt: fc.oneof(fc.constant(-Infinity), fc.integer({ min: 0, max: 1000 * minute })),
    lostAt: fc.oneof(fc.constant(-Infinity), fc.integer({ min: 0, max: 1000 * minute })),
    trouble: fc.constantFrom(null, 'stream' as const),
    suspended: fc.boolean(),
    fresh: fc.boolean(),
    heartbeatMs: fc.constantFrom(minute, 5 * minute),
    limitMs: fc.constantFrom(3 * minute, 15 * minute),
  })

  test('never claims a state that begins in the future', () => {
    fc.assert(
      fc.property(anySigns, (any) => {
        expect(judge(any).from).toBeLessThanOrEqual(any.now)
      }),
    )
  })

  test('what was heard before the watch never makes a device up', () => {
    fc.assert(
      fc.property(anySigns, (any) => {
        const { state } = judge({ ...any, seenAt: any.watchedFrom - 1 })
        expect(['up', 'degraded']).not.toContain(state)
      }),
    )
  })

  test('a suspect observer never says that silence is down', () => {
    fc.assert(
      fc.property(anySigns, (any) => {
        const verdict = judge({ ...any, suspended: true })
        expect(verdict).not.toMatchObject({ state: 'down', reason: 'silence' })
      }),
    )
  })

  test('a declaration outranks every sign', () => {
    fc.assert(
      fc.property(anySigns, (any) => {
        const rank = deviceStates.indexOf(judge(any).state)
        const expected = any.commissioned ? (any.excluded ? 4 : rank) : 5
        expect(rank).toBe(expected)
      }),
    )
  })
})

const hearing = (over: Partial<Hearing>): Hearing => ({
  aliveRate: 0,
  lateRate: 0,
  lateDevices: 0,
  heldRate: 0,
  heldDevices: 0,
  ...over,
})

describe('storm guard', () => {
  test.each([
    ['everybody late', { lateRate: 500, lateDevices: 30_000 }, true],
    ['half is not more than half', { aliveRate: 10, lateRate: 10, lateDevices: 600 }, false],
    ['a little more than half', { aliveRate: 10, lateRate: 10.1, lateDevices: 600 }, true],
    ['one hundred of thirty thousand', { aliveRate: 498, lateRate: 2, lateDevices: 100 }, false],
    ['a village of nineteen devices', { lateRate: 1, lateDevices: 19 }, false],
    [
      'battery contacts do not hide the lamps',
      { aliveRate: 0.6, lateRate: 200, lateDevices: 12_000 },
      true,
    ],
    ['nobody at all', {}, false],
  ])('%s: collapse %#', (_name, over, expected) => {
    expect(collapsed(hearing(over))).toBe(expected)
  })

  test.each([
    ['half of all is heard again', { aliveRate: 10, lateRate: 4, heldRate: 6 }, true],
    ['less than half is heard', { aliveRate: 9, lateRate: 4, heldRate: 6 }, false],
    ['nobody is left to wait for', {}, true],
  ])('%s: recovery %#', (_name, over, expected) => {
    expect(recovered(hearing(over))).toBe(expected)
  })

  test('no moment is collapse and recovery at once', () => {
    const rate = fc.double({ min: 0, max: 1000, noNaN: true })
    const any = fc.record({
      aliveRate: rate,
      lateRate: rate,
      lateDevices: fc.nat(30_000),
      heldRate: rate,
      heldDevices: fc.nat(30_000),
    })
    fc.assert(
      fc.property(any, (one) => {
        expect(collapsed(one) && recovered(one)).toBe(false)
      }),
    )
  })
})
