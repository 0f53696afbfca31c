import type { Logger } from 'pino'
import { HubError } from '../errors.ts'
import type { Clock } from '../rules/clock.ts'
import type { AlarmEvent } from '../schema/alarm.ts'
import type { Accepted, AlarmStore, Reject } from '../store/alarm-store.ts'
import type { Counters } from './counters.ts'

/** What one packet brings to the store: events, or the raw frame that could not be read. */
export interface Delivery {
  deviceId: string
  events: readonly AlarmEvent[]
  rejects: readonly Reject[]
  /** After COMMIT, in order of arrival: the packet may be acknowledged. */
  stored: (accepted: readonly Accepted[]) => void
  /** The store did not take it in time: the connection must end, unacknowledged. */
  lost: (error: Error) => void
}

/** The acceptance point: nothing is acknowledged before its COMMIT reached the disk. */
export interface Acceptance {
  take(delivery: Delivery): void
  /** Deliveries not yet committed. */
  waiting(): number
  /** Resolves when nothing waits any more; by then everything is stored or lost. */
  drained(): Promise<void>
  close(): void
}

export interface AcceptanceLimits {
  /** Longest time an acknowledgement is held back while the store fails, ms. */
  holdMs: number
  /** Deliveries held at most; more are lost at once (their senders keep them). */
  held: number
  /** Pause between two tries of a failing store, ms. */
  retryMs: number
  /** Deliveries in one commit at most: bounds how long one commit holds the loop. */
  batch: number
  /** When too many are held, so many of the device that has most give way at once. */
  share: number
  /** After so long without a commit the next one does not wait for the end of the tick, ms. */
  quietMs: number
}

export const acceptanceLimits: AcceptanceLimits = {
  holdMs: 10_000,
  held: 20_000,
  retryMs: 250,
  batch: 500,
  share: 50,
  quietMs: 5,
}

interface Waiting extends Delivery {
  since: number
}

/** STORE_BUSY: another process holds the file for a moment. */
const isBusy = (error: unknown) => error instanceof HubError && error.code === 'STORE_BUSY'

/**
 * Group commit: everything that arrived in one event-loop tick is one transaction, and its
 * acknowledgements leave in the same tick; after a quiet moment the first alarm does not wait for
 * the tick to end. A store that is busy is tried again at once, one that
 * fails (disk full) every `retryMs` while acknowledgements are held back for `holdMs` at most.
 */
export function acceptance(deps: {
  alarms: Pick<AlarmStore, 'accept'>
  clock: Clock
  log: Logger
  counters: Counters
  /** Told after each commit that brought events: the hint `alarms` on the bus. */
  committed: () => void
  limits?: AcceptanceLimits
}): Acceptance {
  const limits = deps.limits ?? acceptanceLimits
  const { counters, clock, log } = deps
  let queue: Waiting[] = []
  let scheduled: { cancel(): void } | undefined
  let busyTries = 0
  let failing = false
  let onDrained: (() => void)[] = []
  let closed = false
  let committedAt = clock.mono()

  /**
   * A lone alarm is committed as soon as its socket's bytes are read, not after the heartbeats of
   * all other sockets that are ready; in a storm the tick is the group.
   */
  function scheduleFirst() {
    if (scheduled || closed) return
    if (failing || clock.mono() - committedAt < limits.quietMs) {
      schedule(0)
      return
    }
    let cancelled = false
    scheduled = { cancel: () => (cancelled = true) }
    queueMicrotask(() => {
      if (!cancelled) flush()
    })
  }

  function schedule(delayMs: number) {
    if (scheduled || closed) return
    if (delayMs === 0) {
      const handle = setImmediate(flush)
      scheduled = { cancel: () => clearImmediate(handle) }
    } else {
      const handle = setTimeout(flush, delayMs)
      scheduled = { cancel: () => clearTimeout(handle) }
    }
  }

  /**
   * The next commit: every device's oldest, then every device's second, until it is full. However many
   * devices flood, another's alarm is in the next commit.
   */
  function nextBatch(): readonly Waiting[] {
    if (queue.length <= limits.batch) return queue
    const turns = new Map<string, number>()
    const turnOf = queue.map(({ deviceId }) => {
      const turn = turns.get(deviceId) ?? 0
      turns.set(deviceId, turn + 1)
      return turn
    })
    const last = turnOf.toSorted((a, b) => a - b)[limits.batch - 1] ?? 0
    let room = limits.batch - turnOf.filter((turn) => turn < last).length
    // In the order of arrival: a device's `active` never overtakes its `cleared`.
    return queue.filter((_delivery, at) => {
      const turn = turnOf[at] ?? 0
      return turn < last || (turn === last && room-- > 0)
    })
  }

  /** Too many wait: the newest of the device that has most waiting give way, and its connection ends. */
  function makeRoom(comer: Waiting): boolean {
    if (queue.length < limits.held) return true
    const waits = Map.groupBy(queue, ({ deviceId }) => deviceId)
    let most = waits.get(comer.deviceId) ?? []
    for (const mine of waits.values()) if (mine.length > most.length) most = mine
    if (most[0] === undefined || most[0].deviceId === comer.deviceId) return false
    // Several at once: looking who has most takes as long as the queue is.
    const gone = new Set(most.slice(-limits.share))
    queue = queue.filter((delivery) => !gone.has(delivery))
    for (const delivery of gone) lose(delivery, 'too many alarms of this device wait for the store')
    return true
  }

  function lose(delivery: Waiting, why: string) {
    counters.add('alarms_lost_to_sender')
    delivery.lost(new Error(why))
  }

  function expire() {
    const oldest = clock.mono() - limits.holdMs
    while (queue[0] && queue[0].since <= oldest) {
      const late = queue.shift()
      if (late) lose(late, 'the alarm store did not take it in time')
    }
  }

  /** One transaction; on success the deliveries leave the queue and are acknowledged. */
  function commit(batch: readonly Waiting[]): 'stored' | 'busy' | 'failed' {
    let accepted: readonly Accepted[]
    try {
      accepted = deps.alarms.accept(
        batch.flatMap((delivery) => delivery.events),
        batch.flatMap((delivery) => delivery.rejects),
      )
    } catch (error) {
      if (isBusy(error)) return 'busy'
      counters.add('store_failures')
      if (!failing) log.error({ err: error, waiting: queue.length }, 'alarm store fails: acks held')
      return 'failed'
    }
    const taken = new Set(batch)
    queue = queue.filter((delivery) => !taken.has(delivery))
    committedAt = clock.mono()
    counters.add('commits')
    counters.set('commit_batch_last', batch.length)
    let at = 0
    for (const delivery of batch) {
      delivery.stored(accepted.slice(at, at + delivery.events.length))
      at += delivery.events.length
    }
    if (accepted.length > 0) deps.committed()
    return 'stored'
  }

  /**
   * After a failed batch: is it the store, or one row? The oldest is tried alone; when it fails and
   * the oldest of another device works, it can never be stored and only its own connection ends.
   * Each device's own order is kept throughout: an `active` never overtakes its `cleared`.
   */
  function single(): 'stored' | 'busy' | 'failed' {
    const [head] = queue
    if (head === undefined) return 'stored'
    const alone = commit([head])
    if (alone !== 'failed') return alone
    const other = queue.find((delivery) => delivery.deviceId !== head.deviceId)
    const probe = other ? commit([other]) : 'failed'
    if (probe === 'stored') {
      queue = queue.filter((delivery) => delivery !== head)
      lose(head, 'the alarm store cannot take it')
    }
    return probe
  }

  function flush() {
    scheduled = undefined
    expire()
    let result = failing ? single() : queue.length > 0 ? commit(nextBatch()) : 'stored'
    if (result === 'failed' && !failing) {
      failing = true
      result = single()
    }
    if (result === 'stored') {
      if (failing) log.info({ waiting: queue.length }, 'alarm store works again')
      failing = false
      busyTries = 0
    }
    counters.set('alarms_waiting', queue.length)
    if (queue.length === 0) for (const done of onDrained.splice(0)) done()
    else if (result === 'stored') schedule(0)
    else if (result === 'failed') schedule(limits.retryMs)
    else {
      counters.add('store_busy')
      // The first retry is the next tick; then a pause, or a long foreign transaction costs a core.
      schedule(busyTries++ === 0 ? 0 : 2)
    }
  }

  return {
    take(delivery) {
      const comer = { ...delivery, since: clock.mono() }
      if (closed || !makeRoom(comer)) return lose(comer, 'too many alarms wait for the store')
      queue.push(comer)
      scheduleFirst()
    },
    waiting: () => queue.length,
    drained: () =>
      queue.length === 0
        ? Promise.resolve()
        : new Promise((resolve) => {
            onDrained.push(resolve)
          }),
    close() {
      closed = true
      scheduled?.cancel()
      for (const delivery of queue) lose(delivery, 'the hub stops')
      queue = []
      for (const done of onDrained.splice(0)) done()
    },
  }
}
