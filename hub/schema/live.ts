import { z } from 'zod'
import { AlarmView } from './alarm.ts'
import { Scope } from './region.ts'
import { StateCounts, StateReason } from './state.ts'

/**
 * socket.io, console <- hub. A page calls `watch` with a scope and gets that scope's rooms.
 * Times are epoch ms. Every message carries the hub's clock.
 */
export const Watch = z.object({ scope: Scope })
export type Watch = z.infer<typeof Watch>

/** The position of a reason in this list is its code in `delta`. */
export const stateReasons: readonly StateReason[] = StateReason.options

/** Numbers per changed device in `delta`: n, state code, since (ms), last seen (ms; 0 = never), reason code. */
export const deltaWidth = 5

/** Numbers per changed village in `villages`: index in the snapshot's list, the six counts, open alarms, unacknowledged alarms. */
export const villageWidth = 9

export const Pulse = z.object({
  at: z.int().describe("Hub's clock"),
  intakeAt: z.int().nullable().describe('Last sign of life of intake; older than 15 s = stale'),
  heartbeats: z.number().describe('Heartbeats per second, last second'),
})
export type Pulse = z.infer<typeof Pulse>

/** Events the hub sends. */
export interface HubEvents {
  /** Flat: `deltaWidth` numbers per device, in the socket's township or village scope; at most each 200 ms. */
  delta: (changes: number[]) => void
  /** Flat: `villageWidth` numbers per village; county scope. */
  villages: (changes: number[]) => void
  /** A new or changed alarm, whole row, at once. */
  alarm: (alarm: AlarmView) => void
  /** Once a second. */
  pulse: (pulse: Pulse) => void
  /** Something the page holds is no longer right (registry changed, gap): fetch the snapshot again. */
  refresh: (why: string) => void
}

/** Events a page sends. The answer names the refusal in words. */
export interface PageEvents {
  watch: (watch: Watch, done: (answer: { ok: boolean; message?: string }) => void) => void
}

/** GET /api/v1/regions/:scope/snapshot: all a duty screen needs to draw its first picture. */
export const SnapshotDevice = z.object({
  n: z.int(),
  id: z.string(),
  kind: z.string(),
  name: z.string(),
  region: z.string(),
  place: z.string(),
  lon: z.number().nullable(),
  lat: z.number().nullable(),
  state: z.int().describe('Code: position in deviceStates'),
  since: z.int().describe('Start of the present state, epoch ms'),
  seen: z.int().describe('Last sign of life, epoch ms; 0 = never'),
  reason: z.string(),
})
export type SnapshotDevice = z.infer<typeof SnapshotDevice>

export const SnapshotVillage = z.object({
  code: z.string(),
  name: z.string(),
  township: z.string().describe('Township code, 12 digits'),
  lon: z.number().nullable(),
  lat: z.number().nullable(),
  outline: z.array(z.tuple([z.number(), z.number()])).nullable(),
  counts: StateCounts,
  open: z.int(),
  unack: z.int(),
})
export type SnapshotVillage = z.infer<typeof SnapshotVillage>

export const Snapshot = z.object({
  at: z.int(),
  scope: Scope,
  name: z.string(),
  path: z
    .array(z.object({ scope: Scope, name: z.string() }))
    .describe('County, township, village down to the scope'),
  children: z.array(z.object({ scope: Scope, name: z.string() })),
  counts: StateCounts,
  villages: z.array(SnapshotVillage),
  devices: z
    .array(SnapshotDevice)
    .describe(
      'Every device in township and village scope; in county scope only those not up, worst first, at most 500',
    ),
  devicesTotal: z.int(),
  alarms: z.array(AlarmView).describe('Open alarms, unacknowledged first, at most 200'),
  alarmsOpen: z.int(),
  cameras: z
    .array(z.object({ id: z.string(), n: z.int(), name: z.string(), region: z.string() }))
    .describe('At most 200'),
  lastAlarmAt: z.int().nullable(),
})
export type Snapshot = z.infer<typeof Snapshot>

/** Media WebSocket `/media/live`, page -> hub (JSON text). One socket carries all tiles of a page. */
export const LiveRequest = z.discriminatedUnion('op', [
  z.object({
    op: z.literal('play'),
    tile: z.int().min(0).max(63),
    camera: z.string(),
    grant: z.string(),
  }),
  z.object({ op: z.literal('stop'), tile: z.int().min(0).max(63) }),
])
export type LiveRequest = z.infer<typeof LiveRequest>

/** Media WebSocket, hub -> page (JSON text). Pictures come as binary messages, see `liveFrame`. */
export const LiveNotice = z.object({
  tile: z.int(),
  state: z.enum(['connecting', 'live', 'stalled', 'offline', 'codec', 'refused']),
  lastFrameAt: z.int().nullable().describe('Receive time of the newest decodable frame, epoch ms'),
  codec: z.string().nullable().describe('RFC 6381, e.g. avc1.42e01e'),
  message: z
    .string()
    .nullable()
    .describe('Cause a crew understands, as an error code of the camera'),
})
export type LiveNotice = z.infer<typeof LiveNotice>

/**
 * Binary message: byte 0 tile, byte 1 type, bytes 2-9 receive time (float64, big endian, epoch ms),
 * then one fMP4 initialisation segment or one `moof`+`mdat`.
 */
export const liveFrame = { header: 10, init: 0, key: 1, delta: 2 } as const
