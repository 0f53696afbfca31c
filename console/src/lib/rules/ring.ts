import type { AlarmView } from '#schema/alarm.ts'
import type { PatternName } from '../sound/patterns.ts'
import { isUnack } from './alarm-order.ts'

export type Level = 'village' | 'township' | 'county'

export const levelOf = (scope: string): Level =>
  scope.length === 6 ? 'county' : scope.length === 9 ? 'township' : 'village'

/**
 * Seconds an alarm stays unacknowledged before it rings in full at a level (CONSOLE section 6);
 * undefined: never. Before that a level above hears one soft tone.
 */
const delayS: Readonly<Record<Level, Readonly<Record<number, number | undefined>>>> = {
  village: { 1: 0, 2: 0 },
  township: { 1: 60, 2: 180 },
  county: { 1: 180 },
}
const highMostMs = 180_000

/** What a level rings now for one alarm, apart from the soft tone at its arrival. */
function ringOf(alarm: AlarmView, level: Level, now: number): PatternName | undefined {
  const wait = delayS[level][alarm.priority]
  if (wait === undefined || !isUnack(alarm)) return undefined
  // A repeat rings again: the person at the desk may have missed the first.
  const age = now - alarm.lastAt
  if (now - alarm.raisedAt < wait * 1000) return undefined
  if (alarm.priority === 1) return 'critical'
  return age < wait * 1000 + highMostMs ? 'high' : undefined
}

/** The one pattern to sound: one alarm at a time, the highest first. */
export function ringNow(
  alarms: readonly AlarmView[],
  level: Level,
  now: number,
): PatternName | undefined {
  let best: PatternName | undefined
  for (const alarm of alarms) {
    const ring = ringOf(alarm, level, now)
    if (ring === 'critical') return ring
    best ??= ring
  }
  return best
}

/** The single soft tone at the arrival of an alarm: 较重 everywhere, and all that ring later above. */
export const softAtArrival = (alarm: AlarmView, level: Level) =>
  isUnack(alarm) && (alarm.priority === 3 || (alarm.priority <= 2 && level !== 'village'))
