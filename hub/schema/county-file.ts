import { z } from 'zod'
import { NewDevice } from './device.ts'
import { Region } from './region.ts'

/** Regions and devices with their secrets in one file: what the simulator makes and the hub imports. */
export const CountyFile = z.object({
  seed: z.int(),
  regions: z.array(Region),
  devices: z.array(
    z.object({
      device: NewDevice,
      secret: z
        .string()
        .nullable()
        .describe('MQTT password, 256 bits as base64url; null: no MQTT identity'),
      cameraPassword: z.string().nullable(),
    }),
  ),
})
export type CountyFile = z.infer<typeof CountyFile>
