/** One line of the audit: who did or tried what, where. Ids only, no phone numbers, no secrets. */
export interface AuditLine {
  at: number
  actor: string
  /** e.g. `sign-in`, `alarm.acknowledge`, `camera.watch`, `security.acl`, `hub.start` */
  action: string
  subject: string
  region: string | null
  outcome: 'ok' | 'refused' | 'failed'
  detail: string
}

/** Append-only (`audit.db`). There is no update and no delete, in SQL either (triggers refuse). */
export interface AuditStore {
  append(line: AuditLine): number
  /** Newest first, before the cursor. */
  list(query: { before?: number | undefined; limit: number }): (AuditLine & { seq: number })[]
  close(): void
}
