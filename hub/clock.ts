import type { Clock } from './rules/clock.ts'

/** The machine's own time. `mono` is CLOCK_MONOTONIC in ms: it does not run while the machine sleeps. */
export const systemClock: Clock = {
  now: () => Date.now(),
  mono: () => performance.now(),
}
