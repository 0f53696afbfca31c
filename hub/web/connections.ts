import type { Sessions, Visit } from './sessions.ts'

/** Sockets one session may hold at once: tabs and a wall, not a flood. */
const perSessionMax = 24

/** Every open socket with the session it was let in by. */
export interface Connections {
  /** Keeps a socket until the returned function is called; undefined when the session holds too many. */
  add(visit: Visit, end: (why: string) => void): (() => void) | undefined
  /** Ends the sockets whose session ended or whose user was changed. */
  check(): void
  count(): number
  closeAll(): void
}

const sameRights = (a: Visit['principal'], b: Visit['principal']) =>
  a.role === b.role && a.scope === b.scope && a.displayName === b.displayName

/** Rights are asked for again as long as a socket is open, not only when it opens. */
export function connections(sessions: Pick<Sessions, 'peek'>): Connections {
  interface Held {
    visit: Visit
    end: (why: string) => void
  }
  const bySession = new Map<string, Set<Held>>()
  return {
    add(visit, end) {
      const held = bySession.get(visit.idHash) ?? new Set<Held>()
      if (held.size >= perSessionMax) return undefined
      bySession.set(visit.idHash, held)
      const mine = { visit, end }
      held.add(mine)
      return () => {
        held.delete(mine)
        if (held.size === 0 && bySession.get(visit.idHash) === held) bySession.delete(visit.idHash)
      }
    },
    check() {
      for (const [idHash, held] of bySession) {
        const now = sessions.peek(idHash)
        for (const { visit, end } of held)
          if (!now || now.user.mustChange) end('session ended')
          else if (!sameRights(now.principal, visit.principal)) end('rights changed')
      }
    },
    count() {
      let sum = 0
      for (const held of bySession.values()) sum += held.size
      return sum
    },
    closeAll() {
      for (const held of bySession.values()) for (const { end } of held) end('hub stops')
    },
  }
}
