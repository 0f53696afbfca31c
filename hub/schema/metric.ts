import { z } from 'zod'

/**
 * One measured point on its way to the time-series stores.
 * `series` is the InfluxDB measurement: `heartbeat`, `telemetry`, `alarm`, `stream`.
 */
export const Point = z.object({
  series: z.enum(['heartbeat', 'telemetry', 'alarm', 'stream']),
  deviceId: z.string(),
  kind: z.string().describe('Device kind, becomes a tag'),
  region: z.string(),
  at: z.int().describe('Epoch ms, receive time'),
  fields: z.record(z.string(), z.union([z.number(), z.string(), z.boolean()])),
})
export type Point = z.infer<typeof Point>

/** 5-minute aggregate of one numeric field (embedded store). */
export const Aggregate = z.object({
  series: z.string(),
  deviceId: z.string(),
  field: z.string(),
  bin: z.int().describe('Start of the 5 minutes, epoch ms'),
  count: z.int(),
  min: z.number(),
  avg: z.number(),
  max: z.number(),
})
export type Aggregate = z.infer<typeof Aggregate>

/** What the system page says of the time-series mirror. */
export const SinkStatus = z.object({
  target: z.enum(['influx', 'embedded']),
  lastWriteAt: z.int().nullable().describe('Epoch ms of the last batch the target accepted'),
  backlog: z.int().describe('Points spooled on disk and not yet accepted'),
  dropped: z.int().describe('Points given up since the start (spool quota, refused by the target)'),
  error: z.string().nullable().describe('Why the last attempt failed; null when it worked'),
})
export type SinkStatus = z.infer<typeof SinkStatus>
