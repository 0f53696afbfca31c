import type { Device } from '../../schema/device.ts'
import { deviceStates, StateReason } from '../../schema/state.ts'
import { silenceLimitMs, type SilenceRule } from '../../rules/status.ts'
import type { StormRule } from '../../rules/storm.ts'

/** State codes: positions in `deviceStates`. `absent` = no device has this index. */
export const codes = {
  up: deviceStates.indexOf('up'),
  degraded: deviceStates.indexOf('degraded'),
  down: deviceStates.indexOf('down'),
  unknown: deviceStates.indexOf('unknown'),
  excluded: deviceStates.indexOf('excluded'),
  uncommissioned: deviceStates.indexOf('uncommissioned'),
  absent: 255,
} as const

/** Reason codes: positions in this list. */
export const reasons = StateReason.options

/** In `trouble`: nothing is wrong. */
export const noTrouble = 255

/** Bits of `flags`. */
export const flag = {
  /** Declared maintenance. */
  excluded: 1,
  /** The storm guard withholds its verdict. */
  held: 2,
  /** Registered and never heard since. */
  fresh: 4,
  /** Was down when the observer went blind: its silence is no sign of a collapse. */
  missing: 8,
} as const

/**
 * Hot state of every device, one array per property, indexed by `n`. Times are monotonic ms unless
 * a comment says otherwise. 30,000 devices take 2 MB.
 */
export interface Fleet {
  /** One above the highest index. */
  size: number
  id: string[]
  code: Uint8Array
  reason: Uint8Array
  flags: Uint8Array
  /** Index in `reasons` of what is wrong, or `noTrouble`. */
  trouble: Uint8Array
  /** Start of the present state, epoch ms. */
  since: Float64Array
  seen: Float64Array
  watched: Float64Array
  lost: Float64Array
  heartbeat: Float64Array
  limit: Float64Array
  /** Silence after which the device is late for the storm guard. */
  late: Float64Array
  /** Expected beats per second. */
  rate: Float64Array
  /** Epoch ms, NaN = not commissioned. */
  commissionAt: Float64Array
}

const times = ['since', 'seen', 'watched', 'lost', 'heartbeat', 'limit', 'late'] as const

const none = () => new Float64Array(0)

/** A fleet without devices; `enlist` makes room. */
export function emptyFleet(): Fleet {
  return {
    size: 0,
    id: [],
    code: new Uint8Array(0),
    reason: new Uint8Array(0),
    flags: new Uint8Array(0),
    trouble: new Uint8Array(0),
    since: none(),
    seen: none(),
    watched: none(),
    lost: none(),
    heartbeat: none(),
    limit: none(),
    late: none(),
    rate: none(),
    commissionAt: none(),
  }
}

const bytes = (old: Uint8Array, length: number, value: number) => {
  const grown = new Uint8Array(length).fill(value)
  grown.set(old)
  return grown
}
const numbers = (old: Float64Array, length: number, value: number) => {
  const grown = new Float64Array(length).fill(value)
  grown.set(old)
  return grown
}

/** Makes room for index `n`; doubles, so that late registrations stay cheap. */
function reach(fleet: Fleet, n: number) {
  fleet.size = Math.max(fleet.size, n + 1)
  if (n < fleet.code.length) return
  const length = Math.max(64, n + 1, fleet.code.length * 2)
  fleet.code = bytes(fleet.code, length, codes.absent)
  fleet.reason = bytes(fleet.reason, length, 0)
  fleet.flags = bytes(fleet.flags, length, 0)
  fleet.trouble = bytes(fleet.trouble, length, noTrouble)
  for (const name of times) fleet[name] = numbers(fleet[name], length, -Infinity)
  fleet.rate = numbers(fleet.rate, length, 0)
  fleet.commissionAt = numbers(fleet.commissionAt, length, Number.NaN)
}

/** Writes what the registry says of a device into its slot; its state is left as it was. */
export function enlist(fleet: Fleet, device: Device, silence: SilenceRule, storm: StormRule) {
  const { n, heartbeatS } = device
  reach(fleet, n)
  fleet.id[n] = device.deviceId
  fleet.heartbeat[n] = heartbeatS * 1000
  const limitMs = silenceLimitMs(heartbeatS, silence)
  fleet.limit[n] = limitMs
  fleet.late[n] = (limitMs / silence.missedBeats) * storm.lateBeats
  fleet.rate[n] = 1 / heartbeatS
  fleet.commissionAt[n] = device.commissionedAt ?? Number.NaN
}
