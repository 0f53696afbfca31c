import type { Clock } from '../../rules/clock.ts'
import type { Watch } from './settle.ts'
import { wallOf } from './settle.ts'

/** Rows of the hub's own life: what later tells how long it was blind. */
export interface LifeRows {
  /** A new life from now: after the start, or after a time of blindness. */
  begin(): void
  /** Renews the row when it is due. */
  renew(): void
  /** Renews it now. */
  write(): void
}

/** @param everyMs between two rows, monotonic */
export function lifeRows(watch: Watch, clock: Clock, everyMs: number): LifeRows {
  let from = clock.now()
  let writtenAt = -Infinity

  const write = () => {
    // A wall clock that was set back never makes a life end before it began.
    const at = Math.max(from, clock.now())
    if (watch.journal.live(() => ({ from, at, seen: seenTimes(watch) }))) writtenAt = clock.mono()
  }
  return {
    begin: () => {
      from = clock.now()
      writtenAt = -Infinity
    },
    renew: () => {
      if (clock.mono() - writtenAt >= everyMs) write()
    },
    write,
  }
}

/** Last sign of life by device index, epoch ms, 0 = never. */
function seenTimes(watch: Watch): Float64Array {
  const { seen, size } = watch.fleet
  const times = new Float64Array(size)
  for (let n = 0; n < size; n++) if (seen[n]! > -Infinity) times[n] = wallOf(watch, seen[n]!)
  return times
}

/** Pairs (n, epoch ms) of devices seen at or after `from`, monotonic ms. */
export function seenPairs(watch: Watch, from: number): Float64Array {
  const { seen, size } = watch.fleet
  const pairs = new Float64Array(size * 2)
  let length = 0
  for (let n = 0; n < size; n++) {
    if (seen[n]! < from) continue
    pairs[length++] = n
    pairs[length++] = wallOf(watch, seen[n]!)
  }
  return pairs.slice(0, length)
}
