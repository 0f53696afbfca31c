import { z } from 'zod'
import { AlarmKind, Priority } from './alarm.ts'

/**
 * What an adapter makes of one message, the same for every dialect. `device` stands where one
 * connection speaks for several devices; `at` is the device's own time in epoch ms.
 */
const common = {
  device: z.string().optional(),
  point: z.string().optional(),
  at: z.int().nullable().optional(),
}

export const CanonicalRecord = z.discriminatedUnion('type', [
  z.object({
    ...common,
    type: z.literal('telemetry'),
    name: z.string(),
    value: z.number(),
    unit: z.string(),
  }),
  z.object({
    ...common,
    type: z.literal('state'),
    name: z.string(),
    value: z.union([z.string(), z.number(), z.boolean()]),
  }),
  z.object({
    ...common,
    type: z.literal('alarm'),
    kind: AlarmKind,
    state: z.enum(['active', 'cleared', 'pulse', 'snapshot']),
    priority: Priority,
    boot: z.string().nullable().optional(),
    seq: z.int().nullable().optional(),
  }),
  z.object({
    ...common,
    type: z.literal('health'),
    status: z.enum(['online', 'offline', 'alive', 'birth', 'removed', 'restarted']),
    boot: z.string().nullable().optional(),
  }),
  z.object({ ...common, type: z.literal('inventory'), fields: z.record(z.string(), z.unknown()) }),
  z.object({ ...common, type: z.literal('command-ack'), id: z.string(), status: z.string() }),
  z.object({ ...common, type: z.literal('reject'), reason: z.string() }),
  z.object({ ...common, type: z.literal('ignore'), reason: z.string() }),
])
export type CanonicalRecord = z.infer<typeof CanonicalRecord>
