import { chmodSync, closeSync, openSync, statSync } from 'node:fs'
import { DatabaseSync, type SQLInputValue } from 'node:sqlite'
import { setTimeout as delay } from 'node:timers/promises'
import { Kysely, SqliteDialect, sql, type SqliteDatabase } from 'kysely'
import { Migrator, type Migration } from 'kysely/migration'
import { HubError, errors } from '../errors.ts'

/** Migrations by name; names sort in the order they run (`0001-...`). Forward only. */
export type Migrations = Readonly<Record<string, Migration>>

export interface SqliteOptions {
  /** How long a statement waits for another process's lock, ms; 0 answers STORE_BUSY at once. */
  busyTimeoutMs: number
  /** `full`: a commit is on the disk when it returns; `normal`: a power cut may lose the newest. */
  synchronous?: 'full' | 'normal' | undefined
}

/** Longest wait for another process that opens or migrates the same file, ms. */
const openTimeoutMs = 15_000

/** SQLITE_BUSY with all its extended codes (261 recovery, 517 snapshot). */
export const isBusy = (error: unknown) =>
  error instanceof Error && 'errcode' in error && (Number(error.errcode) & 0xff) === 5

/** Runs one SQL statement after the other: the body of a migration (a prepared text holds only one). */
export const statements = (...texts: readonly string[]): Migration => ({
  up: async (db) => {
    for (const text of texts) await sql.raw(text).execute(db)
  },
})

const values = (list: readonly unknown[]) =>
  list.map((value): SQLInputValue => {
    if (value === null || typeof value === 'string' || typeof value === 'number') return value
    throw new TypeError(`a migration cannot bind ${typeof value}`)
  })

/** node:sqlite in the shape Kysely's SqliteDialect asks for. */
const dialectDatabase = (db: DatabaseSync): SqliteDatabase => ({
  close: () => undefined,
  prepare: (text) => {
    const statement = db.prepare(text)
    return {
      reader: statement.columns().length > 0,
      all: (list) => statement.all(...values(list)),
      run: (list) => statement.run(...values(list)),
      iterate: (list) => statement.iterate(...values(list)),
    }
  },
})

/**
 * Pages of the log before it is carried into the file (4 KiB each). SQLite's 1,000 made every two
 * hundredth alarm wait for a checkpoint's syncs, which stood in the p99 of alarm-on-disk.
 */
const checkpointPages = 4000

/**
 * Opens a database file (WAL) and brings its schema up to date, waiting politely while another
 * process does the same.
 *
 * @throws STORE_NEWER when the file carries a migration this program does not know
 * @throws STORE_BUSY when another process keeps the file locked for 15 s
 */
export async function openSqlite(
  file: string,
  migrations: Migrations,
  { busyTimeoutMs, synchronous = 'normal' }: SqliteOptions,
): Promise<DatabaseSync> {
  closeToOthers(file)
  const db = new DatabaseSync(file, { timeout: 0 })
  try {
    await untilFree(() => db.exec('pragma journal_mode = wal'))
    db.exec(`pragma synchronous = ${synchronous === 'full' ? 'full' : 'normal'};
      pragma wal_autocheckpoint = ${checkpointPages};
      pragma journal_size_limit = 67108864; pragma trusted_schema = off;`)
    await migrate(db, file, migrations)
    db.exec(`pragma busy_timeout = ${Math.max(0, Math.trunc(busyTimeoutMs))}`)
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

/**
 * A new file is the hub's own account's alone, an old one is closed to strangers: password hashes,
 * sessions and who watched whom stand in it, and a data folder made by hand is often open. What a group
 * was given stays. SQLite gives its -wal and -shm the mode of the file.
 */
function closeToOthers(file: string) {
  if (file === ':memory:') return
  const found = statSync(file, { throwIfNoEntry: false })
  if (!found) closeSync(openSync(file, 'a', 0o600))
  else if ((found.mode & 0o007) !== 0 && found.uid === process.geteuid?.())
    for (const each of [file, `${file}-wal`, `${file}-shm`])
      if (statSync(each, { throwIfNoEntry: false })) chmodSync(each, found.mode & 0o770)
}

/**
 * Tries until the lock is free. The wait is asynchronous: two stores of one process may open one
 * file at once, and a blocking wait would then wait for itself.
 */
async function untilFree<Result>(attempt: () => Result): Promise<Result> {
  for (let waitedMs = 0; ; waitedMs += 20) {
    try {
      return attempt()
    } catch (error) {
      if (!isBusy(error)) throw error
      if (waitedMs >= openTimeoutMs) throw errors.storeBusy()
      await delay(20)
    }
  }
}

async function migrate(db: DatabaseSync, file: string, migrations: Migrations): Promise<void> {
  const names = Object.keys(migrations).toSorted()
  if (pending(db, file, names).length === 0) return
  const kysely = new Kysely<unknown>({
    dialect: new SqliteDialect({ database: dialectDatabase(db) }),
  })
  const migrator = new Migrator({
    db: kysely,
    provider: { getMigrations: async () => ({ ...migrations }) },
  })
  for (;;) {
    await untilFree(() => db.exec('begin immediate'))
    try {
      // Another process may have migrated while this one waited for the lock.
      const missing = pending(db, file, names)
      const { error } = missing.length > 0 ? await migrator.migrateUp() : {}
      if (error) throw error
      db.exec('commit')
      if (missing.length <= 1) return
    } catch (error) {
      if (db.isTransaction) db.exec('rollback')
      throw error
    }
  }
}

/** Names that have not run yet. @throws STORE_NEWER */
function pending(db: DatabaseSync, file: string, names: readonly string[]): string[] {
  const table = db.prepare("select 1 from sqlite_schema where name = 'kysely_migration'").get()
  const done = new Set(
    table
      ? db
          .prepare('select name from kysely_migration')
          .all()
          .map((row) => row.name)
      : [],
  )
  const missing = names.filter((name) => !done.delete(name))
  if (done.size > 0) throw errors.storeNewer(file)
  return missing
}

/**
 * Runs `work` in one `begin immediate` transaction and commits; whatever it throws rolls back.
 *
 * @throws STORE_BUSY when another process holds the file longer than the busy timeout
 */
export function inTransaction<Result>(db: DatabaseSync, work: () => Result): Result {
  try {
    db.exec('begin immediate')
    const result = work()
    db.exec('commit')
    return result
  } catch (error) {
    if (db.isTransaction) db.exec('rollback')
    if (error instanceof HubError || !isBusy(error)) throw error
    throw errors.storeBusy()
  }
}

/**
 * `inTransaction` of a FULL database without waiting for the disk: for what a power cut may take
 * (a session's last use, a knock at the door), measured 0.1 against 2.3 ms. Later FULL commits
 * of the same file carry it to the disk with them.
 */
export function inRelaxedTransaction<Result>(db: DatabaseSync, work: () => Result): Result {
  db.exec('pragma synchronous = normal')
  try {
    return inTransaction(db, work)
  } finally {
    db.exec('pragma synchronous = full')
  }
}
