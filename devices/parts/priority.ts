import type { Priority } from '../../hub/schema/alarm.ts'

/** Default priority by kind of alarm (GB/T 28181 1-4); a site may set another per device. */
const defaults: Readonly<Record<string, Priority>> = {
  panic: 1,
  duress: 1,
  fire: 1,
  medical: 1,
  intrusion: 2,
  tamper: 2,
  'gas-leak': 1,
  'power-loss': 3,
  'device-alarm': 3,
  'battery-low': 4,
  'lamp-failure': 4,
  'day-burner': 4,
}

/** Priority of an alarm: what the device says, else the site's setting, else the table, else medium. */
export function priorityOf(
  kind: string,
  said: Priority | undefined,
  settings: Readonly<Record<string, unknown>>,
): Priority {
  if (said !== undefined) return said
  const set = settings[`priority.${kind}`]
  if (set === 1 || set === 2 || set === 3 || set === 4) return set
  return Object.hasOwn(defaults, kind) ? (defaults[kind] ?? 3) : 3
}
