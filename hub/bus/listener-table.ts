import type { BusTopic } from './bus.ts'

type Listener = (body: Uint8Array) => void

/** Who listens to which topic. One listener that throws does not keep the hint from the others. */
export function listenerTable(failed: (error: unknown) => void) {
  const table = new Map<BusTopic, Set<Listener>>()
  return {
    add: (topic: BusTopic, listener: Listener): (() => void) => {
      // A wrapper of its own: the same function may be added twice and ended once.
      const entry: Listener = (body) => listener(body)
      const listeners = table.get(topic) ?? new Set()
      table.set(topic, listeners.add(entry))
      return () => void listeners.delete(entry)
    },
    call: (topic: BusTopic, payload: Uint8Array) => {
      for (const listener of table.get(topic) ?? []) {
        try {
          // A copy in a buffer of its own: readable as Float64Array, which must begin at a multiple of 8.
          listener(Uint8Array.from(payload))
        } catch (error) {
          failed(error)
        }
      }
    },
    clear: () => table.clear(),
  }
}
