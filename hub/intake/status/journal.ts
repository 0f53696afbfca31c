import type { Logger } from 'pino'
import { HubError } from '../../errors.ts'
import type { Life, StateChange, StateStore } from '../../store/state-store.ts'

/** What the engine has decided and the store has not taken yet. */
export interface StateJournal {
  write(change: StateChange): void
  /** Hands everything to the store in one transaction. False = it stays here for the next try. */
  flush(): boolean
  /**
   * Writes a row of the hub's own life, but only when all changes before it are stored: a row
   * vouches that the intervals up to its time are whole.
   */
  live(life: () => Life): boolean
  pending(): number
}

/** Failed tries between two log lines of one failure; a try comes each second. */
const logEvery = 60

/** Nothing is lost while the store is busy or full: changes wait in order and go out together. */
export function stateJournal(
  state: Pick<StateStore, 'change' | 'live'>,
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
  const flush = () => {
    if (waiting.length === 0) return true
    const stored = attempt(() => state.change(waiting))
    if (stored) waiting = []
    return stored
  }
  return {
    write: (change) => void waiting.push(change),
    flush,
    live: (life) => flush() && attempt(() => state.live(life())),
    pending: () => waiting.length,
  }
}
