import { randomBytes } from 'node:crypto'
import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import { z } from 'zod'
import { Alarm, type AlarmEvent } from '../schema/alarm.ts'
import { applyEdge, raiseAlarm } from '../rules/alarm.ts'
import { alarmIds } from './alarm-id.ts'
import type { Accepted, AlarmQuery, AlarmStore, Reject } from './alarm-store.ts'
import { alarmMigrations } from './migrations/alarms.ts'
import { inTransaction, openSqlite } from './sqlite.ts'

export interface SqliteAlarmsOptions {
  /** 0 for intake (it tries again next tick), seconds for every other role. */
  busyTimeoutMs: number
  /** Chance in alarm ids; the system's by default. */
  random?: ((size: number) => Uint8Array) | undefined
}

type Row = Record<string, SQLOutputValue>

/** Without boot and sequence a resent packet is known again this long, ms. */
const resendWindowMs = 60_000
/** Rows of the reject table, and the bytes kept of one payload: at most 80 MB in all. */
const rejectRows = 10_000
const rejectBytes = 8_192

const AlarmRow = z.compile(Alarm)
const RejectRow = z.compile(
  z.object({
    at: z.int(),
    deviceId: z.string(),
    topic: z.string(),
    reason: z.string(),
    payload: z.instanceof(Uint8Array),
  }),
)

const read = (row: Row | undefined) => (row ? AlarmRow.parse(row) : undefined)
const columns = Object.keys(Alarm.shape)

/**
 * Opens `alarms.db` with synchronous=FULL: what is accepted is on the disk.
 *
 * @throws STORE_NEWER
 */
export async function sqliteAlarms(
  file: string,
  { busyTimeoutMs, random = randomBytes }: SqliteAlarmsOptions,
): Promise<AlarmStore> {
  const db = await openSqlite(file, alarmMigrations, { busyTimeoutMs, synchronous: 'full' })
  const desk = alarmTable(db)
  const take = eventTaker(db, desk, alarmIds(random))
  const reject = rejectTable(db)
  return {
    accept: (events, rejects) =>
      inTransaction(db, () => {
        const accepted = events.map(take)
        reject.put(rejects)
        return accepted
      }),
    get: desk.get,
    change: (id, next) =>
      inTransaction(db, () => {
        const alarm = desk.get(id)
        return alarm && desk.put(next(alarm), null)
      }),
    list: desk.list,
    since: desk.since,
    lastChange: desk.lastChange,
    countsByVillage: desk.countsByVillage,
    rejects: reject.list,
    close: () => db.close(),
  }
}

/** The alarm rows and the outbox row that belongs to each of their changes. */
function alarmTable(db: DatabaseSync) {
  const one = (text: string) => db.prepare(`select ${columns.join(', ')} from alarm where ${text}`)
  const upsert = db.prepare(
    `insert into alarm (${columns.join(', ')}) values (${columns.map((name) => `:${name}`).join(', ')})
     on conflict (id) do update set ${columns.map((name) => `${name} = excluded.${name}`).join(', ')}`,
  )
  upsert.setAllowUnknownNamedParameters(true)
  const send = db.prepare('insert into outbox (change, alarmId, eventSeq, at) values (?, ?, ?, ?)')
  const byId = one('id = ?')
  const openAt = one("deviceId = ? and kind = ? and point = ? and state <> 'closed'")
  const openOf = db.prepare(
    "select count(*) as open from alarm where deviceId = ? and state <> 'closed'",
  )
  const after = one('change > ? order by change limit ?')
  const newest = db.prepare('select coalesce(max(change), 0) as change from alarm')
  const counts = db.prepare(
    `select region, count(*) as open,
       sum(state in ('unack-active', 'returned-unack')) as unack
     from alarm where state <> 'closed' and region between ? and ? group by region`,
  )
  const lastChange = () => z.int().parse(newest.get()?.change)
  return {
    get: (id: string) => read(byId.get(id)),
    openAt: ({ deviceId, kind, point }: Place) => read(openAt.get(deviceId, kind, point)),
    /** Open rows of one device. */
    openOf: (deviceId: string) => z.int().parse(openOf.get(deviceId)?.open),
    /** Writes a row under the next change number, with its outbox row. Only inside a transaction. */
    put(row: Omit<Alarm, 'change'>, eventSeq: number | null): Alarm {
      const alarm = { ...row, change: lastChange() + 1 }
      upsert.run(alarm)
      send.run(alarm.change, alarm.id, eventSeq, alarm.lastAt)
      return alarm
    },
    list: alarmPages(db),
    since: (change: number, limit: number) =>
      after.all(change, limit).map((row) => AlarmRow.parse(row)),
    lastChange,
    countsByVillage: ({ from, to }: { from: string; to: string }) =>
      counts.all(from, to).map((row) => VillageCount.parse(row)),
  }
}

/** What an alarm row stands for. */
type Place = Pick<AlarmEvent, 'deviceId' | 'kind' | 'point'>

const VillageCount = z.object({ region: z.string(), open: z.int(), unack: z.int() })

/**
 * One statement per shape of question, so that each walks the index made for it: open rows are few
 * among millions, and so are the rows of one village.
 */
function alarmPages(db: DatabaseSync) {
  const page = (life: string, where: string) =>
    db.prepare(
      `select ${columns.join(', ')} from alarm
       where ${life} and ${where}
         and (:states is null or state in (select value from json_each(:states)))
         and raisedAt <= :at and (raisedAt < :at or id > :id)
       order by raisedAt desc, id limit :limit`,
    )
  const pages = (where: string) => ({
    open: page("state <> 'closed'", where),
    closed: page("state = 'closed'", where),
    any: page('true', where),
  })
  // The plus keeps SQLite from the village index, whose rows it would have to sort.
  const inRange = pages('+region between :from and :to')
  const inVillage = pages('region = :from and :from = :to')
  return ({ regions: { from, to }, open, states, before, limit }: AlarmQuery): Alarm[] => {
    const { at, id } = before ? { at: before.raisedAt, id: before.id } : beyond
    const life = open === undefined ? 'any' : open ? 'open' : 'closed'
    const rows = (from === to ? inVillage : inRange)[life].all({
      from,
      to,
      states: states ? JSON.stringify(states) : null,
      at,
      id,
      limit,
    })
    return rows.map((row) => AlarmRow.parse(row))
  }
}

/** A cursor before the newest row. */
const beyond = { at: Number.MAX_SAFE_INTEGER, id: '' }

/**
 * Open rows of one device. A panel has at most 256 zones; a device that names more is broken or hostile,
 * and 500 new rows a second would fill the desk of the whole county.
 */
const openRowsMax = 256
/** The one row that stands for everything a device says beyond that (ISA-18.2: alarm flood). */
const flood = { kind: 'alarm-flood', point: '' } as const

/** Takes one event: stores it unless it is known, and moves its alarm. */
function eventTaker(
  db: DatabaseSync,
  desk: ReturnType<typeof alarmTable>,
  newId: (at: number) => string,
) {
  const keep = eventKeeper(db)

  /** The event as the desk shows it: its own row, or that of the flood when the device has too many. */
  function onDesk(event: AlarmEvent): [event: AlarmEvent, alarm: Alarm | undefined] {
    const alarm = desk.openAt(event)
    if (alarm || event.edge === 'cleared' || desk.openOf(event.deviceId) < openRowsMax)
      return [event, alarm]
    const folded = { ...event, ...flood }
    return [folded, desk.openAt(folded)]
  }

  return (event: AlarmEvent): Accepted => {
    const eventSeq = keep(event)
    if (eventSeq === undefined) return { outcome: 'duplicate', alarm: desk.openAt(event) }
    const [shown, alarm] = onDesk(event)
    if (alarm) {
      const outcome = shown.edge === 'cleared' ? 'returned' : 'repeated'
      return { outcome, alarm: desk.put(applyEdge(alarm, shown), eventSeq) }
    }
    if (shown.edge === 'cleared') return { outcome: 'stray', alarm: undefined }
    return {
      outcome: 'raised',
      alarm: desk.put(raiseAlarm(shown, newId(shown.receivedAt)), eventSeq),
    }
  }
}

/** Writes events once; answers the row's number, undefined for a packet that came before. */
function eventKeeper(db: DatabaseSync) {
  const add = db.prepare(
    `insert into event (deviceId, region, boot, deviceSeq, kind, point, edge, priority,
       deviceAt, receivedAt, assured, fingerprint, resent)
     values (:deviceId, :region, :boot, :seq, :kind, :point, :edge, :priority,
       :deviceAt, :receivedAt, :assured, :fingerprint, :resent)
     on conflict (deviceId, boot, deviceSeq) where boot is not null and deviceSeq is not null
     do nothing`,
  )
  add.setAllowUnknownNamedParameters(true)
  const bare = db.prepare(
    `select 1 from event where (boot is null or deviceSeq is null)
       and deviceId = ? and fingerprint = ? and receivedAt between ? and ? limit 1`,
  )
  const same = db.prepare(
    `select 1 from event where deviceId = ? and boot = ? and deviceSeq = ?
       and kind = ? and point = ? and edge = ?`,
  )
  const wasBare = ({ deviceId, fingerprint, receivedAt }: AlarmEvent) =>
    bare.get(deviceId, fingerprint, receivedAt - resendWindowMs, receivedAt + resendWindowMs)
  function put(event: AlarmEvent): number | undefined {
    const row = { ...event, assured: Number(event.assured), resent: Number(event.resent) }
    const { changes, lastInsertRowid } = add.run(row)
    return changes === 0 ? undefined : Number(lastInsertRowid)
  }

  return (event: AlarmEvent): number | undefined => {
    const { deviceId, boot, seq, kind, point, edge } = event
    if (boot === null || seq === null)
      return event.resent && wasBare(event) ? undefined : put(event)
    const kept = put(event)
    if (kept !== undefined || same.get(deviceId, boot, seq, kind, point, edge)) return kept
    // The number was used for something else: the device counts anew under its old boot id. What it
    // says now is no resend and must not be lost, so it is kept like an event without a number.
    return event.resent && wasBare(event) ? undefined : put({ ...event, seq: null })
  }
}

/** Raw frames nobody could read; the oldest go when there are more than 10,000. */
function rejectTable(db: DatabaseSync) {
  const add = db.prepare(
    'insert into reject (at, deviceId, topic, reason, payload) values (?, ?, ?, ?, ?)',
  )
  const trim = db.prepare('delete from reject where seq <= (select max(seq) from reject) - ?')
  const newest = db.prepare(
    'select at, deviceId, topic, reason, payload from reject order by seq desc limit ?',
  )
  return {
    put(rejects: readonly Reject[]) {
      for (const { at, deviceId, topic, reason, payload } of rejects)
        add.run(at, deviceId, topic, reason, payload.subarray(0, rejectBytes))
      if (rejects.length > 0) trim.run(rejectRows)
    },
    list: (limit: number): Reject[] => newest.all(limit).map((row) => RejectRow.parse(row)),
  }
}
