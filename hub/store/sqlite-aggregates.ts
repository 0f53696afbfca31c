import type { DatabaseSync } from 'node:sqlite'
import { z } from 'zod'
import type { Aggregate, Point } from '../schema/metric.ts'
import { merge, packedTable, SummaryRow, type Summary } from './packed-aggregates.ts'

/** Width of one aggregate, and how long they are kept, ms. */
export const binMs = 300_000
const keepMs = 30 * 86_400_000
/** Packed values are 32-bit floats; one sum of larger ones, infinite, kept the whole table from packing. */
const valueMax = 3.4e38
/** Bins that still get points in the ordinary way: this one and the one before. */
const openBins = 1

/** The embedded time-series: count, least, mean and greatest of each numeric field per 5 minutes; true counts as 1, false as 0, so the mean of a switch is its share of time on. */
export function aggregateTable(db: DatabaseSync) {
  const ids = seriesIds(db)
  const add = db.prepare(
    `insert into aggregate (bin, id, count, min, sum, max) values (?, ?, ?, ?, ?, ?)
     on conflict (bin, id) do update set count = count + excluded.count,
       min = min(min, excluded.min), sum = sum + excluded.sum, max = max(max, excluded.max)`,
  )
  const packed = packedTable(db)
  const ends = db.prepare(
    'select (select min(bin) from aggregate) as first, (select max(bin) from aggregate) as last',
  )
  const seriesOf = db.prepare(
    'select id, series from series where deviceId = ? and field = ? order by series',
  )
  const one = db.prepare(
    'select bin, id, count, min, sum, max from aggregate where bin = ? and id = ?',
  )
  const removeOld = db.prepare(
    `delete from aggregate where (bin, id) in
       (select bin, id from aggregate where bin < ? order by bin limit ?)`,
  )
  return {
    /** Adds points. Only inside a transaction inside `whole`. */
    add(points: readonly Point[]) {
      for (const { bin, id, count, min, sum, max } of summarize(points, ids.of))
        add.run(bin, id, count, min, sum, max)
    },
    /** Forgets cached ids when the transaction that made them was rolled back. */
    whole(work: () => void) {
      try {
        work()
      } catch (error) {
        ids.clear()
        throw error
      }
    },
    /** Aggregates whose 5 minutes begin in [from, to), oldest first. */
    between: (deviceId: string, field: string, from: number, to: number): Aggregate[] => {
      const kept = range(EndsRow.parse(ends.get()), packed.ends())
      const first = Math.max(kept.first, Math.ceil(from / binMs))
      const last = Math.min(kept.last, Math.ceil(to / binMs) - 1)
      const known = seriesOf.all(deviceId, field).map((row) => SeriesRow.parse(row))
      const found: Aggregate[] = []
      // One look-up per 5 minutes: a range of bins holds every device's rows.
      for (let bin = first; bin <= last; bin += 1)
        for (const { id, series } of known) {
          const rows = [packed.one(bin, id), SummaryRow.optional().parse(one.get(bin, id))]
          for (const { count, min, sum, max } of merge(rows.filter((row) => row !== undefined)))
            found.push({
              series,
              deviceId,
              field,
              bin: bin * binMs,
              count,
              min,
              avg: sum / count,
              max,
            })
        }
      return found
    },
    /**
     * Removes at most `limit` rows older than 30 days, or the oldest of all when the file is full,
     * and packs as many of closed bins. Answers how many were removed.
     */
    retain: (now: number, limit: number, full: boolean) => {
      const bound = Math.floor((full ? now : now - keepMs) / binMs)
      const removed =
        packed.removeBefore(bound, limit) + Number(removeOld.run(bound, limit).changes)
      packed.pack(Math.floor(now / binMs) - openBins, limit)
      return removed
    },
  }
}

const EndsRow = z.object({ first: z.int().nullable(), last: z.int().nullable() })
type Ends = z.infer<typeof EndsRow>
const SeriesRow = z.object({ id: z.int(), series: z.string() })

/** From the oldest to the newest bin of both; empty (first above last) while there is none. */
const range = (a: Ends, b: Ends) => ({
  first: Math.min(a.first ?? Number.POSITIVE_INFINITY, b.first ?? Number.POSITIVE_INFINITY),
  last: Math.max(a.last ?? Number.NEGATIVE_INFINITY, b.last ?? Number.NEGATIVE_INFINITY),
})

/** One row per bin and series, so that a batch touches each stored row once. */
function summarize(
  points: readonly Point[],
  idOf: (point: Point, field: string) => number,
): Summary[] {
  const summaries: Summary[] = []
  const bins = new Map<number, Map<number, Summary>>()
  for (const point of points) {
    const bin = Math.floor(point.at / binMs)
    const rows = bins.get(bin) ?? new Map<number, Summary>()
    bins.set(bin, rows)
    for (const [field, raw] of Object.entries(point.fields)) {
      const value = typeof raw === 'boolean' ? Number(raw) : raw
      if (typeof value !== 'number' || !(Math.abs(value) <= valueMax)) continue
      const id = idOf(point, field)
      let row = rows.get(id)
      if (!row) {
        row = { bin, id, count: 0, min: value, sum: 0, max: value }
        rows.set(id, row)
        summaries.push(row)
      }
      row.count += 1
      row.min = Math.min(row.min, value)
      row.max = Math.max(row.max, value)
      row.sum += value
    }
  }
  return summaries
}

/** Numbers that stand for (series, device, field); known ones are kept in memory. */
function seriesIds(db: DatabaseSync) {
  const get = db.prepare('select id from series where deviceId = ? and series = ? and field = ?')
  const add = db.prepare('insert into series (deviceId, series, field) values (?, ?, ?)')
  const known = new Map<string, number>()
  return {
    of: ({ deviceId, series }: Point, field: string): number => {
      const key = `${deviceId}\n${series}\n${field}`
      const cached = known.get(key)
      if (cached !== undefined) return cached
      const row = get.get(deviceId, series, field)
      const id = row
        ? z.int().parse(row.id)
        : Number(add.run(deviceId, series, field).lastInsertRowid)
      known.set(key, id)
      return id
    },
    clear: () => known.clear(),
  }
}
