import { afterEach, expect, test } from 'vitest'
import { type TimerWheel, timerWheel } from '../../simulators/timer-wheel.ts'

let at = 0
let wheel: TimerWheel | undefined
afterEach(() => wheel?.close())

/** A wheel whose time the test turns; its own interval is too slow to take part. */
function turned() {
  at = 1_000
  const made = timerWheel({ now: () => at, tickMs: 50 })
  wheel = made
  const ran: string[] = []
  return {
    ran,
    after: (delayMs: number, name: string) => made.after(delayMs, () => ran.push(name)),
    to: (time: number) => {
      at = 1_000 + time
      made.advance()
    },
    wheel: made,
  }
}

test('a task runs once, when it is due and not before', () => {
  const { ran, after, to } = turned()
  after(120, 'a')
  to(119)
  expect(ran).toEqual([])
  to(120)
  expect(ran).toEqual(['a'])
  to(100_000)
  expect(ran).toEqual(['a'])
})

test('a delay of more than one turn waits all its turns', () => {
  const { ran, after, to } = turned()
  // 1,024 slots of 50 ms are one turn of 51.2 s.
  after(51_200 + 100, 'second turn')
  after(100, 'first turn')
  to(200)
  expect(ran).toEqual(['first turn'])
  to(51_200 + 99)
  expect(ran).toEqual(['first turn'])
  to(51_200 + 100)
  expect(ran).toEqual(['first turn', 'second turn'])
})

test('after a long sleep everything due runs', () => {
  const { ran, after, to } = turned()
  for (const delayMs of [10, 5_000, 60_000, 200_000]) after(delayMs, String(delayMs))
  to(1_000_000)
  expect(ran.toSorted()).toEqual(['10', '200000', '5000', '60000'])
})

test('a task called off does not run, and a task may plan the next', () => {
  const { ran, after, to, wheel: made } = turned()
  after(100, 'off')()
  made.after(50, () => after(50, 'planned'))
  to(60)
  to(120)
  expect(ran).toEqual(['planned'])
})
