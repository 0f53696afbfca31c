import type { DatabaseSync } from 'node:sqlite'
import { z } from 'zod'
import { SinkStatus, type Point } from '../schema/metric.ts'
import type { MetricsStore } from './metrics-store.ts'
import { metricsMigrations } from './migrations/metrics.ts'
import { decodePoints, encodePoints } from './spool-codec.ts'
import { aggregateTable } from './sqlite-aggregates.ts'
import { inTransaction, openSqlite } from './sqlite.ts'

export interface SqliteMetricsOptions {
  busyTimeoutMs: number
  /** Most bytes of unread batches; 1 GiB by default, about 100 million points. */
  quotaBytes?: number | undefined
  /** Most bytes of the whole file; 8 GiB by default. Above it the oldest aggregates go early. */
  fileQuotaBytes?: number | undefined
}

const gibibyte = 2 ** 30
/** What a row costs beside its body, bytes. */
const rowBytes = 48
/** Most rows removed or packed in one transaction, so that appending processes wait only milliseconds. */
const retainRows = 4_000

const SpoolRow = z.object({
  seq: z.int(),
  points: z.int(),
  totalPoints: z.int(),
  totalBytes: z.int(),
})
const empty = { seq: 0, points: 0, totalPoints: 0, totalBytes: 0 }

/** Opens `metrics.db` (synchronous=NORMAL: a power cut may cost the newest seconds). @throws STORE_NEWER */
export async function sqliteMetrics(
  file: string,
  { busyTimeoutMs, quotaBytes = gibibyte, fileQuotaBytes = 8 * gibibyte }: SqliteMetricsOptions,
): Promise<MetricsStore> {
  const db = await openSqlite(file, metricsMigrations, { busyTimeoutMs })
  const readers = readerTable(db)
  const spool = spoolTable(db, readers.slowest, quotaBytes)
  const aggregates = aggregateTable(db)
  const size = db.prepare(
    `select (page_count - freelist_count) * page_size as bytes
     from pragma_page_count, pragma_freelist_count, pragma_page_size`,
  )
  const setStatus = db.prepare(
    'insert into status values (1, ?) on conflict (id) do update set body = excluded.body',
  )
  const status = db.prepare('select body from status')
  return {
    ...spool.store,
    cursor: readers.cursor,
    setCursor: (reader, seq) => inTransaction(db, () => readers.move(reader, seq)),
    forget: (reader) => inTransaction(db, () => readers.forget(reader)),
    aggregate: (reader, seq, points) =>
      aggregates.whole(() =>
        inTransaction(db, () => {
          aggregates.add(points)
          readers.move(reader, seq)
        }),
      ),
    aggregates: aggregates.between,
    retain: (now) =>
      inTransaction(db, () => {
        const full = z.int().parse(size.get()?.bytes) > fileQuotaBytes
        return spool.retain() + aggregates.retain(now, retainRows, full)
      }),
    setStatus: (value) =>
      inTransaction(db, () => void setStatus.run(JSON.stringify(SinkStatus.parse(value)))),
    status: () => {
      const row = status.get()
      return row && SinkStatus.parse(JSON.parse(z.string().parse(row.body)))
    },
    close: () => db.close(),
  }
}

function readerTable(db: DatabaseSync) {
  const get = db.prepare('select seq from reader where name = ?')
  const put = db.prepare(
    'insert into reader values (?, ?) on conflict (name) do update set seq = excluded.seq',
  )
  const drop = db.prepare('delete from reader where name = ?')
  const slowest = db.prepare('select coalesce(min(seq), 0) as seq from reader')
  return {
    cursor: (reader: string) => z.int().parse(get.get(reader)?.seq ?? 0),
    move: (reader: string, seq: number) => void put.run(reader, seq),
    forget: (reader: string) => void drop.run(reader),
    /** Every batch up to this number has been read by all; 0 while nobody reads. */
    slowest: () => z.int().parse(slowest.get()?.seq),
  }
}

function spoolTable(db: DatabaseSync, slowest: () => number, quotaBytes: number) {
  const shape = 'seq, points, totalPoints, totalBytes'
  const newest = db.prepare(`select ${shape} from spool order by seq desc limit 1`)
  const oldest = db.prepare(`select ${shape} from spool order by seq limit 1`)
  const upTo = db.prepare(`select ${shape} from spool where seq <= ? order by seq desc limit 1`)
  const fromStart = db.prepare(`select ${shape} from spool where seq < ? order by seq`)
  const add = db.prepare(
    'insert into spool (points, bytes, totalPoints, totalBytes, body) values (?, ?, ?, ?, ?)',
  )
  const after = db.prepare('select seq, body from spool where seq > ? order by seq limit ?')
  const removeTo = db.prepare('delete from spool where seq <= ?')
  const pushedOut = db.prepare("select value from tally where name = 'pushed-out'")
  const count = db.prepare("update tally set value = value + ? where name = 'pushed-out'")
  const last = () => SpoolRow.parse(newest.get() ?? empty)

  /** Removes the oldest batches while more than the quota is kept; the newest always stays. */
  const enforceQuota = () => {
    const { seq, totalBytes } = last()
    const read = slowest()
    let removed = 0
    let lost = 0
    for (const found of fromStart.iterate(seq)) {
      const row = SpoolRow.parse(found)
      if (row.totalBytes > totalBytes - quotaBytes) break
      removed = row.seq
      if (row.seq > read) lost += row.points
    }
    if (removed > 0) removeTo.run(removed)
    if (lost > 0) count.run(lost)
    return lost
  }

  const store: Pick<MetricsStore, 'append' | 'batches' | 'backlog' | 'pushedOut'> = {
    append: (points: readonly Point[]) => {
      if (points.length === 0) return 0
      const body = encodePoints(points)
      return inTransaction(db, () => {
        const { totalPoints, totalBytes } = last()
        const bytes = body.length + rowBytes
        add.run(points.length, bytes, totalPoints + points.length, totalBytes + bytes, body)
        return enforceQuota()
      })
    },
    batches: (cursor, limit) =>
      after.all(cursor, limit).map((found) => {
        const { seq, body } = BatchRow.parse(found)
        return { seq, points: decodePoints(body) }
      }),
    backlog: (cursor) => {
      const passed = upTo.get(cursor)
      if (passed) return last().totalPoints - SpoolRow.parse(passed).totalPoints
      const first = SpoolRow.parse(oldest.get() ?? empty)
      return last().totalPoints - first.totalPoints + first.points
    },
    pushedOut: () => z.int().parse(pushedOut.get()?.value),
  }
  /** Removes what every reader has; the newest batch stays, its totals go on. */
  const retain = () => {
    const { seq } = SpoolRow.parse(oldest.get() ?? empty)
    return Number(removeTo.run(Math.min(slowest(), last().seq - 1, seq + retainRows)).changes)
  }
  return { store, retain }
}

const BatchRow = z.object({ seq: z.int(), body: z.instanceof(Uint8Array) })
