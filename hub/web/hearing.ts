import type { Clock } from '../rules/clock.ts'

/** What the bus's `seen` message tells of intake: that it lives, and how much it hears. */
export interface Hearing {
  /** Takes one message, pairs of (device index, epoch ms) as Float64Array bytes, and hands them on. */
  hear(body: Uint8Array, seen: (n: number, at: number) => void): void
  /** Notes a sign of life read from the life row. */
  lived(at: number): void
  /** Intake's last sign of life, epoch ms. */
  at(): number | null
  /** Devices heard in the last full second. */
  perSecond(): number
}

/** Counts per second of the monotonic clock. */
export function hearing(clock: Clock): Hearing {
  let lastAt: number | null = null
  let second = -1
  let count = 0
  let before = 0
  const secondNow = () => Math.floor(clock.mono() / 1000)
  function turn() {
    const now = secondNow()
    if (now === second) return
    before = now === second + 1 ? count : 0
    second = now
    count = 0
  }
  return {
    hear(body, seen) {
      turn()
      lastAt = Math.max(lastAt ?? 0, clock.now())
      const pairs = Math.floor(body.byteLength / 16)
      count += pairs
      // A copy, because the body's offset need not be a multiple of 8.
      const numbers = new Float64Array(body.slice(0, pairs * 16).buffer)
      for (let i = 0; i < numbers.length; i += 2) seen(numbers[i] ?? -1, numbers[i + 1] ?? 0)
    },
    lived(at) {
      lastAt = Math.max(lastAt ?? 0, at)
    },
    at: () => lastAt,
    perSecond() {
      turn()
      // Intake speaks once a second, so one of the two seconds may hold its message.
      return Math.max(before, count)
    },
  }
}
