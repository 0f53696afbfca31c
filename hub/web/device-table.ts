import type { Device } from '../schema/device.ts'
import { stateReasons } from '../schema/live.ts'
import type { DeviceState, StateCounts, StateReason } from '../schema/state.ts'
import { deviceStates } from '../schema/state.ts'

/** Codes of the states in typed arrays and deltas. */
export const codeOf = (state: DeviceState) => deviceStates.indexOf(state)
const unknownCode = codeOf('unknown')
const uncommissionedCode = codeOf('uncommissioned')

/** A device's present, as the intervals tell it. */
export interface Present {
  state: DeviceState
  reason: StateReason
  since: number
  /** Last sign of life, epoch ms; 0 = never. */
  seen: number
}

/** Present state of every device in typed arrays by `n`, with counts per village kept incrementally. */
export interface DeviceTable {
  readonly size: number
  device(n: number): Device | undefined
  byId(deviceId: string): Device | undefined
  present(n: number): Present
  code(n: number): number
  /** Position of the reason in `stateReasons`. */
  reasonCode(n: number): number
  since(n: number): number
  seen(n: number): number
  /** Indexes of the devices of a village. */
  inVillage(code: string): readonly number[]
  /** Six counts of a village, in the order of `deviceStates`; a live view, not a copy. */
  villageCounts(code: string): ArrayLike<number>
  /** Notes a state; false when nothing changed or the device is unknown. */
  setState(deviceId: string, state: DeviceState, reason: StateReason, since: number): boolean
  /** Notes a sign of life; false when it is not newer. */
  setSeen(n: number, at: number): boolean
}

const noCounts = new Int32Array(deviceStates.length)

const bump = (counts: Int32Array, code: number, by: number) => {
  counts[code] = (counts[code] ?? 0) + by
}

/** Lays out the table for these devices; `from` gives what an older table knew. */
export function deviceTable(devices: readonly Device[], from?: DeviceTable): DeviceTable {
  const size = devices.reduce((top, { n }) => Math.max(top, n + 1), 0)
  const rows: (Device | undefined)[] = Array.from({ length: size })
  const codes = new Uint8Array(size)
  const sinces = new Float64Array(size)
  const seens = new Float64Array(size)
  const reasons: StateReason[] = Array.from({ length: size }, () => 'new')
  const index = new Map<string, number>()
  const villages = new Map<string, { members: number[]; counts: Int32Array }>()

  function villageOf(code: string) {
    let village = villages.get(code)
    if (!village) {
      village = { members: [], counts: new Int32Array(deviceStates.length) }
      villages.set(code, village)
    }
    return village
  }
  function place(device: Device) {
    const { n, deviceId, region, commissionedAt } = device
    const old = from?.byId(deviceId)
    const before = old && from?.present(old.n)
    rows[n] = device
    index.set(deviceId, n)
    codes[n] = before
      ? codeOf(before.state)
      : commissionedAt === null
        ? uncommissionedCode
        : unknownCode
    sinces[n] = before?.since ?? commissionedAt ?? 0
    seens[n] = before?.seen ?? 0
    reasons[n] = before?.reason ?? 'new'
    const village = villageOf(region)
    village.members.push(n)
    bump(village.counts, codes[n] ?? unknownCode, 1)
  }
  for (const device of devices) place(device)

  return {
    size,
    device: (n) => rows[n],
    byId(deviceId) {
      const n = index.get(deviceId)
      return n === undefined ? undefined : rows[n]
    },
    present: (n) => ({
      state: deviceStates[codes[n] ?? unknownCode] ?? 'unknown',
      reason: reasons[n] ?? 'new',
      since: sinces[n] ?? 0,
      seen: seens[n] ?? 0,
    }),
    code: (n) => codes[n] ?? unknownCode,
    reasonCode: (n) => stateReasons.indexOf(reasons[n] ?? 'new'),
    since: (n) => sinces[n] ?? 0,
    seen: (n) => seens[n] ?? 0,
    inVillage: (code) => villages.get(code)?.members ?? [],
    villageCounts: (code) => villages.get(code)?.counts ?? noCounts,
    setState(deviceId, state, reason, since) {
      const n = index.get(deviceId)
      const device = n === undefined ? undefined : rows[n]
      if (n === undefined || !device) return false
      const code = codeOf(state)
      if (codes[n] === code && sinces[n] === since && reasons[n] === reason) return false
      const { counts } = villageOf(device.region)
      bump(counts, codes[n] ?? unknownCode, -1)
      bump(counts, code, 1)
      codes[n] = code
      sinces[n] = since
      reasons[n] = reason
      return true
    },
    setSeen(n, at) {
      if (!(n >= 0 && n < size) || !(at >= (seens[n] ?? 0) + 1)) return false
      seens[n] = Math.trunc(at)
      return true
    },
  }
}

/** Six counts as the schema's object. */
export const asCounts = (six: ArrayLike<number>): StateCounts => ({
  up: six[0] ?? 0,
  degraded: six[1] ?? 0,
  down: six[2] ?? 0,
  unknown: six[3] ?? 0,
  excluded: six[4] ?? 0,
  uncommissioned: six[5] ?? 0,
})
