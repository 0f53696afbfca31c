import { ApiError } from '../state/api.ts'
import type { Text } from '../text/text.svelte.ts'

/** What went wrong, in words a duty officer can act on. */
export function failureWords(failure: unknown, { t, maybe }: Pick<Text, 't' | 'maybe'>): string {
  if (!(failure instanceof ApiError))
    return t('error.other', { code: '?', message: String(failure) })
  if (failure.code === 'ALARM_TAKEN') {
    const by = /already taken by (.+)$/.exec(failure.message)?.[1]
    return by ? t('error.ALARM_TAKEN.by', { by }) : t('error.ALARM_TAKEN')
  }
  const otherwise = t('error.other', { code: failure.code, message: failure.message })
  return maybe(`error.${failure.code}`, otherwise)
}
