import { createHash, randomBytes } from 'node:crypto'
import type { Clock } from '../rules/clock.ts'
import type { Principal, User } from '../schema/people.ts'
import type { PeopleStore } from '../store/people-store.ts'

/** A session ends this long after its last use. */
export const idleMs = 12 * 3_600_000
/** A session ends this long after sign-in, however much it is used. */
export const longestMs = 24 * 3_600_000
/** Uses closer together than this are written once. */
const touchMs = 60_000

/** Who stands behind a request or a socket. */
export interface Visit {
  /** SHA-256 hex of the cookie: names the session without being able to open it. */
  idHash: string
  user: User
  principal: Principal
  expiresAt: number
}

export interface Sessions {
  /** Opens a session and returns the cookie's value: 256 random bits, never stored. */
  open(user: User): { token: string; visit: Visit }
  /** The live session behind a cookie; undefined when there is none, it ended, or its user is gone. */
  visit(token: string | undefined): Visit | undefined
  /** The same by its hash, without counting as use: for sockets that are already open. */
  peek(idHash: string): Visit | undefined
  close(idHash: string): void
  closeAllOf(userId: string): void
  /** Removes what has expired. Returns how many. */
  sweep(): number
}

const hashOf = (token: string) => createHash('sha256').update(token).digest('hex')
const tokenShape = /^[A-Za-z0-9_-]{43}$/

/** The part of a user that decides what he may do. */
export const principalOf = ({ id, name, displayName, role, scope }: User): Principal => ({
  id,
  name,
  displayName,
  role,
  scope,
})

/** Server-side sessions over the people store: 12 h idle, 24 h at most. */
export function sessions({ people, clock }: { people: PeopleStore; clock: Clock }): Sessions {
  function peek(idHash: string): Visit | undefined {
    const row = people.session(idHash)
    const now = clock.now()
    if (!row || now >= row.expiresAt || now - row.lastAt >= idleMs) return undefined
    const user = people.byId(row.userId)
    if (!user) return undefined
    return { idHash, user, principal: principalOf(user), expiresAt: row.expiresAt }
  }
  return {
    open(user) {
      const token = randomBytes(32).toString('base64url')
      const idHash = hashOf(token)
      const now = clock.now()
      const expiresAt = now + longestMs
      people.openSession({ idHash, userId: user.id, createdAt: now, lastAt: now, expiresAt })
      return { token, visit: { idHash, user, principal: principalOf(user), expiresAt } }
    },
    visit(token) {
      if (token === undefined || !tokenShape.test(token)) return undefined
      const idHash = hashOf(token)
      const visit = peek(idHash)
      if (!visit) return undefined
      const lastAt = people.session(idHash)?.lastAt ?? 0
      if (clock.now() - lastAt >= touchMs) people.touchSession(idHash, clock.now())
      return visit
    },
    peek,
    close: (idHash) => people.closeSession(idHash),
    closeAllOf: (userId) => people.closeSessionsOf(userId),
    sweep: () => people.removeExpired(clock.now()),
  }
}
