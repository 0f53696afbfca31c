import type { Alarm, AlarmState } from './alarm.ts'

/** What a person can do to an alarm. Shelving and taking out of service come with their own rules. */
export const alarmActions = ['acknowledge', 'close'] as const
export type AlarmAction = (typeof alarmActions)[number]

/**
 * Where an action leads in each state of ANSI/ISA-18.2. A pair that is absent is refused: closing
 * needs an acknowledgement first, and an acknowledgement of a returned alarm keeps the row open
 * (`ack-active` with `returnedAt` set) until somebody names the cause.
 */
export const alarmNext: Readonly<
  Record<AlarmState, Readonly<Partial<Record<AlarmAction, AlarmState>>>>
> = {
  'unack-active': { acknowledge: 'ack-active' },
  'returned-unack': { acknowledge: 'ack-active' },
  'ack-active': { close: 'closed' },
  shelved: {},
  suppressed: {},
  'out-of-service': {},
  closed: {},
}

/** True until somebody closed the row. */
export const isOpen = (alarm: Pick<Alarm, 'state'>) => alarm.state !== 'closed'

/** True while the alarm rings: nobody took it, whether its condition lasts or not. */
export const isUnack = (alarm: Pick<Alarm, 'state'>) =>
  alarm.state === 'unack-active' || alarm.state === 'returned-unack'

/** Order of every alarm list: unacknowledged, then most urgent, then newest; ties by id. */
export function byUrgency(
  a: Pick<Alarm, 'state' | 'priority' | 'raisedAt' | 'id'>,
  b: Pick<Alarm, 'state' | 'priority' | 'raisedAt' | 'id'>,
): number {
  return (
    Number(isUnack(b)) - Number(isUnack(a)) ||
    a.priority - b.priority ||
    b.raisedAt - a.raisedAt ||
    (a.id < b.id ? -1 : Number(a.id > b.id))
  )
}
