import { z } from 'zod'
import { Position, RegionCode } from './region.ts'

/** Identity of a device, unique in the county, never re-used; safe as a topic level and a tag. */
export const DeviceId = z
  .string()
  .regex(/^[A-Za-z0-9_.:-]{1,64}$/, 'a device id has 1 to 64 of A-Z a-z 0-9 _ . : -')
export type DeviceId = z.infer<typeof DeviceId>

export const DeviceKind = z.enum(['contact', 'panel', 'panic', 'light', 'camera', 'gateway'])
export type DeviceKind = z.infer<typeof DeviceKind>

/** Where the hub pulls a camera's picture. User and password are stored sealed, apart from it. */
export const CameraSource = z.object({
  url: z
    .string()
    .regex(/^rtsps?:\/\/[^@\s]+$/, 'rtsp:// or rtsps:// without user or password')
    .describe('Stream for live view (H.264), without credentials'),
  user: z.string().max(64).nullable(),
})
export type CameraSource = z.infer<typeof CameraSource>

export const Device = z.object({
  n: z.int().min(0).describe('Dense index of the device in this hub; key of live deltas'),
  deviceId: DeviceId,
  kind: DeviceKind,
  model: z.string().describe('Model or dialect, e.g. `native/contact`'),
  name: z.string().min(1).max(64),
  region: RegionCode.describe('Village the device stands in'),
  place: z.string().max(128).describe('Where in the village, in words'),
  position: Position.nullable(),
  heartbeatS: z.int().min(1).describe('Longest normal time between two signs of life, seconds'),
  commissionedAt: z
    .int()
    .nullable()
    .describe('Epoch ms from which the device counts; null = not yet'),
  camera: CameraSource.nullable().describe('Only for cameras'),
})
export type Device = z.infer<typeof Device>

/** A device as it is registered: the hub gives it its index. */
export const NewDevice = Device.omit({ n: true })
export type NewDevice = z.infer<typeof NewDevice>
