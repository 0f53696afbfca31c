import { expect, test } from 'vitest'
import { counters } from '../../hub/intake/counters.ts'
import { readings } from '../../hub/intake/readings.ts'
import type { CanonicalRecord } from '../../hub/schema/record.ts'

const reading = (name: string, value: number): CanonicalRecord => ({
  type: 'telemetry',
  name,
  value,
  unit: '1',
})

const desk = () => {
  const count = counters()
  return { ...readings(count), refused: () => count.read()['readings_refused'] ?? 0 }
}

test('readings and states of a message are its fields; what is neither is none', () => {
  const { fields } = desk()
  const state: CanonicalRecord = { type: 'state', name: 'open', value: true }
  const alive: CanonicalRecord = { type: 'health', status: 'alive' }
  expect(fields(1, [reading('rssi', -60), state, alive])).toEqual({ rssi: -60, open: true })
  expect(fields(1, [alive])).toBeUndefined()
})

test('a device that invents names gets 64 of them, and keeps those', () => {
  const { fields, refused } = desk()
  const invented = Array.from({ length: 500 }, (_, i) => reading(`x${i}`, i))
  expect(Object.keys(fields(1, invented) ?? {})).toHaveLength(64)
  expect(refused()).toBe(436)
  expect(fields(1, [reading('x63', 7), reading('x64', 7)])).toEqual({ x63: 7 })
})

test('another device has names of its own', () => {
  const { fields } = desk()
  fields(
    1,
    Array.from({ length: 500 }, (_, i) => reading(`x${i}`, i)),
  )
  expect(fields(2, [reading('batt', 90)])).toEqual({ batt: 90 })
})

test.each([1e308, -1e308, Number.POSITIVE_INFINITY, Number.NaN])(
  'a value of %d is refused: its sum would be infinite',
  (value) => {
    const { fields, refused } = desk()
    expect(fields(1, [reading('v', value), reading('w', 3.4e38)])).toEqual({ w: 3.4e38 })
    expect(refused()).toBe(1)
  },
)
