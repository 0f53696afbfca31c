import type { AlarmView } from '#schema/alarm.ts'
import type { Text } from '../text/text.svelte.ts'

/** Type of an alarm in words; a kind the console does not know yet shows its own name. */
export function kindWords(
  alarm: Pick<AlarmView, 'kind' | 'deviceKind'>,
  { t, maybe }: Text,
): string {
  if (alarm.kind === 'intrusion' && alarm.deviceKind === 'contact')
    return t('alarm.kind.contact-door')
  return maybe(`alarm.kind.${alarm.kind}`, alarm.kind)
}

/** Device and where it stands, without saying the same twice. */
export function siteWords({ deviceName, place }: Pick<AlarmView, 'deviceName' | 'place'>): string {
  return place && !deviceName.includes(place) ? `${deviceName} · ${place}` : deviceName
}

/** Regions of an alarm below the open scope: a village need not read its own name. */
export function regionWords(alarm: Pick<AlarmView, 'township' | 'village'>, scope: string): string {
  if (scope.length === 12) return ''
  return scope.length === 9 ? alarm.village : `${alarm.township} ${alarm.village}`
}

export const levelWords = ({ priority }: Pick<AlarmView, 'priority'>, { maybe }: Text) =>
  maybe(`priority.${priority}`, String(priority))
