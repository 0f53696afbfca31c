import type { AlarmView } from '#schema/alarm.ts'

/** Nobody has taken the alarm yet. */
export const isUnack = ({ state }: Pick<AlarmView, 'state'>) =>
  state === 'unack-active' || state === 'returned-unack'

/** On the desk: neither closed nor put aside. */
export const isOnDesk = ({ state }: Pick<AlarmView, 'state'>) =>
  isUnack({ state }) || state === 'ack-active'

/** Unacknowledged first, then priority, then newest (ISA-18.2 summary order); ties by id, so it is total. */
export const deskOrder = (a: AlarmView, b: AlarmView): number =>
  Number(isUnack(b)) - Number(isUnack(a)) ||
  a.priority - b.priority ||
  b.raisedAt - a.raisedAt ||
  (a.id < b.id ? -1 : 1)

/**
 * Puts one changed row into an ordered desk. Returns the same array when the row is older than the
 * one held (answers and live events may overtake each other).
 *
 * @param most rows kept
 */
export function withAlarm(
  desk: readonly AlarmView[],
  row: AlarmView,
  most = 400,
): readonly AlarmView[] {
  const held = desk.find(({ id }) => id === row.id)
  if (held && held.change > row.change) return desk
  const others = desk.filter(({ id }) => id !== row.id)
  if (row.state === 'closed') return held ? others : desk
  return [...others, row].sort(deskOrder).slice(0, most)
}
