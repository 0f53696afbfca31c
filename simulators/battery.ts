import type { Edge, Happening } from './device.ts'
import { between, normal, type Random } from './random.ts'

/** A lithium cell: slow decay, a little noise of the gauge. */
export function battery(random: Random) {
  let charge = between(random, 55, 100)
  return {
    /** Percent, 0..100; at one reading a minute a full cell lasts about a year. */
    level() {
      charge = Math.max(0, charge - 0.0002)
      return Math.min(100, Math.max(0, charge + normal(random) * 0.05))
    },
    drain: () => {
      charge = 8
    },
    change: () => {
      charge = 100
    },
  }
}

/** Battery events, shared by all devices with a cell. */
export function batteryHappening(
  cell: ReturnType<typeof battery>,
  what: Happening,
): Edge[] | undefined {
  if (what === 'battery-low') {
    cell.drain()
    return [{ kind: 'battery-low', state: 'active', prio: 4 }]
  }
  if (what === 'battery-changed') {
    cell.change()
    return [{ kind: 'battery-low', state: 'cleared', prio: 4 }]
  }
  return undefined
}
