import type { Aggregate, Point, SinkStatus } from '../schema/metric.ts'

/** Spool of measured points and the embedded 5-minute aggregates (`metrics.db`). */
export interface MetricsStore {
  /** One spool row per batch; cheap enough for 10,000 points/s. Returns how many old points the quota pushed out. */
  append(points: readonly Point[]): number
  /** Batches after the cursor, ascending, at most `limit`. */
  batches(after: number, limit: number): { seq: number; points: Point[] }[]
  /** Points still spooled after the cursor. */
  backlog(after: number): number
  cursor(reader: string): number
  setCursor(reader: string, seq: number): void
  /** Ends a reader: it no longer holds batches back. */
  forget(reader: string): void
  /** Points the quota ever pushed out before every reader had them, of all processes. */
  pushedOut(): number
  /** Adds points to the 5-minute aggregates and moves the reader's cursor in one transaction. */
  aggregate(reader: string, seq: number, points: readonly Point[]): void
  aggregates(deviceId: string, field: string, from: number, to: number): Aggregate[]
  /**
   * Drops batches every reader has passed and aggregates older than 30 days, and packs aggregates
   * of closed 5 minutes; a few thousand rows at most, so call it each few seconds. Returns rows removed.
   */
  retain(now: number): number
  setStatus(status: SinkStatus): void
  status(): SinkStatus | undefined
  close(): void
}
