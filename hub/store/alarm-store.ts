import type { Alarm, AlarmEvent, AlarmState } from '../schema/alarm.ts'
import type { RegionRange } from './region-range.ts'

/** A frame that could not be read, kept raw so that a crew can see it. */
export interface Reject {
  at: number
  deviceId: string
  topic: string
  reason: string
  payload: Uint8Array
}

/** What became of one event: a new row, an edge of an open row, or a resend of a known packet. */
export interface Accepted {
  outcome: 'raised' | 'repeated' | 'returned' | 'duplicate' | 'stray'
  alarm: Alarm | undefined
}

export interface AlarmQuery {
  regions: RegionRange
  open?: boolean | undefined
  states?: readonly AlarmState[] | undefined
  /** Rows before this cursor (from the last page's last row). */
  before?: { raisedAt: number; id: string } | undefined
  /** 1..500 */
  limit: number
}

/** Where alarms live (`alarms.db`, synchronous=FULL). Every backend passes `test/contracts/alarm-store.test.ts`. */
export interface AlarmStore {
  /**
   * Takes events and rejects in one transaction and returns after COMMIT reached the disk:
   * the acceptance point. Idempotent by (device, boot, seq); without them by DUP and fingerprint
   * within 60 s. All or nothing. Alarm row, event row and outbox row are one transaction.
   * @throws STORE_BUSY at once when another process holds the file (busy timeout 0): try next tick
   */
  accept(events: readonly AlarmEvent[], rejects: readonly Reject[]): Accepted[]
  get(id: string): Alarm | undefined
  /** Replaces an alarm by `next` of it in one `begin immediate`; undefined when there is none. What `next` throws leaves everything as it was. */
  change(id: string, next: (alarm: Alarm) => Alarm): Alarm | undefined
  /** Newest first by `raisedAt`, ties by id. */
  list(query: AlarmQuery): Alarm[]
  /** Rows whose `change` is above the cursor, ascending: what a role reads on a hint. */
  since(change: number, limit: number): Alarm[]
  /** Newest `change` value, 0 when empty. */
  lastChange(): number
  /** Open and unacknowledged rows per village (12-digit code). */
  countsByVillage(regions: RegionRange): { region: string; open: number; unack: number }[]
  /** Newest first. */
  rejects(limit: number): Reject[]
  close(): void
}
