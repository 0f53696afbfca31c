import type { Behaviour } from './device.ts'
import { between, normal, type Random } from './random.ts'

/** China has one civil time, UTC+8, and no summer time. */
const utcOffsetMs = 8 * 3_600_000

/** Lamps burn from 18:00 to 06:00 civil time; the controller has its own clock for that. */
export const dark = (now: number) => {
  const hour = Math.floor((now + utcOffsetMs) / 3_600_000) % 24
  return hour >= 18 || hour < 6
}

/** Street lamp with a controller on permanent mains: voltage (V) by day too, power (W) when it burns. */
export function light(random: Random): Behaviour {
  const ratedW = between(random, 36, 62)
  const mainsV = between(random, 221, 233)
  let failed = false
  let flickers = 0
  return {
    mains: true,
    caps: ['lamp', 'meter'],
    readings(now) {
      const on = dark(now)
      const dim = flickers > 0 ? between(random, 0.1, 0.6) : 1
      flickers = Math.max(0, flickers - 1)
      const power = on && !failed ? ratedW * dim + normal(random) * 0.3 : on ? 1.1 : 0.6
      return {
        on,
        'power.active': Math.round(power * 10) / 10,
        voltage: Math.round((mainsV + normal(random) * 1.2) * 10) / 10,
      }
    },
    happen(what) {
      if (what === 'fail') {
        if (failed) return []
        failed = true
        return [{ kind: 'lamp-failure', state: 'active', prio: 3 }]
      }
      if (what === 'mend') {
        if (!failed) return []
        failed = false
        return [{ kind: 'lamp-failure', state: 'cleared', prio: 3 }]
      }
      if (what !== 'flicker') return undefined
      flickers = 3
      return []
    },
  }
}
