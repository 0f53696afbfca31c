/**
 * Hints between roles. The database is the truth, the bus only says "look": every reader also looks
 * by itself each second. `seen` alone carries data: pairs of (device index, epoch ms) as Float64Array.
 */
export const busTopics = ['alarms', 'states', 'registry', 'seen', 'sessions', 'metrics'] as const
export type BusTopic = (typeof busTopics)[number]

export interface Bus {
  publish(topic: BusTopic, body?: Uint8Array): void
  /** Returns the function that ends it. Each call gets a buffer of its own: `new Float64Array(body.buffer)` is safe. */
  on(topic: BusTopic, listener: (body: Uint8Array) => void): () => void
  close(): Promise<void>
}

/** Topic on the broker: outside the devices' tree, closed to every device. */
export const busTopic = (topic: BusTopic | '#') => `hub/bus/${topic}`
