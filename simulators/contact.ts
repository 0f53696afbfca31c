import { battery, batteryHappening } from './battery.ts'
import type { Behaviour } from './device.ts'
import type { Random } from './random.ts'

/** Door or window contact on a battery: opening an armed door is an intrusion, priority 2. */
export function contact(random: Random): Behaviour {
  const cell = battery(random)
  let open = false
  return {
    mains: false,
    caps: ['contact', 'battery'],
    readings: () => ({ open }),
    battery: () => cell.level(),
    happen(what) {
      if (what === 'open') {
        if (open) return []
        open = true
        return [{ kind: 'intrusion', state: 'active', prio: 2 }]
      }
      if (what === 'close') {
        if (!open) return []
        open = false
        return [{ kind: 'intrusion', state: 'cleared', prio: 2 }]
      }
      return batteryHappening(cell, what)
    },
  }
}
