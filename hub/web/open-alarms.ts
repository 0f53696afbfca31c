import { byUrgency, isOpen, isUnack } from '../rules/alarm.ts'
import { within } from '../rules/scope.ts'
import type { Alarm } from '../schema/alarm.ts'
import type { AlarmStore } from '../store/alarm-store.ts'

/** Rows read at once. */
const pageRows = 500

export interface AlarmCount {
  open: number
  unack: number
}

/** Open alarms in memory with counts per village, kept by following the store's `change`. */
export interface OpenAlarms {
  /** Reads past the cursor; hands every changed row to `changed`. */
  poll(changed: (alarm: Alarm) => void): void
  /** Open alarms inside a scope: unacknowledged first, then priority, then newest. */
  within(scope: string): Alarm[]
  count(scope: string): AlarmCount
  /** Newest raise or repeat inside a scope since the start, open or not. */
  lastAt(scope: string): number | null
}

function* everyOpen(alarms: Pick<AlarmStore, 'list'>): Generator<Alarm> {
  const regions = { from: '000000000000', to: '999999999999' }
  let before: { raisedAt: number; id: string } | undefined
  for (;;) {
    const page = alarms.list({ regions, open: true, before, limit: pageRows })
    yield* page
    const last = page.at(-1)
    if (!last || page.length < pageRows) return
    before = { raisedAt: last.raisedAt, id: last.id }
  }
}

/** Loads what is open now and follows from there. */
export function openAlarms(alarms: Pick<AlarmStore, 'list' | 'since' | 'lastChange'>): OpenAlarms {
  // The cursor is taken first: a row that changes while the list is read is read once more.
  let cursor = alarms.lastChange()
  const rows = new Map<string, Alarm>()
  const villages = new Map<string, AlarmCount>()
  const newest = new Map<string, number>()

  function add(alarm: Alarm, sign: 1 | -1) {
    const count = villages.get(alarm.region) ?? { open: 0, unack: 0 }
    count.open += sign
    if (isUnack(alarm)) count.unack += sign
    villages.set(alarm.region, count)
  }
  function put(alarm: Alarm) {
    const old = rows.get(alarm.id)
    if (old) add(old, -1)
    rows.delete(alarm.id)
    newest.set(alarm.region, Math.max(newest.get(alarm.region) ?? 0, alarm.lastAt))
    if (!isOpen(alarm)) return
    rows.set(alarm.id, alarm)
    add(alarm, 1)
  }
  const newestClosed = alarms.list({
    regions: { from: '000000000000', to: '999999999999' },
    limit: pageRows,
  })
  for (const alarm of newestClosed) put(alarm)
  for (const alarm of everyOpen(alarms)) put(alarm)

  return {
    poll(changed) {
      for (;;) {
        const page = alarms.since(cursor, pageRows)
        for (const alarm of page) {
          cursor = Math.max(cursor, alarm.change)
          put(alarm)
          changed(alarm)
        }
        if (page.length < pageRows) return
      }
    },
    within: (scope) =>
      [...rows.values()].filter(({ region }) => within(region, scope)).toSorted(byUrgency),
    count(scope) {
      if (scope.length === 12) return { open: 0, unack: 0, ...villages.get(scope) }
      const sum = { open: 0, unack: 0 }
      for (const [region, { open, unack }] of villages)
        if (within(region, scope)) {
          sum.open += open
          sum.unack += unack
        }
      return sum
    },
    lastAt(scope) {
      let last = 0
      for (const [region, at] of newest) if (within(region, scope)) last = Math.max(last, at)
      return last || null
    },
  }
}
