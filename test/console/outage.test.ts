import { expect, test } from 'vitest'
import { outageOf, type Fault } from '../../console/src/lib/rules/outage.ts'
import { noon } from './support/fakes.ts'

const fault = (since: number, change: Partial<Fault> = {}): Fault => ({
  state: 'down',
  reason: 'silence',
  region: '339901001001',
  since,
  ...change,
})
const many = (count: number, change: (at: number) => Partial<Fault> = () => ({})) =>
  Array.from({ length: count }, (_, at) => fault(noon + at * 1000, change(at)))

test('a township without power is one thing: how many, in how many villages, since when', () => {
  const faults = many(72, (at) => ({ region: `33990100100${at % 6}` }))
  expect(outageOf([fault(noon - 7_200_000), ...faults])).toEqual({
    state: 'down',
    reason: 'silence',
    since: noon,
    devices: 72,
    villages: 6,
  })
})

test.each([
  ['few devices', many(4)],
  ['faults spread over hours', many(12, (at) => ({ since: noon + at * 600_000 }))],
  ['unlike reasons', many(8, (at) => ({ reason: at % 2 ? 'lwt' : 'auth' })).slice(0, 8)],
  ['a small part of all', [...many(6), ...many(30, (at) => ({ since: at * 600_000 }))]],
  ['none', []],
])('%s are not told as one outage', (_what, faults) => {
  expect(outageOf(faults)).toBeUndefined()
})
