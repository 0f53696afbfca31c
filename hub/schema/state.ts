import { z } from 'zod'
import { DeviceId } from './device.ts'

/** The six states. The position in this list is the code used in typed arrays and live deltas. */
export const deviceStates = [
  'up',
  'degraded',
  'down',
  'unknown',
  'excluded',
  'uncommissioned',
] as const
export const DeviceState = z.enum(deviceStates)
export type DeviceState = z.infer<typeof DeviceState>

export const StateReason = z.enum([
  'alive',
  'lwt',
  'silence',
  'stream',
  'parent',
  'auth',
  'clock',
  'maintenance',
  'hub',
  'new',
])
export type StateReason = z.infer<typeof StateReason>

/** A device was in one state from `from` until `to` (null = still). Epoch ms. */
export const Interval = z.object({
  deviceId: DeviceId,
  from: z.int(),
  to: z.int().nullable(),
  state: DeviceState,
  reason: StateReason,
})
export type Interval = z.infer<typeof Interval>

/** Milliseconds in each state within one bin, in the order of `deviceStates`. */
export const StripBin = z.array(z.number()).length(deviceStates.length)
export type StripBin = z.infer<typeof StripBin>

/** One row of 24-hour strips: a device, or a region with its devices' seconds summed. */
export const Strip = z.object({
  key: z.string().describe('deviceId or region code'),
  name: z.string(),
  from: z.int(),
  to: z.int(),
  bins: z.array(StripBin),
})
export type Strip = z.infer<typeof Strip>

export const StateCounts = z.object({
  up: z.int(),
  degraded: z.int(),
  down: z.int(),
  unknown: z.int(),
  excluded: z.int(),
  uncommissioned: z.int(),
})
export type StateCounts = z.infer<typeof StateCounts>
