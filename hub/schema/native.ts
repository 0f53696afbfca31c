import { z } from 'zod'
import { AlarmKind, Priority } from './alarm.ts'

/**
 * The native dialect `jf/v1/{county6}/{town3}/{village3}/{deviceId}/{branch}`.
 * The region in the topic is an address, not an identity.
 */
export const nativeBranches = ['status', 'hb', 't', 'a', 'c', 'r', 'cfg', 'cfgr'] as const
export type NativeBranch = (typeof nativeBranches)[number]

/** Topic prefix of a device, ending in `/`. `region` is the village's 12-digit code. */
export const devicePrefix = (region: string, deviceId: string) =>
  `jf/v1/${region.slice(0, 6)}/${region.slice(6, 9)}/${region.slice(9, 12)}/${deviceId}/`

const Boot = z.string().min(1).max(64)
/** Device clock, epoch ms; null where the device has no clock. */
const DeviceTime = z.int().min(0).nullable().optional()

/** `status`: retained birth (QoS 1), or the last will `{online: false, boot}`. */
export const StatusFrame = z.object({
  online: z.boolean(),
  boot: Boot,
  ts: DeviceTime,
  fw: z.string().max(64).optional(),
  model: z.string().max(64).optional(),
  caps: z.array(z.string().max(32)).max(32).optional(),
  hb: z.int().min(1).max(604_800).optional().describe('Heartbeat interval, seconds'),
})
export type StatusFrame = z.infer<typeof StatusFrame>

/** `hb`: heartbeat, QoS 0. Kind-specific readings ride along in `m` (number or boolean). */
export const HeartbeatFrame = z.object({
  ts: DeviceTime,
  seq: z.int().min(0),
  uptime: z.number().min(0).optional().describe('Seconds since boot'),
  rssi: z.number().min(-200).max(50).optional().describe('dBm'),
  batt: z.number().min(0).max(100).optional().describe('%'),
  clk: z.enum(['ok', 'bad']).optional().describe('Whether the device trusts its clock'),
  m: z
    .record(z.string().regex(/^[a-z][a-z0-9._]{0,31}$/), z.union([z.number(), z.boolean()]))
    .optional()
    .describe('Readings, e.g. {open: true}, {on: true, "power.active": 41.5}, {fps: 25}'),
})
export type HeartbeatFrame = z.infer<typeof HeartbeatFrame>

/** `a`: one alarm edge, QoS 1. */
export const AlarmFrame = z.object({
  boot: Boot.optional(),
  seq: z.int().min(0).optional(),
  kind: AlarmKind,
  state: z.enum(['active', 'cleared', 'pulse']),
  point: z.string().max(64).default(''),
  prio: Priority.optional(),
  ts: DeviceTime,
})
export type AlarmFrame = z.infer<typeof AlarmFrame>

/** `t`: a batch of readings. */
export const TelemetryFrame = z.object({
  r: z
    .array(
      z.object({
        ts: DeviceTime,
        name: z.string().regex(/^[a-z][a-z0-9._]{0,31}$/),
        value: z.number(),
        unit: z.string().max(8).optional().describe('UCUM-like: Cel, %, V, A, W, dBm, s'),
      }),
    )
    .min(1)
    .max(500),
})
export type TelemetryFrame = z.infer<typeof TelemetryFrame>
