import type { AlarmView } from '#schema/alarm.ts'
import { failureWords } from '../rules/failure-words.ts'
import type { App } from '../state/app.svelte.ts'
import { ApiError } from '../state/api.ts'

/** Takes and closes alarms on behalf of a list; the answer goes back into the list at once. */
export class AlarmActions {
  /** Alarm an answer is awaited for. */
  busyId: string | null = $state(null)
  readonly #app: Pick<App, 'api' | 'desk' | 'text'>
  readonly #onchange: (alarm: AlarmView) => void

  constructor(app: Pick<App, 'api' | 'desk' | 'text'>, onchange: (alarm: AlarmView) => void) {
    this.#app = app
    this.#onchange = onchange
  }

  /** Why nothing can be taken now; empty while the hub is within reach. */
  get blocked(): string {
    const { desk, text } = this.#app
    return desk.fleet?.lost ? text.t('alarm.blocked') : ''
  }

  acknowledge = (id: string) => this.#act(id, (api) => api.acknowledge(id))
  close = (id: string, cause: string) => this.#act(id, (api) => api.closeAlarm(id, cause))

  async #act(id: string, act: (api: App['api']) => Promise<AlarmView>) {
    const { api, desk, text } = this.#app
    if (this.busyId) return
    if (this.blocked) {
      desk.say(this.blocked, true)
      return
    }
    this.busyId = id
    try {
      this.#onchange(await act(api))
    } catch (failure) {
      desk.say(failureWords(failure, text), true)
      // Somebody was faster, or the row moved on: show what it is now.
      if (failure instanceof ApiError && failure.status === 409)
        await api.alarm(id).then(this.#onchange, () => undefined)
    } finally {
      this.busyId = null
    }
  }
}
