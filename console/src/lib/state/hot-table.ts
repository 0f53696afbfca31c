import type { SnapshotDevice } from '#schema/live.ts'
import { deltaWidth, deviceStates, stateReasons } from '../rules/wire.ts'

/**
 * Present state of a screen's devices in typed arrays by slot (row of the snapshot). Nothing here is
 * reactive: 30,000 devices must not be 30,000 proxies.
 */
export interface HotTable {
  readonly size: number
  readonly rows: readonly SnapshotDevice[]
  readonly state: Uint8Array
  readonly since: Float64Array
  readonly seen: Float64Array
  /** Device counts by state code, kept as changes come. */
  readonly counts: Int32Array
  /** Why the device is in its state; empty for a reason only a newer hub knows. */
  reasonOf: (slot: number) => string
  slotOf(n: number): number | undefined
  slotById(id: string): number | undefined
  /**
   * Applies one flat delta. Returns the slots whose state, its start or its reason changed.
   *
   * @param early the delta came before the snapshot did: what it says of an older state is passed over
   */
  apply(delta: readonly number[], early?: boolean): number[]
}

/** Stands for a reason that is not in this page's list. */
const unknownReason = 255
const codeOf = (reason: string) => {
  const code = stateReasons.findIndex((name) => name === reason)
  return code < 0 ? unknownReason : code
}

/** Lays out the table for a snapshot's devices. */
export function hotTable(rows: readonly SnapshotDevice[]): HotTable {
  const size = rows.length
  const state = new Uint8Array(size)
  const since = new Float64Array(size)
  const seen = new Float64Array(size)
  const reason = new Uint8Array(size)
  const counts = new Int32Array(deviceStates.length)
  const slots = new Map<number, number>()
  const ids = new Map<string, number>()
  rows.forEach((row, slot) => {
    state[slot] = row.state
    since[slot] = row.since
    seen[slot] = row.seen
    reason[slot] = codeOf(row.reason)
    counts[row.state] = (counts[row.state] ?? 0) + 1
    slots.set(row.n, slot)
    ids.set(row.id, slot)
  })

  function applyOne(slot: number, code: number, from: number, why: number): boolean {
    const before = state[slot] ?? 0
    if (before === code && since[slot] === from && reason[slot] === why) return false
    counts[before] = (counts[before] ?? 0) - 1
    counts[code] = (counts[code] ?? 0) + 1
    state[slot] = code
    since[slot] = from
    reason[slot] = why
    return true
  }

  return {
    size,
    rows,
    state,
    since,
    seen,
    counts,
    reasonOf: (slot) => stateReasons[reason[slot] ?? unknownReason] ?? '',
    slotOf: (n) => slots.get(n),
    slotById: (id) => ids.get(id),
    apply(delta, early = false) {
      const moved: number[] = []
      for (let i = 0; i + deltaWidth <= delta.length; i += deltaWidth) {
        const slot = slots.get(delta[i] ?? -1)
        if (slot === undefined) continue
        const [code = 3, from = 0, lastSeen = 0, why = unknownReason] = delta.slice(
          i + 1,
          i + deltaWidth,
        )
        if (lastSeen > (seen[slot] ?? 0)) seen[slot] = lastSeen
        // History may be corrected backwards (a start earlier than the one held), but not by old news.
        if (early && from < (since[slot] ?? 0)) continue
        if (applyOne(slot, code, from, why)) moved.push(slot)
      }
      return moved
    },
  }
}
