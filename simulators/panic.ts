import { battery, batteryHappening } from './battery.ts'
import type { Behaviour } from './device.ts'
import type { Random } from './random.ts'

/** Emergency button on a battery: a press is one pulse, priority 1; it has no end of its own. */
export function panic(random: Random): Behaviour {
  const cell = battery(random)
  return {
    mains: false,
    caps: ['panic', 'battery'],
    readings: () => ({}),
    battery: () => cell.level(),
    happen: (what) =>
      what === 'press'
        ? [{ kind: 'panic', state: 'pulse', prio: 1 }]
        : batteryHappening(cell, what),
  }
}
