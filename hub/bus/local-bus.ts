import { busTopic, busTopics, type Bus, type BusTopic } from './bus.ts'
import { listenerTable } from './listener-table.ts'

/** A bus inside one process; `deliver` hands it what came from outside. */
export interface LocalBus extends Bus {
  /** Takes a packet of the broker; false when it is not a bus topic. */
  deliver(topic: string, payload: Uint8Array): boolean
}

/**
 * The bus of a process that holds the broker itself: `send` publishes on the broker, whose packets
 * under `hub/bus/#` come back through `deliver` (its own too, as from any broker).
 *
 * Without `send` every hint goes to this bus's own listeners, in a later microtask: for tests.
 *
 * @param failed called with what a listener throws; by default the process ends on it
 */
export function localBus(
  send?: (topic: string, payload: Uint8Array) => void,
  failed: (error: unknown) => void = (error) =>
    queueMicrotask(() => {
      throw error
    }),
): LocalBus {
  const listeners = listenerTable(failed)
  const byTopic = new Map(busTopics.map((topic): [string, BusTopic] => [busTopic(topic), topic]))
  let closed = false
  const deliver = (name: string, payload: Uint8Array) => {
    const topic = byTopic.get(name)
    if (topic === undefined) return false
    if (!closed) listeners.call(topic, payload)
    return true
  }
  return {
    publish(topic, body = new Uint8Array()) {
      if (closed) return
      if (send) send(busTopic(topic), body)
      else queueMicrotask(() => deliver(busTopic(topic), body))
    },
    on: listeners.add,
    deliver,
    close: async () => {
      closed = true
      listeners.clear()
    },
  }
}
