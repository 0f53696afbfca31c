import { errors } from '../../hub/errors.ts'
import type { Interval } from '../../hub/schema/state.ts'
import type { Life, StateChange, StateStore } from '../../hub/store/state-store.ts'

type Row = Interval & { change: number }

/** A state store in memory that outlives engines, for tests that restart them. */
export interface MemoryState extends StateStore {
  /** While true every write throws STORE_BUSY, as a file does that another process holds. */
  busy: boolean
  /** Intervals of one device, oldest first. */
  of(deviceId: string): Interval[]
}

/** What `from` and later held is written anew, as the SQLite store does it. */
function applyChange(rows: Row[], change: StateChange, sequence: number) {
  while (rows.length > 0 && rows.at(-1)!.from >= change.from) rows.pop()
  const before = rows.at(-1)
  if (before && before.state === change.state && before.reason === change.reason) {
    before.to = null
    before.change = sequence
    return
  }
  if (before) before.to = change.from
  rows.push({ ...change, to: null, change: sequence })
}

const bare = ({ deviceId, from, to, state, reason }: Interval): Interval => ({
  deviceId,
  from,
  to,
  state,
  reason,
})

/** An empty one. */
export function memoryState(): MemoryState {
  const byDevice = new Map<string, Row[]>()
  const rowsOf = (deviceId: string) => byDevice.get(deviceId) ?? []
  let sequence = 0
  let life: Life | undefined
  const store: MemoryState = {
    busy: false,
    of: (deviceId) => rowsOf(deviceId).map(bare),
    change: (changes) => {
      if (store.busy) throw errors.storeBusy()
      for (const change of changes) {
        const rows = rowsOf(change.deviceId)
        byDevice.set(change.deviceId, rows)
        applyChange(rows, change, ++sequence)
      }
    },
    current: () => [...byDevice.values()].flatMap((rows) => rows.slice(-1)).map(bare),
    between: (deviceIds, from, to) =>
      deviceIds
        .toSorted()
        .flatMap(rowsOf)
        .filter((row) => row.from < to && (row.to === null || row.to > from))
        .map(bare),
    since: (change, limit) =>
      [...byDevice.values()]
        .flat()
        .filter((row) => row.change > change)
        .toSorted((a, b) => a.change - b.change)
        .slice(0, limit),
    lastChange: () => sequence,
    live: (next) => {
      if (store.busy) throw errors.storeBusy()
      life = { ...next, seen: next.seen.slice() }
    },
    lastLife: () => life && { ...life, seen: life.seen.slice() },
    close: () => undefined,
  }
  return store
}
