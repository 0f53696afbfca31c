import { byUrgency, isOpen, isUnack } from '../rules/alarm.ts'
import { regionRange, within } from '../rules/scope.ts'
import type { Alarm } from '../schema/alarm.ts'
import type { AlarmStore } from '../store/alarm-store.ts'

/** Rows read at once. */
const pageRows = 500
/** A row may have been raised before another and repeated after it: of so many the newest edge is taken. */
const newestRows = 50

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
  /** Newest raise or repeat inside a scope, open or not, as far back as the store goes. */
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
  /** Newest edge by scope: read from the store when it is first asked for, then followed. */
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
    for (const digits of [6, 9, 12]) {
      const scope = alarm.region.slice(0, digits)
      const known = newest.get(scope)
      if (known !== undefined) newest.set(scope, Math.max(known, alarm.lastAt))
    }
    if (!isOpen(alarm)) return
    rows.set(alarm.id, alarm)
    add(alarm, 1)
  }
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
      let last = newest.get(scope)
      if (last === undefined) {
        const page = alarms.list({ regions: regionRange(scope), limit: newestRows })
        last = page.reduce((latest, { lastAt }) => Math.max(latest, lastAt), 0)
        for (const { region, lastAt } of rows.values())
          if (within(region, scope)) last = Math.max(last, lastAt)
        newest.set(scope, last)
      }
      return last || null
    },
  }
}
