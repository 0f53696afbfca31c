import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { levelOf, regionRange, scopeOf, within } from '../../hub/rules/scope.ts'

/** A county, township or village of GB/T 2260 + GB/T 10114: a real part is never all zeros. */
const part = fc.integer({ min: 1, max: 999 }).map((value) => String(value).padStart(3, '0'))
const county = fc.integer({ min: 110_101, max: 659_999 }).map(String)
const scope = fc.oneof(
  county,
  fc.tuple(county, part).map((parts) => parts.join('')),
  fc.tuple(county, part, part).map((parts) => parts.join('')),
)

describe('scope of a region code', () => {
  test.each([
    ['339901000000', '339901', 'county'],
    ['339901001000', '339901001', 'township'],
    ['339901100000', '339901100', 'township'],
    ['339901001001', '339901001001', 'village'],
    ['339901100100', '339901100100', 'village'],
    ['330000000000', '330000', 'county'],
  ])('%s -> %s, a %s', (code, expected, level) => {
    expect(scopeOf(code)).toBe(expected)
    expect(levelOf(expected)).toBe(level)
  })

  test('a scope written as a 12-digit code comes back', () => {
    fc.assert(
      fc.property(scope, (any) => {
        expect(scopeOf(any.padEnd(12, '0'))).toBe(any)
      }),
    )
  })
})

describe('range of a scope', () => {
  test.each([
    ['339901', '339901000000', '339901999999'],
    ['339901001', '339901001000', '339901001999'],
    ['339901001001', '339901001001', '339901001001'],
  ])('%s is %s to %s', (any, from, to) => {
    expect(regionRange(any)).toEqual({ from, to })
  })

  test('holds exactly the codes within the scope', () => {
    const near = fc.tuple(scope, scope, fc.boolean()).map(([own, other, same]) => ({
      own,
      code: (same ? own : other).padEnd(12, '5'),
    }))
    fc.assert(
      fc.property(near, ({ own, code }) => {
        const { from, to } = regionRange(own)
        expect(code >= from && code <= to).toBe(within(code, own))
      }),
    )
  })
})
