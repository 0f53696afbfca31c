import type { Clock } from '../rules/clock.ts'

/** Counts tries per key in a sliding minute; bounded, oldest keys out first. */
export interface TryLimit {
  /** True when this try is still within the limit; a refused one is not counted again. */
  take(key: string): boolean
}

/** `max` tries per key in any 60 s of the monotonic clock; remembers at most `keysMax` keys. */
export function tryLimit(clock: Clock, max: number, keysMax = 10_000): TryLimit {
  const windowMs = 60_000
  const tries = new Map<string, number[]>()
  return {
    take(key) {
      const now = clock.mono()
      const recent = (tries.get(key) ?? []).filter((at) => now - at < windowMs)
      // Re-inserting keeps the map in order of use, so the first key is the oldest.
      tries.delete(key)
      if (tries.size >= keysMax) {
        const oldest = tries.keys().next().value
        if (oldest !== undefined) tries.delete(oldest)
      }
      const allowed = recent.length < max
      if (allowed) recent.push(now)
      tries.set(key, recent)
      return allowed
    },
  }
}
