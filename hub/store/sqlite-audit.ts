import { z } from 'zod'
import type { AuditStore } from './audit-store.ts'
import { auditMigrations } from './migrations/audit.ts'
import { inTransaction, openSqlite } from './sqlite.ts'

export interface SqliteAuditOptions {
  busyTimeoutMs: number
}

const LineRow = z.object({
  seq: z.int(),
  at: z.int(),
  actor: z.string(),
  action: z.string(),
  subject: z.string(),
  region: z.string().nullable(),
  outcome: z.enum(['ok', 'refused', 'failed']),
  detail: z.string(),
})

/** Opens `audit.db` (synchronous=FULL). @throws STORE_NEWER */
export async function sqliteAudit(
  file: string,
  { busyTimeoutMs }: SqliteAuditOptions,
): Promise<AuditStore> {
  const db = await openSqlite(file, auditMigrations, { busyTimeoutMs, synchronous: 'full' })
  const add = db.prepare(
    'insert into line (at, actor, action, subject, region, outcome, detail) values (?, ?, ?, ?, ?, ?, ?)',
  )
  const page = db.prepare(
    'select * from line where ?1 is null or seq < ?1 order by seq desc limit ?2',
  )
  return {
    append: ({ at, actor, action, subject, region, outcome, detail }) =>
      inTransaction(db, () =>
        Number(add.run(at, actor, action, subject, region, outcome, detail).lastInsertRowid),
      ),
    list: ({ before, limit }) => page.all(before ?? null, limit).map((row) => LineRow.parse(row)),
    close: () => db.close(),
  }
}
