import { chmodSync, existsSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { sqliteAlarms } from '../../hub/store/sqlite-alarms.ts'
import { sqliteAudit } from '../../hub/store/sqlite-audit.ts'
import { sqliteMetrics } from '../../hub/store/sqlite-metrics.ts'
import { sqlitePeople } from '../../hub/store/sqlite-people.ts'
import { sqliteRegistry } from '../../hub/store/sqlite-registry.ts'
import { inTransaction, openSqlite, statements } from '../../hub/store/sqlite.ts'
import { sqliteState } from '../../hub/store/sqlite-state.ts'
import { temporaryDir } from '../support/store-places.ts'

const busyTimeoutMs = 2_000
const rowsOf = (file: string, text: string) => {
  const db = new DatabaseSync(file)
  const rows = db.prepare(text).all()
  db.close()
  return rows
}

const newFile = () => join(temporaryDir(), 'store.db')

describe.each([
  ['alarms', sqliteAlarms],
  ['audit', sqliteAudit],
  ['metrics', sqliteMetrics],
  ['people', sqlitePeople],
  ['registry', sqliteRegistry],
  ['state', sqliteState],
] as const)('%s', (_name, open) => {
  const openFile = (file: string): Promise<{ close(): void }> => open(file, { busyTimeoutMs })
  test('an empty file is migrated, an up-to-date one is left alone', async () => {
    const file = newFile()
    ;(await openFile(file)).close()
    const migrations = rowsOf(file, 'select name, timestamp from kysely_migration')
    expect(migrations.length).toBeGreaterThan(0)
    ;(await openFile(file)).close()
    expect(rowsOf(file, 'select name, timestamp from kysely_migration')).toEqual(migrations)
    expect(rowsOf(file, 'pragma journal_mode')).toEqual([{ journal_mode: 'wal' }])
  })

  test('nobody but the hub’s own account reads the file, however open the folder is', async () => {
    const file = newFile()
    const modes = () =>
      ['', '-wal', '-shm'].flatMap((end) => {
        const found = statSync(`${file}${end}`, { throwIfNoEntry: false })
        return found ? [(found.mode & 0o777).toString(8)] : []
      })
    const first = await openFile(file)
    expect(modes()).toEqual(['600', '600', '600'])
    first.close()
    // As an earlier version or a restored copy left it.
    chmodSync(file, 0o644)
    const again = await openFile(file)
    expect(modes()).toEqual(['640', '640', '640'])
    again.close()
  })

  test('a file of a newer hub is refused and left as it is', async () => {
    const file = newFile()
    ;(await openFile(file)).close()
    const db = new DatabaseSync(file)
    db.exec("insert into kysely_migration values ('9999-future', '2030-01-01')")
    db.close()
    await expect(openFile(file)).rejects.toThrow(
      expect.objectContaining({ code: 'STORE_NEWER', message: expect.stringContaining(file) }),
    )
    expect(rowsOf(file, 'pragma quick_check')).toEqual([{ quick_check: 'ok' }])
  })

  test('two stores of one process may open one new file at once', async () => {
    const file = newFile()
    const both = await Promise.all([openFile(file), openFile(file)])
    for (const store of both) store.close()
    const names = rowsOf(file, 'select name from kysely_migration').map(({ name }) => name)
    expect(new Set(names).size).toBe(names.length)
  })

  test('a store in memory works like one in a file', async () => {
    const store = await openFile(':memory:')
    expect(() => store.close()).not.toThrow()
  })
})

describe('migrations', () => {
  const first = statements('create table a (x integer) strict', 'insert into a values (1)')
  const options = { busyTimeoutMs }

  test('run once each, in the order of their names', async () => {
    const file = newFile()
    ;(await openSqlite(file, { '0001-a': first }, options)).close()
    const more = {
      '0003-c': statements('update a set x = x * 10'),
      '0001-a': first,
      '0002-b': statements('update a set x = x + 1'),
    }
    ;(await openSqlite(file, more, options)).close()
    ;(await openSqlite(file, more, options)).close()
    expect(rowsOf(file, 'select x from a')).toEqual([{ x: 20 }])
  })

  test('one that fails leaves nothing of itself; those before it stay', async () => {
    const file = newFile()
    const broken = {
      '0001-a': first,
      '0002-b': statements('create table b (x integer)', 'update missing set x = 1'),
    }
    await expect(openSqlite(file, broken, options)).rejects.toThrow('no such table: missing')
    expect(rowsOf(file, "select name from sqlite_schema where name in ('a', 'b')")).toEqual([
      { name: 'a' },
    ])
    const mended = { '0001-a': first, '0002-b': statements('create table b (x integer)') }
    const db = await openSqlite(file, mended, options)
    expect(db.prepare('select * from b').all()).toEqual([])
    db.close()
  })

  test('wait for another process that holds the file, without blocking this one', async () => {
    const file = newFile()
    const other = new DatabaseSync(file)
    other.exec('pragma journal_mode = wal; begin immediate')
    let turns = 0
    const turning = setInterval(() => {
      turns += 1
      if (turns === 5) other.exec('commit')
    }, 10)
    const db = await openSqlite(file, { '0001-a': first }, options)
    clearInterval(turning)
    expect(turns).toBeGreaterThanOrEqual(5)
    db.close()
    other.close()
  })
})

const opened = () =>
  openSqlite(
    ':memory:',
    { '0001-a': statements('create table a (x integer) strict') },
    {
      busyTimeoutMs,
    },
  )

describe('a transaction', () => {
  test('that throws is rolled back and the connection is free again', async () => {
    const db = await opened()
    const failing = () =>
      inTransaction(db, () => {
        db.exec('insert into a values (1)')
        throw new Error('no')
      })
    expect(failing).toThrow('no')
    expect(db.isTransaction).toBe(false)
    inTransaction(db, () => db.exec('insert into a values (2)'))
    expect(db.prepare('select x from a').all()).toEqual([{ x: 2 }])
    db.close()
  })

  test('answers what its work answers', async () => {
    const db = await opened()
    expect(inTransaction(db, () => 42)).toBe(42)
    db.close()
  })
})

test('a database in memory leaves no file', async () => {
  const db = await openSqlite(':memory:', {}, { busyTimeoutMs })
  db.close()
  expect(existsSync(':memory:')).toBe(false)
})
