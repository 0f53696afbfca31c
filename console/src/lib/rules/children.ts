import type { SnapshotVillage } from '#schema/live.ts'

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
