import type { SnapshotVillage } from '#schema/live.ts'
import type { Shape } from './marks.ts'

/** One region below the open scope, with its counts. */
export interface Child {
  scope: string
  name: string
  open: number
  unack: number
  down: number
  degraded: number
  unknown: number
  total: number
}

/**
 * Sums villages into the children of a scope, worst first: unacknowledged alarms, open alarms, then
 * offline devices, then those nobody sees. Equal ones stay in the order of their codes.
 */
export function childrenOf(
  children: readonly { scope: string; name: string }[],
  villages: readonly SnapshotVillage[],
): Child[] {
  const blank = { open: 0, unack: 0, down: 0, degraded: 0, unknown: 0, total: 0 }
  const rows = new Map(children.map(({ scope, name }) => [scope, { scope, name, ...blank }]))
  const digits = children[0]?.scope.length ?? 12
  for (const { code, counts, open, unack } of villages) {
    const row = rows.get(code.slice(0, digits))
    if (!row) continue
    row.open += open
    row.unack += unack
    row.down += counts.down
    row.degraded += counts.degraded
    row.unknown += counts.unknown
    row.total += Object.values(counts).reduce((sum, n) => sum + n, 0)
  }
  return [...rows.values()].sort(
    (a, b) =>
      b.unack - a.unack ||
      b.open - a.open ||
      b.down - a.down ||
      b.unknown - a.unknown ||
      (a.scope < b.scope ? -1 : 1),
  )
}

/** From this share of offline devices on, a village is drawn full size. */
const badShare = 0.2

/**
 * How the county's map marks a village: an open alarm, then blindness (half of it or more), then
 * offline devices (small below 20 %), then degraded ones; a village without any is a quiet dot.
 *
 * @param stale nothing on screen is the present: only what is on record (an alarm) is still drawn
 */
export function lookOfVillage(
  { counts, open }: Pick<SnapshotVillage, 'counts' | 'open'>,
  stale: boolean,
): { shape: Shape; size: number } {
  const { up, degraded, down, unknown } = counts
  const watched = up + degraded + down + unknown
  if (open > 0) return { shape: 'alarm', size: 1 }
  if (watched > 0 && (stale || unknown * 2 >= watched)) return { shape: 'unknown', size: 0.8 }
  if (down > 0) return { shape: 'offline', size: down >= watched * badShare ? 1 : 0.5 }
  if (degraded > 0) return { shape: 'warn', size: 0.5 }
  return watched > 0 ? { shape: 'ok', size: 0.8 } : { shape: 'idle', size: 1 }
}
