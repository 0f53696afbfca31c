import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  addToStrip,
  emptyStrip,
  observedUntil,
  stripBinMs,
  stripBins,
  stripOf,
  stripSums,
  type StripInterval,
} from '../../hub/rules/strip.ts'
import { deviceStates, StripBin } from '../../hub/schema/state.ts'

const minute = 60_000
const day = { from: 0, to: 24 * 60 * minute, now: 24 * 60 * minute }
/** Up, degraded, down, unknown, excluded, uncommissioned, in minutes. */
const bin = (...minutes: number[]) =>
  Array.from({ length: deviceStates.length }, (_, code) => (minutes[code] ?? 0) * minute)
const interval = (state: StripInterval['state'], from: number, to: number | null) => ({
  state,
  from: from * minute,
  to: to === null ? null : to * minute,
})

describe('a day', () => {
  test('has 288 bins of five minutes', () => {
    const bins = stripOf([interval('up', 0, null)], day, 0)
    expect(bins).toHaveLength(288)
    expect(StripBin.array().parse(bins)).toEqual(Array.from({ length: 288 }, () => bin(5)))
    expect(stripBinMs).toBe(300_000)
  })

  test('cuts an interval at the edges of its bins', () => {
    const story = [interval('up', 0, 7), interval('down', 7, 12), interval('up', 12, null)]
    const bins = stripOf(story, { from: 0, to: 20 * minute, now: 20 * minute }, 0)
    expect(bins).toEqual([bin(5), bin(2, 0, 3), bin(3, 0, 2), bin(5)])
  })

  test('begins inside an interval and ends before the next', () => {
    const story = [interval('down', -100, 3), interval('up', 3, 500), interval('down', 500, null)]
    expect(stripOf(story, { from: 0, to: 5 * minute, now: day.now }, 0)).toEqual([bin(2, 0, 3)])
  })

  test('has a short last bin where its length is no multiple', () => {
    const window = { from: 0, to: 12 * minute, now: 12 * minute }
    expect(stripOf([interval('up', 0, null)], window, 0)).toEqual([bin(5), bin(5), bin(2)])
  })

  test('claims nothing for the future: its bins are all zero', () => {
    const window = { from: 0, to: 15 * minute, now: 7 * minute }
    expect(stripOf([interval('up', 0, null)], window, 0)).toEqual([bin(5), bin(2), bin()])
    expect(stripOf([interval('up', 0, 60)], window, 0)).toEqual([bin(5), bin(2), bin()])
  })

  test('is empty when it lies wholly in the future or has no length', () => {
    expect(stripOf([], { from: 10, to: 20, now: 0 }, 0)).toEqual([bin()])
    expect(stripOf([], { from: 10, to: 10, now: 20 }, 0)).toEqual([])
    expect(stripOf([], { from: 10, to: 5, now: 20 }, 0)).toEqual([])
  })
})

describe('time that no interval covers', () => {
  const window = { from: 0, to: 10 * minute, now: 10 * minute }

  test.each([
    ['never commissioned', null, [bin(0, 0, 0, 0, 0, 5), bin(0, 0, 0, 0, 0, 5)]],
    ['commissioned before', -5, [bin(0, 0, 0, 5), bin(0, 0, 0, 5)]],
    ['commissioned in it', 7 * minute, [bin(0, 0, 0, 0, 0, 5), bin(0, 0, 0, 3, 0, 2)]],
    ['commissioned after it', 99 * minute, [bin(0, 0, 0, 0, 0, 5), bin(0, 0, 0, 0, 0, 5)]],
  ])('%s', (_name, commissionedAt, expected) => {
    expect(stripOf([], window, commissionedAt)).toEqual(expected)
  })

  test('is unknown between two intervals and after the last', () => {
    const story = [interval('up', 0, 2), interval('up', 4, 8)]
    expect(stripOf(story, window, 0)).toEqual([bin(3, 0, 0, 2), bin(3, 0, 0, 2)])
  })

  test('before the first interval is uncommissioned until the date, then unknown', () => {
    expect(stripOf([interval('up', 4, null)], window, 2 * minute)).toEqual([
      bin(1, 0, 0, 2, 0, 2),
      bin(5),
    ])
  })
})

describe('an observer that stopped watching', () => {
  const window = { from: 0, to: 10 * minute, now: 10 * minute, observedTo: 4 * minute }

  test.each(['up', 'degraded', 'down'] as const)('leaves an open %s unknown from then', (state) => {
    const [first, second] = stripOf([interval(state, 0, null)], window, 0)
    expect(first![deviceStates.indexOf(state)]).toBe(4 * minute)
    expect(first![deviceStates.indexOf('unknown')]).toBe(minute)
    expect(second).toEqual(bin(0, 0, 0, 5))
  })

  test.each(['excluded', 'uncommissioned'] as const)('does not change a declared %s', (state) => {
    const sums = stripSums(stripFlat([interval(state, 0, null)]))
    expect(sums[deviceStates.indexOf(state)]).toBe(10 * minute)
  })

  test('does not undo an interval that has ended', () => {
    const [, second] = stripOf([interval('up', 0, 8), interval('down', 8, null)], window, 0)
    expect(second).toEqual(bin(3, 0, 0, 2))
  })

  test('that never lived leaves everything unknown', () => {
    const bins = stripOf([interval('up', 0, null)], { ...window, observedTo: -Infinity }, 0)
    expect(bins).toEqual([bin(0, 0, 0, 5), bin(0, 0, 0, 5)])
  })

  test.each([
    ['a fresh row vouches for the present', 985, 1000],
    ['a stale row vouches for itself', 984, 984],
    ['a row from the future is no reason for doubt', 1005, 1000],
  ])('%s', (_name, lifeAtS, expectedS) => {
    expect(observedUntil(lifeAtS * 1000, 1_000_000)).toBe(expectedS * 1000)
  })

  test('without any row nothing was observed', () => {
    expect(observedUntil(undefined, 1000)).toBe(-Infinity)
  })

  const stripFlat = (story: readonly StripInterval[]) => {
    const strip = emptyStrip(window)
    addToStrip(strip, window, story, 0)
    return strip
  }
})

describe('any intervals', () => {
  const time = fc.integer({ min: -500, max: 2500 })
  const story = fc.array(
    fc.record({
      state: fc.constantFrom(...deviceStates),
      from: time,
      to: fc.oneof(fc.constant(null), time),
    }),
    { maxLength: 12 },
  )
  const window = fc.record({
    from: fc.integer({ min: 0, max: 1000 }),
    to: fc.integer({ min: 0, max: 2000 }),
    now: fc.integer({ min: 0, max: 2000 }),
    binMs: fc.integer({ min: 1, max: 700 }),
  })
  const commissioned = fc.oneof(fc.constant(null), time)

  test('the six states sum to the elapsed part of the window, bin by bin, even where they overlap', () => {
    fc.assert(
      fc.property(story, window, commissioned, (rows, at, commissionedAt) => {
        const sorted = rows.toSorted((a, b) => a.from - b.from)
        for (const [index, one] of stripOf(sorted, at, commissionedAt).entries()) {
          const from = at.from + index * at.binMs
          const to = Math.min(from + at.binMs, at.to, at.now)
          expect(one.reduce((sum, ms) => sum + ms, 0)).toBe(Math.max(0, to - from))
          expect(Math.min(...one)).toBeGreaterThanOrEqual(0)
        }
      }),
    )
  })

  test("a region's strip is the sum of its devices' strips", () => {
    fc.assert(
      fc.property(fc.array(story, { maxLength: 5 }), window, (devices, at) => {
        const sorted = devices.map((rows) => rows.toSorted((a, b) => a.from - b.from))
        const region = emptyStrip(at)
        for (const rows of sorted) addToStrip(region, at, rows, 0)
        const single = sorted.map((rows) => stripOf(rows, at, 0))
        const summed = stripBins(emptyStrip(at)).map((zero, index) =>
          zero.map((_, code) => single.reduce((sum, bins) => sum + bins[index]![code]!, 0)),
        )
        expect(stripBins(region)).toEqual(summed)
      }),
    )
  })
})
