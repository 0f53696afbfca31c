import type { Device, NewDevice } from '../schema/device.ts'
import type { Region } from '../schema/region.ts'
import type { RegionRange } from './region-range.ts'

/** A client that knocked without a known identity. */
export interface Quarantined {
  clientId: string
  remote: string
  firstAt: number
  lastAt: number
  tries: number
  reason: 'unknown-device' | 'wrong-secret'
}

export interface DeviceQuery {
  regions: RegionRange
  kinds?: readonly string[] | undefined
  /** Part of name, id or place. */
  text?: string | undefined
  /** Rows with `n` above this. */
  after?: number | undefined
  limit: number
}

/** Regions, devices, their secrets (`registry.db`). */
export interface RegistryStore {
  putRegions(regions: readonly Region[]): void
  regions(range?: RegionRange): Region[]
  region(code: string): Region | undefined
  /** All or nothing. @throws DEVICE_EXISTS */
  addDevices(devices: readonly { device: NewDevice; secretHash: string | null }[]): Device[]
  device(deviceId: string): Device | undefined
  devices(query: DeviceQuery): Device[]
  /** Every device, by `n`: for the start of intake and web. */
  allDevices(): Device[]
  /** SHA-256 hex of the device's secret; undefined = unknown device, null = no MQTT identity. */
  secretHash(deviceId: string): string | null | undefined
  setSecretHash(deviceId: string, secretHash: string | null): void
  /** Camera password, sealed on disk with the hub's key. */
  setCameraPassword(deviceId: string, password: string): void
  cameraPassword(deviceId: string): string | undefined
  /** Bounded to 10,000 clients, oldest first out. */
  quarantine(entry: {
    clientId: string
    remote: string
    at: number
    reason: Quarantined['reason']
  }): void
  quarantined(limit: number): Quarantined[]
  /** Grows with every change of regions or devices. */
  lastChange(): number
  close(): void
}
