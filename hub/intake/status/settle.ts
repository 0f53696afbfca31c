import { judge, type SilenceRule, type Verdict } from '../../rules/status.ts'
import type { StormRule } from '../../rules/storm.ts'
import type { Device } from '../../schema/device.ts'
import type { Interval } from '../../schema/state.ts'
import type { Life } from '../../store/state-store.ts'
import { codes, enlist, flag, reasons, type Fleet } from './fleet.ts'
import type { StateJournal } from './journal.ts'

/** What the parts of the engine share. */
export interface Watch {
  fleet: Fleet
  journal: StateJournal
  /** Epoch ms minus monotonic ms; taken anew each tick, so that a slewed wall clock is followed. */
  offset: number
  /** Epoch ms of the last proof that the observer was awake. */
  provedAt: number
  /** Monotonic ms at which the storm guard last saw a collapse; -Infinity = all is well. */
  stormAt: number
}

/** The thresholds every verdict rests on. */
export interface Rules {
  silence: SilenceRule
  storm: StormRule
}

/** True when a device has this index. */
export const known = (fleet: Fleet, n: number) => n < fleet.size && fleet.code[n] !== codes.absent

/** Epoch ms of a monotonic moment. */
export const wallOf = (watch: Watch, mono: number) => Math.round(mono + watch.offset)

/** First packet of a device that was not up: clears what only silence had proved. */
export function hear(watch: Watch, n: number, at: number) {
  const { fleet } = watch
  if (!known(fleet, n)) return
  fleet.lost[n] = -Infinity
  fleet.flags[n] = fleet.flags[n]! & ~(flag.held | flag.fresh | flag.missing)
  settle(watch, n, at)
}

/** Judges one device now and writes the change, if there is one. */
export function settle(watch: Watch, n: number, at: number, blindFrom?: number) {
  const { fleet } = watch
  const verdict = judge({
    now: at,
    commissioned: fleet.commissionAt[n]! <= wallOf(watch, at),
    excluded: (fleet.flags[n]! & flag.excluded) !== 0,
    watchedFrom: fleet.watched[n]!,
    seenAt: fleet.seen[n]!,
    lostAt: fleet.lost[n]!,
    trouble: reasons[fleet.trouble[n]!] ?? null,
    suspended: (fleet.flags[n]! & flag.held) !== 0,
    fresh: (fleet.flags[n]! & flag.fresh) !== 0,
    heartbeatMs: fleet.heartbeat[n]!,
    limitMs: fleet.limit[n]!,
  })
  if (codes[verdict.state] === fleet.code[n]) return
  const from = beginning(watch, n, verdict, at, blindFrom)
  fleet.code[n] = codes[verdict.state]
  fleet.reason[n] = reasons.indexOf(verdict.reason)
  fleet.since[n] = from
  watch.journal.write({
    deviceId: fleet.id[n]!,
    from,
    state: verdict.state,
    reason: verdict.reason,
  })
}

/** Epoch ms at which a new state begins: never before the state it follows. */
function beginning(watch: Watch, n: number, verdict: Verdict, at: number, blindFrom?: number) {
  const { fleet, provedAt } = watch
  const code = fleet.code[n]!
  const now = wallOf(watch, at)
  const since = fleet.since[n]!
  if (code === codes.absent) return now
  // Maintenance covered whatever silence there was before its end.
  if (code === codes.excluded) return Math.max(since, now)
  // Due at a planned moment since the last tick; a date set in the past counts from now on.
  if (code === codes.uncommissioned)
    return Math.max(since, Math.min(now, Math.max(provedAt, fleet.commissionAt[n]!)))
  if (blindFrom !== undefined && verdict.state === 'unknown') return Math.max(since, blindFrom)
  return Math.max(since, wallOf(watch, verdict.from))
}

/** The observer saw nothing from `blindFrom` (epoch ms) until now: what was heard before is void. */
export function blind(watch: Watch, at: number, blindFrom: number) {
  const { fleet } = watch
  watch.stormAt = -Infinity
  for (let n = 0; n < fleet.size; n++) {
    if (!known(fleet, n)) continue
    fleet.watched[n] = at
    fleet.flags[n]! &= ~flag.held
    if (fleet.code[n] === codes.down) fleet.flags[n]! |= flag.missing
    settle(watch, n, at, blindFrom)
  }
}

/** A device the engine did not know, or new settings of one it does. */
export function register(watch: Watch, device: Device, rules: Rules, at: number) {
  const { fleet } = watch
  const { n } = device
  const isNew = !known(fleet, n)
  enlist(fleet, device, rules.silence, rules.storm)
  if (isNew) {
    fleet.flags[n] = flag.fresh
    fleet.watched[n] = at
  }
  settle(watch, n, at)
}

/**
 * Takes over what the last life left: open intervals and last-seen times. Whatever a device was,
 * it is `unknown` from the end of that life.
 */
export function restore(
  watch: Watch,
  left: { devices: readonly Device[]; open: readonly Interval[]; life: Life | undefined },
  rules: Rules,
  at: number,
) {
  const { fleet } = watch
  const open = new Map(left.open.map((interval) => [interval.deviceId, interval]))
  const now = wallOf(watch, at)
  watch.provedAt = Math.min(left.life?.at ?? now, now)
  for (const device of left.devices) {
    const { n } = device
    enlist(fleet, device, rules.silence, rules.storm)
    fleet.watched[n] = at
    const epoch = left.life?.seen[n] ?? 0
    // Kept for display; always before the watch, so that it is never a sign of life now.
    if (epoch > 0) fleet.seen[n] = Math.min(epoch - watch.offset, at - 1)
    const before = open.get(device.deviceId)
    if (before) resume(fleet, n, before)
    else fleet.flags[n] = flag.fresh
    settle(watch, n, at, watch.provedAt)
  }
}

function resume(fleet: Fleet, n: number, before: Interval) {
  fleet.code[n] = codes[before.state]
  fleet.reason[n] = reasons.indexOf(before.reason)
  fleet.since[n] = before.from
  if (before.state === 'excluded') fleet.flags[n] = flag.excluded
  if (before.state === 'down') fleet.flags[n] = flag.missing
  if (before.reason === 'new') fleet.flags[n] = flag.fresh
}
