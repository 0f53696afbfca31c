import type { DeviceState, StateReason } from '../schema/state.ts'

/** When silence becomes a verdict. */
export interface SilenceRule {
  /** Missed beats before a device counts as silent; 3 (GB/T 28181 practice, EN 50136 grade 4). */
  missedBeats: number
  /** Shorter heartbeats are judged as if they were this long, seconds. */
  leastHeartbeatS: number
}

/** The default: down after 3 missed beats, at the earliest after 180 s. */
export const silenceRule: SilenceRule = { missedBeats: 3, leastHeartbeatS: 60 }

/** Silence after which a device is judged, ms: 180,000 for a heartbeat of a minute or less. */
export const silenceLimitMs = (heartbeatS: number, rule: SilenceRule = silenceRule) =>
  Math.max(heartbeatS, rule.leastHeartbeatS) * rule.missedBeats * 1000

/** All that a verdict rests on. Times are ms of one monotonic clock; -Infinity = never. */
export interface Signs {
  now: number
  commissioned: boolean
  /** Declared maintenance, or not due. */
  excluded: boolean
  /** Since when the observer has watched this device without a break. */
  watchedFrom: number
  /** Last live packet. A retained or replayed one is none. */
  seenAt: number
  /** Last will of the device's current connection. */
  lostAt: number
  /** What is wrong with a device that does speak; null = nothing. */
  trouble: StateReason | null
  /** The observer itself is suspect, so silence proves nothing (storm guard). */
  suspended: boolean
  /** Registered, and not heard even once since. */
  fresh: boolean
  heartbeatMs: number
  limitMs: number
}

/** A state and the moment it began, which may lie before `now`. */
export interface Verdict {
  state: DeviceState
  reason: StateReason
  from: number
}

/**
 * The one decision of the six states: uncommissioned > excluded > unknown > down > degraded > up.
 *
 * What was heard before `watchedFrom` proves nothing about now. Silence becomes `down` when the
 * limit has run, from the first missed beat (last seen + heartbeat); where nothing was heard since
 * the watch began, from the end of the limit, because a beat cannot be missed by a blind observer.
 */
export function judge(signs: Signs): Verdict {
  const { now, seenAt, lostAt, watchedFrom, limitMs } = signs
  if (!signs.commissioned) return { state: 'uncommissioned', reason: 'new', from: now }
  if (signs.excluded) return { state: 'excluded', reason: 'maintenance', from: now }
  if (lostAt >= watchedFrom && lostAt >= seenAt)
    return { state: 'down', reason: 'lwt', from: lostAt }
  const heard = seenAt >= watchedFrom
  if (now - Math.max(seenAt, watchedFrom) < limitMs) {
    if (!heard) return { state: 'unknown', reason: signs.fresh ? 'new' : 'hub', from: watchedFrom }
    return signs.trouble
      ? { state: 'degraded', reason: signs.trouble, from: now }
      : { state: 'up', reason: 'alive', from: now }
  }
  const missedAt = seenAt + signs.heartbeatMs
  return signs.suspended
    ? { state: 'unknown', reason: 'hub', from: heard ? missedAt : watchedFrom }
    : { state: 'down', reason: 'silence', from: heard ? missedAt : watchedFrom + limitMs }
}
