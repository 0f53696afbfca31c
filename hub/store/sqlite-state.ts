import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import { z } from 'zod'
import { Interval } from '../schema/state.ts'
import { stateMigrations } from './migrations/state.ts'
import { inTransaction, openSqlite } from './sqlite.ts'
import type { Life, StateChange, StateStore } from './state-store.ts'

export interface SqliteStateOptions {
  busyTimeoutMs: number
  /** `normal` by default: after a power cut the newest seconds are `unknown` anyway. */
  synchronous?: 'full' | 'normal' | undefined
}

const columns = 'deviceId, startAt as "from", endAt as "to", state, reason'
const IntervalRow = z.compile(Interval)
const ChangedRow = z.compile(Interval.extend({ change: z.int() }))
const LifeRow = z.object({ from: z.int(), at: z.int(), seen: z.instanceof(Uint8Array) })

const readInterval = (row: Record<string, SQLOutputValue>) => IntervalRow.parse(row)

/** Opens `state.db`. @throws STORE_NEWER */
export async function sqliteState(
  file: string,
  { busyTimeoutMs, synchronous }: SqliteStateOptions,
): Promise<StateStore> {
  const db = await openSqlite(file, stateMigrations, { busyTimeoutMs, synchronous })
  const apply = intervalWriter(db)
  const current = db.prepare(`select ${columns} from interval where endAt is null`)
  const touching = db.prepare(
    `select ${columns} from interval
     where deviceId = :id and startAt < :to and (endAt is null or endAt > :from)
       and startAt >= coalesce(
         (select max(startAt) from interval where deviceId = :id and startAt <= :from), :from)
     order by startAt`,
  )
  const after = db.prepare(
    `select change, ${columns} from interval where change > ? order by change limit ?`,
  )
  const newest = db.prepare('select coalesce(max(change), 0) as change from interval')
  return {
    change: (changes) =>
      inTransaction(db, () => {
        for (const change of changes) apply(change)
      }),
    current: () => current.all().map(readInterval),
    between: (deviceIds, from, to) =>
      [...deviceIds].toSorted().flatMap((id) => touching.all({ id, from, to }).map(readInterval)),
    since: (change, limit) => after.all(change, limit).map((row) => ChangedRow.parse(row)),
    lastChange: () => z.int().parse(newest.get()?.change),
    ...lifeTable(db),
    close: () => db.close(),
  }
}

/**
 * Writes one change. Intervals of a device follow each other without gap or overlap, and
 * neighbours differ; a change before the open interval's start replaces what lay after it.
 */
function intervalWriter(db: DatabaseSync) {
  const open = db.prepare(
    'select change, startAt, state, reason from interval where deviceId = ? and endAt is null',
  )
  const shut = db.prepare('update interval set endAt = ? where change = ?')
  const cut = db.prepare('delete from interval where deviceId = ? and startAt >= ?')
  const drop = db.prepare('delete from interval where change = ?')
  const last = db.prepare(
    `select change, startAt, state, reason from interval where deviceId = ?
     order by startAt desc limit 1`,
  )
  const insert = db.prepare(
    'insert into interval (deviceId, startAt, endAt, state, reason) values (?, ?, null, ?, ?)',
  )

  return (change: StateChange) => {
    const { deviceId, from, state, reason } = change
    const present = read(open.get(deviceId))
    if (present && present.startAt < from) {
      if (same(present, change)) return
      shut.run(from, present.change)
      insert.run(deviceId, from, state, reason)
      return
    }
    if (present?.startAt === from && same(present, change)) return
    // History is written anew from `from` on.
    cut.run(deviceId, from)
    const before = read(last.get(deviceId))
    if (before && same(before, change)) {
      // It goes on: open it again under a new change number, so that readers see it.
      drop.run(before.change)
      insert.run(deviceId, before.startAt, state, reason)
      return
    }
    if (before) shut.run(from, before.change)
    insert.run(deviceId, from, state, reason)
  }
}

const OpenRow = z.compile(
  z.object({ change: z.int(), startAt: z.int(), state: z.string(), reason: z.string() }),
)
type OpenRow = z.infer<typeof OpenRow>

const read = (row: Record<string, SQLOutputValue> | undefined) => row && OpenRow.parse(row)

const same = (row: OpenRow, change: StateChange) =>
  row.state === change.state && row.reason === change.reason

/** The hub's own life. Only the newest life keeps its last-seen blob (240 kB for 30,000 devices). */
function lifeTable(db: DatabaseSync): Pick<StateStore, 'live' | 'lastLife'> {
  const newest = db.prepare('select seq, startAt from life order by seq desc limit 1')
  const renew = db.prepare('update life set at = ?, seen = ? where seq = ?')
  const begin = db.prepare('insert into life (startAt, at, seen) values (?, ?, ?)')
  const forget = db.prepare("update life set seen = x'' where seen <> x''")
  const last = db.prepare('select startAt as "from", at, seen from life order by seq desc limit 1')
  return {
    live: ({ from, at, seen }: Life) =>
      inTransaction(db, () => {
        const blob = new Uint8Array(seen.buffer, seen.byteOffset, seen.byteLength)
        const row = newest.get()
        if (row?.startAt === from) {
          renew.run(at, blob, z.int().parse(row.seq))
        } else {
          forget.run()
          begin.run(from, at, blob)
        }
      }),
    lastLife: () => {
      const row = last.get()
      if (!row) return undefined
      const { from, at, seen } = LifeRow.parse(row)
      // A copy: a Float64Array must begin at a multiple of 8 bytes.
      return { from, at, seen: new Float64Array(Uint8Array.from(seen).buffer) }
    },
  }
}
