import { z } from 'zod'
import { AlarmView } from './alarm.ts'
import { Device } from './device.ts'
import { SinkStatus } from './metric.ts'
import { Role, User } from './people.ts'
import { RegionLevel, Scope } from './region.ts'
import { roleNames } from './role.ts'
import { DeviceState, Interval, StateCounts, StateReason, Strip, StripBin } from './state.ts'

/** Answers and bodies of the HTTP API under `/api/v1`. Times are epoch milliseconds of the hub's clock. */
export const Failure = z.object({
  code: z.string().describe('One of docs/errors.md'),
  message: z.string().describe('A sentence that says what to do'),
})
export type Failure = z.infer<typeof Failure>

const Name = z.object({ scope: Scope, name: z.string() })

export const SignIn = z.strictObject({
  name: z.string().min(1).max(64).describe('Sign-in name'),
  password: z.string().min(1).max(256),
})
export type SignIn = z.infer<typeof SignIn>

export const PasswordChange = z.strictObject({
  current: z.string().min(1).max(256).describe('The present password'),
  next: z.string().max(256).describe('The new password, at least 10 characters'),
})
export type PasswordChange = z.infer<typeof PasswordChange>

export const Me = z.object({
  at: z.int().describe("Hub's clock"),
  user: User,
  actions: z.array(z.string()).describe('What this person may do inside the scope'),
  path: z.array(Name).describe("County, township, village down to the person's scope"),
  expiresAt: z.int().describe('When this session ends at the latest'),
})
export type Me = z.infer<typeof Me>

export const RegionRow = z.object({
  code: z.string(),
  scope: Scope,
  level: RegionLevel,
  name: z.string(),
})
export type RegionRow = z.infer<typeof RegionRow>

export const Summary = z.object({
  at: z.int().describe("Hub's clock"),
  scope: Scope,
  name: z.string(),
  path: z.array(Name),
  counts: StateCounts,
  kinds: z.array(z.object({ kind: z.string(), counts: StateCounts })),
  open: z.int().describe('Open alarms'),
  unack: z.int().describe('Open alarms nobody has taken'),
  oldestUnackAt: z.int().nullable().describe('When the oldest of those was raised'),
  lastAlarmAt: z.int().nullable(),
  children: z.array(Name.extend({ counts: StateCounts, open: z.int(), unack: z.int() })),
})
export type Summary = z.infer<typeof Summary>

export const Strips = z.object({
  from: z.int(),
  to: z.int(),
  binMs: z.int().describe('Width of a bin'),
  rows: z
    .array(Strip)
    .describe('Village: devices, worst first; township: villages; county: townships'),
  total: z.int().describe('Rows there are, before `limit`'),
})
export type Strips = z.infer<typeof Strips>

export const DeviceRow = Device.omit({ camera: true }).extend({
  village: z.string(),
  township: z.string(),
  state: DeviceState,
  reason: StateReason,
  since: z.int().describe('Start of the present state'),
  seen: z.int().nullable().describe('Last sign of life; null = never'),
})
export type DeviceRow = z.infer<typeof DeviceRow>

const Next = z.string().nullable().describe('Cursor of the next page; null on the last')

export const DevicePage = z.object({ at: z.int(), items: z.array(DeviceRow), next: Next })
export type DevicePage = z.infer<typeof DevicePage>

export const Timeline = z.object({
  deviceId: z.string(),
  from: z.int(),
  to: z.int(),
  intervals: z.array(Interval).describe('Clipped to the window, oldest first'),
  totalsMs: StripBin.describe('Milliseconds in each of the six states'),
})
export type Timeline = z.infer<typeof Timeline>

export const AlarmPage = z.object({ at: z.int(), items: z.array(AlarmView), next: Next })
export type AlarmPage = z.infer<typeof AlarmPage>

export const AlarmClose = z.strictObject({
  cause: z
    .string()
    .trim()
    .min(1)
    .max(200)
    .regex(/^[^\p{Cc}\p{Cf}]*$/u, 'no control characters')
    .describe('Why the alarm is over, in words'),
})
export type AlarmClose = z.infer<typeof AlarmClose>

export const CameraGrant = z.object({
  camera: z.string(),
  grant: z.string().describe('Put it into `play` on the media socket; bound to this session'),
  expiresAt: z.int().describe('Ask again before this time'),
})
export type CameraGrant = z.infer<typeof CameraGrant>

export const System = z.object({
  at: z.int(),
  intakeAt: z.int().nullable().describe("Intake's last sign of life"),
  intakeAgeMs: z.int().nullable(),
  heartbeats: z.number().describe('Devices heard in the last second'),
  sink: SinkStatus.nullable().describe('null: the sink has not reported yet'),
  roles: z.array(
    z.object({
      name: z.enum(roleNames),
      up: z.boolean().describe('The role reported lately'),
      restarts: z.int().describe('Since the hub started'),
      metrics: z.record(z.string(), z.number()),
    }),
  ),
  versions: z.record(z.string(), z.string()),
  data: z
    .object({ freeBytes: z.number(), totalBytes: z.number() })
    .nullable()
    .describe('File system of the data folder'),
})
export type System = z.infer<typeof System>

export const AuditRow = z.object({
  seq: z.int(),
  at: z.int(),
  actor: z.string(),
  action: z.string(),
  subject: z.string(),
  region: z.string().nullable(),
  outcome: z.enum(['ok', 'refused', 'failed']),
  detail: z.string(),
})
export const AuditPage = z.object({ items: z.array(AuditRow), next: Next })
export type AuditPage = z.infer<typeof AuditPage>

export const UserRow = User.extend({ role: Role })
export const UserList = z.object({ items: z.array(UserRow) })

export const QuarantineList = z.object({
  items: z.array(
    z.object({
      clientId: z.string(),
      remote: z.string(),
      firstAt: z.int(),
      lastAt: z.int(),
      tries: z.int(),
      reason: z.enum(['unknown-device', 'wrong-secret']),
    }),
  ),
})
