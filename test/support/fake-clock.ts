import type { Clock } from '../../hub/rules/clock.ts'

/** A clock that stands still until the test moves it. */
export interface FakeClock extends Clock {
  /** Moves wall and monotonic time forward together. */
  advance(ms: number): void
  /** Sets the wall clock alone: an NTP step, or a machine that slept. */
  stepWall(ms: number): void
  /** Advances in steps of one second and calls `each` after every step, as a role's timer would. */
  run(seconds: number, each: (second: number) => void): void
}

/** 2026-03-01 00:00 UTC and a monotonic clock with another start, so that mixing them up shows. */
export function fakeClock(now = 1_772_323_200_000, mono = 50_000): FakeClock {
  const advance = (ms: number) => {
    now += ms
    mono += ms
  }
  return {
    now: () => now,
    mono: () => mono,
    advance,
    stepWall: (ms) => {
      now += ms
    },
    run: (seconds, each) => {
      for (let second = 1; second <= seconds; second++) {
        advance(1000)
        each(second)
      }
    },
  }
}
