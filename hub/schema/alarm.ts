import { z } from 'zod'
import { DeviceId } from './device.ts'
import { RegionCode } from './region.ts'

/** Life of an alarm after ANSI/ISA-18.2. */
export const AlarmState = z.enum([
  'unack-active',
  'ack-active',
  'returned-unack',
  'shelved',
  'suppressed',
  'out-of-service',
  'closed',
])
export type AlarmState = z.infer<typeof AlarmState>

/** What happened, in the words shared by every dialect. */
export const AlarmKind = z
  .string()
  .regex(/^[a-z][a-z0-9-]{0,39}$/)
  .describe('e.g. intrusion, panic, tamper, fire, power-loss, lamp-failure, device-alarm')

/** 1 critical, 2 high, 3 medium, 4 low (GB/T 28181 AlarmPriority, CAP Extreme..Minor). */
export const Priority = z.int().min(1).max(4)
export type Priority = z.infer<typeof Priority>

/** One alarm edge as a device sent it: what must be on disk before PUBACK. Append-only. */
export const AlarmEvent = z.object({
  deviceId: DeviceId,
  region: RegionCode,
  boot: z.string().max(64).nullable().describe('Boot id of the device; null where it has none'),
  seq: z.int().nullable().describe("Device's own sequence within the boot"),
  kind: AlarmKind,
  point: z.string().max(64).describe('Zone, channel or lamp; empty when the device has only one'),
  edge: z.enum(['active', 'cleared', 'pulse']),
  priority: Priority,
  deviceAt: z.int().nullable().describe("Device's clock, epoch ms"),
  receivedAt: z.int().describe("Hub's clock, epoch ms"),
  assured: z.boolean().describe('False when it came with QoS 0: the sender keeps no copy'),
  fingerprint: z.string().describe('Hash of topic and payload; finds resends without boot and seq'),
  resent: z.boolean().describe('The packet had DUP = 1'),
})
export type AlarmEvent = z.infer<typeof AlarmEvent>

/** One row of the alarm desk: all edges of one point until somebody closes it. */
export const Alarm = z.object({
  id: z.string(),
  change: z.int().describe('Grows with every change of any alarm in this hub'),
  deviceId: DeviceId,
  region: RegionCode,
  kind: AlarmKind,
  point: z.string(),
  priority: Priority,
  state: AlarmState,
  raisedAt: z.int().describe('First active edge, receive time, epoch ms'),
  deviceAt: z.int().nullable(),
  lastAt: z.int().describe('Newest edge, receive time, epoch ms'),
  count: z.int().min(1).describe('Active edges in this row'),
  acknowledgedAt: z.int().nullable(),
  acknowledgedBy: z.string().nullable().describe('Display name of who took it'),
  returnedAt: z.int().nullable().describe('The condition ended; null while it lasts'),
  closedAt: z.int().nullable(),
  closedBy: z.string().nullable(),
  cause: z.string().nullable().describe('Given when it was closed or called false'),
})
export type Alarm = z.infer<typeof Alarm>

/** An alarm as people see it. */
export const AlarmView = Alarm.extend({
  deviceName: z.string(),
  deviceKind: z.string(),
  place: z.string(),
  village: z.string(),
  township: z.string(),
})
export type AlarmView = z.infer<typeof AlarmView>
