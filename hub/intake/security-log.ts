import type { Logger } from 'pino'
import type { Clock } from '../rules/clock.ts'
import type { AuditStore } from '../store/audit-store.ts'
import type { RegistryStore } from '../store/registry-store.ts'
import type { Counters } from './counters.ts'

/** Writes security events without letting a flood of them become the attack. */
export interface SecurityLog {
  /** A client was refused at CONNECT. */
  refused(event: { clientId: string; remote: string; reason: string }): void
  /** A known client tried a topic that is not its own. */
  forbidden(event: { clientId: string; region: string | null; topic: string; what: string }): void
  /** Writes what is due; called once a second by its owner. */
  flush(): void
}

/** Rows written per second at most (each is a synchronous commit on intake's loop), and held back. */
const perFlush = 5
const heldBack = 100
/** How long one client's same offence is one row. */
const repeatMs = 60_000
const clientsKept = 10_000

interface Offence {
  writtenAt: number
  suppressed: number
}

/** Ids from the wire are cut and stripped of control characters before they are stored. */
const clean = (text: string, length = 128) =>
  text.slice(0, length).replaceAll(/[\p{Cc}\p{Cf}]/gu, '?')

const more = (suppressed: number) => (suppressed > 0 ? `; ${suppressed} more like it` : '')

export function securityLog(deps: {
  audit: Pick<AuditStore, 'append'>
  registry: Pick<RegistryStore, 'quarantine'>
  clock: Clock
  log: Logger
  counters: Counters
}): SecurityLog {
  const offences = new Map<string, Offence>()
  const due: (() => void)[] = []

  /** Runs `write` at the next flush unless the same offence was written within a minute. */
  function limited(key: string, write: (suppressed: number) => void) {
    const mono = deps.clock.mono()
    const known = offences.get(key)
    if (known && mono - known.writtenAt < repeatMs) {
      known.suppressed++
      return
    }
    if (due.length >= heldBack) {
      deps.counters.add('security_events_dropped')
      return
    }
    if (offences.size >= clientsKept) {
      const oldest = offences.keys().next()
      if (!oldest.done) offences.delete(oldest.value)
    }
    offences.delete(key)
    offences.set(key, { writtenAt: mono, suppressed: 0 })
    due.push(() => write(known?.suppressed ?? 0))
  }

  return {
    refused({ clientId, remote, reason }) {
      const at = deps.clock.now()
      const subject = clean(clientId, 64)
      limited(`refused ${reason} ${subject} ${remote}`, (suppressed) => {
        if (reason === 'unknown-device' || reason === 'wrong-secret')
          deps.registry.quarantine({ clientId: subject, remote, at, reason })
        deps.audit.append({
          at,
          actor: subject,
          action: 'security.connect',
          subject,
          region: null,
          outcome: 'refused',
          detail: `${reason} from ${remote}${more(suppressed)}`,
        })
      })
    },
    forbidden({ clientId, region, topic, what }) {
      const at = deps.clock.now()
      limited(`${what} ${clientId}`, (suppressed) =>
        deps.audit.append({
          at,
          actor: clientId,
          action: 'security.acl',
          subject: clean(topic),
          region,
          outcome: 'refused',
          detail: `${what}${more(suppressed)}`,
        }),
      )
    },
    flush() {
      for (const write of due.slice(0, perFlush)) {
        try {
          write()
          due.shift()
        } catch (error) {
          // Another role holds the file, or the disk is full: the rest waits for the next second.
          deps.counters.add('security_write_failures')
          deps.log.warn({ err: error }, 'security event not written yet')
          return
        }
      }
    },
  }
}
