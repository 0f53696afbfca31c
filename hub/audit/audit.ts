import type { Clock } from '../rules/clock.ts'
import type { AuditLine, AuditStore } from '../store/audit-store.ts'

/** The audit as every role gets it: lines are bounded and cleaned on the way in. */
export interface AuditWriter extends AuditStore {
  /** Appends a line with the time of now; answers its sequence. */
  write(line: Omit<AuditLine, 'at'>): number
}

/** Longest values in UTF-16 units: text from the wire must not fill the disk. */
const lengths = { actor: 64, action: 64, subject: 128, region: 12, detail: 512 } as const

/** Control and format characters (bidi marks too) would let a name forge a line on a screen. */
const clean = (text: string, length: number) =>
  text.slice(0, length).replaceAll(/[\p{Cc}\p{Cf}\p{Co}\p{Cs}\p{Zl}\p{Zp}]/gu, '?')

/** The one audit writer of a process; `append` keeps the time that the caller gives. */
export function auditWriter(store: AuditStore, clock: Pick<Clock, 'now'>): AuditWriter {
  const append = (line: AuditLine) =>
    store.append({
      at: line.at,
      actor: clean(line.actor, lengths.actor),
      action: clean(line.action, lengths.action),
      subject: clean(line.subject, lengths.subject),
      region: line.region === null ? null : clean(line.region, lengths.region),
      outcome: line.outcome,
      detail: clean(line.detail, lengths.detail),
    })
  return {
    append,
    write: (line) => append({ ...line, at: clock.now() }),
    list: (query) => store.list(query),
    close: () => store.close(),
  }
}
