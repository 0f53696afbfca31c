import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { figuresOf, percentText, seenText } from '../../hub/rules/figures.ts'

const hour = 3_600_000
const hours = (...each: number[]) => each.map((value) => value * hour)

describe('the three figures', () => {
  test('of the scripted day: 20 h up, 2 h down, 1 h unknown, 1 h excluded', () => {
    expect(figuresOf(hours(20, 0, 2, 1, 1, 0))).toEqual({
      seen: 90.9,
      observed: 95.65,
      assured: 86.95,
      intact: 86.95,
      noFaultSeen: false,
      ranked: true,
    })
  })

  test.each([
    ['always up', hours(24, 0, 0, 0, 0, 0), [100, 100, 100, 100]],
    [
      'degraded counts as seen and online, not as intact',
      hours(12, 12, 0, 0, 0, 0),
      [100, 100, 100, 50],
    ],
    ['always down', hours(0, 0, 24, 0, 0, 0), [0, 100, 0, 0]],
    ['never watched', hours(0, 0, 0, 24, 0, 0), [null, 0, 0, 0]],
    ['always in maintenance', hours(0, 0, 0, 0, 24, 0), [null, null, null, null]],
    ['never commissioned', hours(0, 0, 0, 0, 0, 24), [null, null, null, null]],
    ['no time at all', [], [null, null, null, null]],
  ])('%s', (_name, sums, expected) => {
    const { seen, observed, assured, intact } = figuresOf(sums)
    expect([seen, observed, assured, intact]).toEqual(expected)
  })

  test('99.999 % is never printed as 100', () => {
    expect(figuresOf([99_999, 0, 1, 0, 0, 0]).seen).toBe(99.99)
  })

  test('one lost millisecond of a county month still shows', () => {
    // 30,000 devices x 30 days in ms: part x 10,000 would leave the range of doubles.
    const month = 30_000 * 30 * 24 * hour
    expect(figuresOf([month - 1, 0, 1, 0, 0, 0]).seen).toBe(99.99)
    expect(figuresOf([month, 0, 0, 0, 0, 0]).seen).toBe(100)
  })

  test('a fraction of a millisecond is rounded down like all else', () => {
    expect(figuresOf([0.5, 0, 0, 0, 0, 0]).seen).toBe(0)
  })

  test('groups sum time and never average percentages', () => {
    const watched = hours(24, 0, 0, 0, 0, 0)
    const hardly = hours(0, 0, 1, 23, 0, 0)
    const group = watched.map((ms, code) => ms + hardly[code]!)
    expect(figuresOf(group).seen).toBe(96)
  })

  test.each([
    ['95 % watched is ranked', hours(95, 0, 0, 5, 0, 0), true],
    ['a little less is not', [...hours(95, 0, 0, 5).with(3, 5 * hour + 1), 0, 0], false],
    ['nothing due is not', hours(0, 0, 0, 0, 24, 0), false],
  ])('%s', (_name, sums, expected) => {
    expect(figuresOf(sums).ranked).toBe(expected)
  })
})

describe('in words', () => {
  test.each([
    [90.9, '90.90 %'],
    [100, '100.00 %'],
    [0, '0.00 %'],
    [86.95, '86.95 %'],
    [null, '-'],
  ])('%j prints as %s', (value, text) => {
    expect(percentText(value)).toBe(text)
  })

  test.each([
    ['nothing down and all watched', hours(24, 0, 0, 0, 0, 0), '100.00 %'],
    ['nothing down, not all watched', hours(23, 0, 0, 1, 0, 0), 'no fault seen; at least 95.83 %'],
    ['one ms not watched', [24 * hour, 0, 0, 1, 0, 0], 'no fault seen; at least 99.99 %'],
    ['something down', hours(22, 0, 1, 1, 0, 0), '95.65 %'],
    ['nothing watched', hours(0, 0, 0, 24, 0, 0), '-'],
  ])('%s', (_name, sums, text) => {
    expect(seenText(figuresOf(sums))).toBe(text)
  })
})

describe('any sums', () => {
  const sums = fc.array(fc.integer({ min: 0, max: 10 ** 12 }), { minLength: 6, maxLength: 6 })

  test('are rounded down, never up, and lie between 0 and 100', () => {
    fc.assert(
      fc.property(sums, (any) => {
        const { seen, observed, assured, intact } = figuresOf(any)
        for (const value of [seen, observed, assured, intact]) {
          expect(value ?? 0).toBeGreaterThanOrEqual(0)
          expect(value ?? 0).toBeLessThanOrEqual(100)
          expect(percentText(value)).toMatch(/^(-|\d{1,3}\.\d\d %)$/)
        }
        const [up = 0, degraded = 0, down = 0] = any
        const exact = (100 * (up + degraded)) / (up + degraded + down)
        expect(seen ?? 0).toBeLessThanOrEqual(Number.isNaN(exact) ? 0 : exact + 1e-9)
      }),
    )
  })

  test('assured never exceeds seen or observed: unknown time helps nobody', () => {
    fc.assert(
      fc.property(sums, (any) => {
        const { seen, observed, assured } = figuresOf(any)
        expect(assured ?? 0).toBeLessThanOrEqual(seen ?? 100)
        expect(assured ?? 0).toBeLessThanOrEqual(observed ?? 100)
      }),
    )
  })

  test('100 % is only printed where not a millisecond was lost', () => {
    fc.assert(
      fc.property(sums, (any) => {
        const { seen, observed } = figuresOf(any)
        expect(seen === 100 && any[2]! > 0).toBe(false)
        expect(observed === 100 && any[3]! > 0).toBe(false)
      }),
    )
  })
})
