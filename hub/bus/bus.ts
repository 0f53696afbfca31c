/**
 * Hints between roles. The database is the truth, the bus only says "look": every reader also looks
 * by itself each second. `seen` alone carries data: pairs of (device index, epoch ms) as Float64Array.
 */
export type BusTopic = 'alarms' | 'states' | 'registry' | 'seen' | 'sessions' | 'metrics'

export interface Bus {
  publish(topic: BusTopic, body?: Uint8Array): void
  /** Returns the function that ends it. */
  on(topic: BusTopic, listener: (body: Uint8Array) => void): () => void
  close(): Promise<void>
}

/** Topic on the broker: outside the devices' tree, closed to every device. */
export const busTopic = (topic: BusTopic) => `hub/bus/${topic}`
