import type { Logger } from 'pino'
import type { Clock } from '../../rules/clock.ts'
import { HubError } from '../../errors.ts'
import type { Life, StateChange, StateStore } from '../../store/state-store.ts'

/** What the engine has decided and the store has not taken yet. */
export interface StateJournal {
  write(change: StateChange): void
  /**
   * Hands changes to the store in order, in transactions of `batch`, for about `budgetMs`.
   * False = some stay here for the next try.
   */
  flush(budgetMs: number): boolean
  /**
   * Writes a row of the hub's own life, but only when all changes before it are stored: a row
   * vouches that the intervals up to its time are whole.
   */
  live(life: () => Life): boolean
  pending(): number
}

/** Changes per transaction: about 10 ms. 250 would cost 1.7 times as much CPU for each change. */
const batch = 1000

/** Failed tries between two log lines of one failure; a try comes each second. */
const logEvery = 60

/** Nothing is lost while the store is busy or full: changes wait here in their order. */
export function stateJournal(
  state: Pick<StateStore, 'change' | 'live'>,
  clock: Clock,
  log: Pick<Logger, 'warn' | 'error'>,
): StateJournal {
  let waiting: StateChange[] = []
  let failures = 0

  const attempt = (write: () => void) => {
    try {
      write()
      failures = 0
      return true
    } catch (error) {
      const busy = error instanceof HubError && error.code === 'STORE_BUSY'
      if (failures++ % logEvery === 0)
        log[busy ? 'warn' : 'error']({ err: error, pending: waiting.length }, 'states not stored')
      return false
    }
  }
  const flush = (budgetMs: number) => {
    const end = clock.mono() + budgetMs
    let stored = 0
    while (stored < waiting.length && clock.mono() <= end) {
      const next = waiting.slice(stored, stored + batch)
      if (!attempt(() => state.change(next))) break
      stored += next.length
    }
    waiting = waiting.slice(stored)
    return waiting.length === 0
  }
  return {
    write: (change) => void waiting.push(change),
    flush,
    live: (life) => waiting.length === 0 && attempt(() => state.live(life())),
    pending: () => waiting.length,
  }
}
