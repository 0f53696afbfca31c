import type { DatabaseSync, SQLOutputValue } from 'node:sqlite'
import { z } from 'zod'
import { errors } from '../errors.ts'
import { User } from '../schema/people.ts'
import { registryMigrations } from './migrations/registry.ts'
import type { PeopleStore, Session } from './people-store.ts'
import { inRelaxedTransaction, inTransaction, openSqlite } from './sqlite.ts'

export interface SqlitePeopleOptions {
  busyTimeoutMs: number
}

const UserRow = User.extend({ mustChange: z.int().transform((value) => value !== 0) })
const SessionRow = z.object({
  idHash: z.string(),
  userId: z.string(),
  createdAt: z.int(),
  lastAt: z.int(),
  expiresAt: z.int(),
})

const userColumns = Object.keys(User.shape).join(', ')
const readUser = (row: Record<string, SQLOutputValue> | undefined) => row && UserRow.parse(row)

/** Opens the people part of `registry.db`. @throws STORE_NEWER */
export async function sqlitePeople(
  file: string,
  { busyTimeoutMs }: SqlitePeopleOptions,
): Promise<PeopleStore> {
  const db = await openSqlite(file, registryMigrations, { busyTimeoutMs, synchronous: 'full' })
  return { ...personTable(db), ...sessionTable(db), close: () => db.close() }
}

function personTable(db: DatabaseSync) {
  const add = db.prepare(
    `insert into person (${userColumns}, passwordHash)
     values (:id, :name, :displayName, :role, :scope, :mustChange, :passwordHash)
     on conflict (name) do nothing`,
  )
  const byName = db.prepare(`select ${userColumns}, passwordHash from person where name = ?`)
  const byId = db.prepare(`select ${userColumns} from person where id = ?`)
  const all = db.prepare(`select ${userColumns} from person order by name`)
  const setPassword = db.prepare('update person set passwordHash = ?, mustChange = ? where id = ?')
  return {
    add: (user: User, passwordHash: string) =>
      inTransaction(db, () => {
        const row = { ...user, mustChange: Number(user.mustChange), passwordHash }
        if (add.run(row).changes === 0) throw errors.userExists(user.name)
      }),
    byName: (name: string) => {
      const row = byName.get(name)
      return row && { user: UserRow.parse(row), passwordHash: z.string().parse(row.passwordHash) }
    },
    byId: (id: string) => readUser(byId.get(id)),
    users: () => all.all().map((row) => UserRow.parse(row)),
    setPassword: (userId: string, passwordHash: string, mustChange: boolean) =>
      inTransaction(db, () => {
        const { changes } = setPassword.run(passwordHash, Number(mustChange), userId)
        if (changes === 0) throw errors.userNotFound(userId)
      }),
  }
}

function sessionTable(db: DatabaseSync) {
  const open = db.prepare(
    `insert into session (idHash, userId, createdAt, lastAt, expiresAt)
     values (:idHash, :userId, :createdAt, :lastAt, :expiresAt)`,
  )
  const byHash = db.prepare('select * from session where idHash = ?')
  const touch = db.prepare('update session set lastAt = ? where idHash = ?')
  const close = db.prepare('delete from session where idHash = ?')
  const closeOf = db.prepare('delete from session where userId = ?')
  const expire = db.prepare('delete from session where expiresAt <= ?')
  return {
    openSession: ({ idHash, userId, createdAt, lastAt, expiresAt }: Session) =>
      inTransaction(db, () => void open.run({ idHash, userId, createdAt, lastAt, expiresAt })),
    session: (idHash: string) => SessionRow.optional().parse(byHash.get(idHash)),
    touchSession: (idHash: string, lastAt: number) =>
      inRelaxedTransaction(db, () => void touch.run(lastAt, idHash)),
    closeSession: (idHash: string) => inTransaction(db, () => void close.run(idHash)),
    closeSessionsOf: (userId: string) => inTransaction(db, () => void closeOf.run(userId)),
    removeExpired: (now: number) => inRelaxedTransaction(db, () => Number(expire.run(now).changes)),
  }
}
