import type { Interval } from '../schema/state.ts'

/** One change of a device's state: closes the open interval at `from` and opens this one. */
export type StateChange = Omit<Interval, 'to'>

/** A row of the hub's own life, each 10 s: from `from` to `at` intake was observing. */
export interface Life {
  from: number
  at: number
  /** Last sign of life per device index (`n`), epoch ms, 0 = never. */
  seen: Float64Array
}

/** Intervals and the hub's own life (`state.db`). */
export interface StateStore {
  /** One transaction. A change whose `from` lies before the open interval's start replaces it. */
  change(changes: readonly StateChange[]): void
  /** The open interval of every device. */
  current(): Interval[]
  /** Intervals that touch [from, to), by device then time. */
  between(deviceIds: readonly string[], from: number, to: number): Interval[]
  /** Opened intervals with sequence above the cursor, ascending. */
  since(change: number, limit: number): (Interval & { change: number })[]
  lastChange(): number
  /** Begins a life (start of intake) or renews its end. */
  live(life: Life): void
  /** The newest life, also of a run before this one. */
  lastLife(): Life | undefined
  close(): void
}
