import { errors } from '../errors.ts'
import type { Alarm, AlarmEvent } from '../schema/alarm.ts'
import { alarmNext, isOpen, isUnack, type AlarmAction } from '../schema/alarm-life.ts'

export { alarmActions, byUrgency, isOpen, isUnack } from '../schema/alarm-life.ts'
export type { AlarmAction } from '../schema/alarm-life.ts'

/**
 * The row an active or pulse edge opens where no row of its (deviceId, kind, point) is open.
 * `change` is 0 until the store numbers it.
 *
 * @throws RangeError for a `cleared` edge: it opens nothing
 */
export function raiseAlarm(event: AlarmEvent, id: string): Alarm {
  if (event.edge === 'cleared') throw new RangeError('a cleared edge opens no alarm')
  return {
    id,
    change: 0,
    deviceId: event.deviceId,
    region: event.region,
    kind: event.kind,
    point: event.point,
    priority: event.priority,
    state: 'unack-active',
    raisedAt: event.receivedAt,
    deviceAt: event.deviceAt,
    lastAt: event.receivedAt,
    count: 1,
    acknowledgedAt: null,
    acknowledgedBy: null,
    returnedAt: null,
    closedAt: null,
    closedBy: null,
    cause: null,
  }
}

/**
 * The open row after one more edge of its point. Edges come in the hub's own order; the device's
 * clock is kept and never used for it. An edge after the condition had ended rings again; one
 * while it lasts only counts, so an acknowledged door that chatters stays quiet.
 *
 * @throws ALARM_WRONG_STATE on a closed row: the next active edge opens a new one
 */
export function applyEdge(alarm: Alarm, event: AlarmEvent): Alarm {
  if (!isOpen(alarm)) throw errors.alarmWrongState(alarm.id, alarm.state, 'apply an edge to')
  // The hub's wall clock may be set back between two edges; a row never runs backwards.
  const lastAt = Math.max(alarm.lastAt, event.receivedAt)
  if (event.edge === 'cleared') {
    const state = alarm.state === 'unack-active' ? 'returned-unack' : alarm.state
    return { ...alarm, lastAt, state, returnedAt: alarm.returnedAt ?? lastAt }
  }
  const counted: Alarm = {
    ...alarm,
    lastAt,
    count: alarm.count + 1,
    // 1 is the most urgent.
    priority: event.priority < alarm.priority ? event.priority : alarm.priority,
  }
  return alarm.returnedAt === null ? counted : ringAgain(counted)
}

/**
 * A condition that came back: what was acknowledged was the one before. Shelved, suppressed and
 * out-of-service rows stay quiet.
 */
function ringAgain(alarm: Alarm): Alarm {
  const rings = alarm.state === 'ack-active' || isUnack(alarm)
  return {
    ...alarm,
    state: rings ? 'unack-active' : alarm.state,
    returnedAt: null,
    acknowledgedAt: null,
    acknowledgedBy: null,
  }
}

/**
 * The row after an operator's action; the old one is left as it was.
 *
 * @param by display name of who acts
 * @param now epoch ms
 * @param extra `cause` is needed to close
 * @throws ALARM_TAKEN when somebody else acknowledged it first: the message names them
 * @throws ALARM_WRONG_STATE when the action has no place in the alarm's state
 * @throws BAD_REQUEST when it is closed without a cause
 */
export function applyAction(
  alarm: Alarm,
  action: AlarmAction,
  by: string,
  now: number,
  extra: { cause?: string | undefined } = {},
): Alarm {
  const state = alarmNext[alarm.state][action]
  if (!state) {
    const taker = alarm.acknowledgedBy
    if (action === 'acknowledge' && taker !== null && taker !== by)
      throw errors.alarmTaken(alarm.id, taker)
    throw errors.alarmWrongState(alarm.id, alarm.state, action)
  }
  if (action === 'acknowledge') return { ...alarm, state, acknowledgedAt: now, acknowledgedBy: by }
  const cause = extra.cause?.trim()
  if (!cause) throw errors.badRequest('Closing an alarm needs a cause: say what it was')
  return { ...alarm, state, closedAt: now, closedBy: by, cause }
}
