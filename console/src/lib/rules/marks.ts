import type { DeviceState } from '#schema/state.ts'
import { deviceStates } from './wire.ts'

/** Shapes of the state language; colour never stands alone. */
export type Shape = 'alarm' | 'warn' | 'offline' | 'maint' | 'ok' | 'unknown' | 'idle'

export const shapeOf: Readonly<Record<DeviceState, Shape>> = {
  up: 'ok',
  degraded: 'warn',
  down: 'offline',
  unknown: 'unknown',
  excluded: 'maint',
  uncommissioned: 'idle',
}

/** State behind a code of the typed arrays; a code of a newer hub reads as unknown. */
export const stateOf = (code: number): DeviceState => deviceStates[code] ?? 'unknown'

/** Worst first, as the hub sorts: what needs a hand, what nobody sees, what is planned, what is well. */
const rank: Readonly<Record<DeviceState, number>> = {
  down: 0,
  degraded: 1,
  unknown: 2,
  excluded: 3,
  uncommissioned: 4,
  up: 5,
}
export const rankOf = (code: number) => rank[stateOf(code)]

/** True for what the list of faults holds. */
export const isTrouble = (code: number) => code === 1 || code === 2

/** Shape of an alarm of a priority: 紧急 and 严重 are triangles, 较重 a diamond, 一般 a dot. */
export const priorityShape = (priority: number): Shape =>
  priority <= 2 ? 'alarm' : priority === 3 ? 'warn' : 'ok'
