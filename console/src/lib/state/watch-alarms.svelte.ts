import type { AlarmView } from '#schema/alarm.ts'
import { isUnack } from '../rules/alarm-order.ts'
import { kindWords, levelWords, siteWords } from '../rules/alarm-words.ts'
import { levelOf, ringNow, softAtArrival } from '../rules/ring.ts'
import type { App } from './app.svelte.ts'

/** Readers are not interrupted more than each 2 s. */
const sayGapMs = 2000

/** Speaks and rings for arriving alarms of one scope. One per open scope. */
export function alarmArrivals({ siren, desk, text, session }: App, scope: string) {
  const level = levelOf(scope)
  let waiting: AlarmView[] = []
  let saidAt = -sayGapMs
  let timer: ReturnType<typeof setTimeout> | undefined

  function say() {
    timer = undefined
    saidAt = performance.now()
    const [worst] = waiting.sort((a, b) => a.priority - b.priority)
    if (!worst) return
    const words = text.t('alarm.announce', {
      level: levelWords(worst, text),
      type: kindWords(worst, text),
      place: `${worst.village} ${siteWords(worst)}`,
    })
    const many = waiting.length
    waiting = []
    desk.announcement = many > 1 ? `${words}；${text.t('alarm.newest', { count: many })}` : words
  }
  return {
    /** A new or changed alarm came over the live connection. */
    came(alarm: AlarmView, fresh: boolean) {
      if (!fresh || !isUnack(alarm)) return
      if (session.may('alarm:acknowledge') && softAtArrival(alarm, level)) siren.play('soft')
      waiting.push(alarm)
      timer ??= setTimeout(say, Math.max(0, saidAt + sayGapMs - performance.now()))
    },
    /** What rings now, each second. */
    judge(now: number) {
      const fleet = desk.fleet
      if (!fleet || !session.may('alarm:acknowledge')) return siren.ring(undefined)
      siren.ring(fleet.lost ? 'lost' : ringNow(fleet.alarms, level, now))
    },
    close() {
      clearTimeout(timer)
      siren.ring(undefined)
    },
  }
}
