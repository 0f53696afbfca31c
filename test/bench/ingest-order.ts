import { z } from 'zod'

/** What the load generator is told by its parent, and what it answers. */
export const LoadOrder = z.object({
  port: z.int(),
  connections: z.int(),
  heartbeatsPerS: z.int(),
  alarmsPerS: z.int(),
  warmUpMs: z.int(),
  measureMs: z.int(),
  /** First alarm sequence of this run: keys stay unique over several runs. */
  firstSeq: z.int(),
  /** Whether durability is confirmed on `ack/<deviceId>` (payload: seq) rather than by PUBACK. */
  replies: z.boolean(),
})
export type LoadOrder = z.infer<typeof LoadOrder>

/** Times are CLOCK_MONOTONIC in ms, the same in every process of the machine. */
export interface LoadResult {
  alarms: { key: string; sentAt: number; confirmedAt: number | undefined }[]
  heartbeats: number
}

export const monoMs = () => Number(process.hrtime.bigint()) / 1e6
