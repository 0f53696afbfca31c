import type { Device } from '../schema/device.ts'
import type { DeviceState, StateReason } from '../schema/state.ts'

/**
 * Decides the state of every device from signs of life and writes intervals.
 * Implementation: `statusEngine(...)` in this file.
 */
export interface StatusEngine {
  /** A live packet of device `n` arrived now (never a retained or replayed one). Hot path. */
  seen(n: number): void
  /** A last will of the device's current connection that keep-alive did not cause: down from now. */
  lost(n: number): void
  /** Registers devices added after the start. */
  add(devices: readonly Device[]): void
  /** Judges silence; called once a second by its owner. */
  tick(): void
  state(n: number): { state: DeviceState; reason: StateReason; since: number } | undefined
  /** Pairs (n, epoch ms) of devices seen since the last call: what the bus carries each second. */
  takeSeen(): Float64Array
  /** Writes the last life row. */
  close(): void
}
