import type { User } from '../schema/people.ts'

export interface Session {
  /** SHA-256 hex of the cookie's 256 random bits. */
  idHash: string
  userId: string
  createdAt: number
  lastAt: number
  expiresAt: number
}

/** People and their sessions (`registry.db`). */
export interface PeopleStore {
  /** @throws USER_EXISTS */
  add(user: User, passwordHash: string): void
  byName(name: string): { user: User; passwordHash: string } | undefined
  byId(id: string): User | undefined
  users(): User[]
  setPassword(userId: string, passwordHash: string, mustChange: boolean): void
  openSession(session: Session): void
  session(idHash: string): Session | undefined
  touchSession(idHash: string, lastAt: number): void
  closeSession(idHash: string): void
  closeSessionsOf(userId: string): void
  removeExpired(now: number): number
  close(): void
}
