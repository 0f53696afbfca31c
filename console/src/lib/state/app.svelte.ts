import type { AlarmView } from '#schema/alarm.ts'
import { createContext } from 'svelte'
import { Siren } from '../sound/siren.svelte.ts'
import { Text } from '../text/text.svelte.ts'
import { httpApi, type Api } from './api.ts'
import { Fleet } from './fleet.svelte.ts'
import { HubClock } from './hub-clock.svelte.ts'
import { socketLink, type OpenLink } from './live-link.ts'
import { Session } from './session.svelte.ts'
import { ThemeChoice } from './theme.svelte.ts'

/** What every part of the console may ask for. Made once per page and given down by context. */
export interface App {
  api: Api
  session: Session
  text: Text
  theme: ThemeChoice
  siren: Siren
  clock: HubClock
  link: OpenLink
  keep: Storage
  desk: Desk
}

/** Small state shared by the frame and its screens. */
export class Desk {
  /** Open overlay; one at a time. */
  overlay: 'keys' | 'find' | null = $state(null)
  /** Sentence for the one assertive live region. */
  announcement = $state('')
  /** Short answer to what the person just did; shown for some seconds. */
  notice: { text: string; bad: boolean } | null = $state.raw(null)
  /** Single-letter keys (WCAG 2.1.4: can be switched off). */
  letters = $state(true)
  /** Alarm chosen on the desk; the key `A` takes it. */
  alarmId: string | null = $state(null)
  /** The live picture of the scope that is open; null outside a scope. */
  fleet: Fleet | null = $state.raw(null)
  #acker: ((id: string) => void) | undefined = $state.raw()
  #noticeTimer: ReturnType<typeof setTimeout> | undefined

  /** The screen that can take alarms says so; returns the function that ends it. */
  onack(take: (id: string) => void): () => void {
    this.#acker = take
    return () => {
      if (this.#acker === take) this.#acker = undefined
    }
  }

  /** The open screen holds a list whose alarms can be taken. */
  get canTake(): boolean {
    return this.#acker !== undefined
  }

  /** The alarm to be taken next: the chosen one, or the topmost that nobody has taken. */
  get next(): AlarmView | undefined {
    const unack = this.fleet?.unack ?? []
    return unack.find((alarm) => alarm.id === this.alarmId) ?? unack[0]
  }

  /** Takes that alarm. False when there is none, or the screen cannot. */
  acknowledge(): boolean {
    const id = this.next?.id
    if (id === undefined || !this.#acker) return false
    this.#acker(id)
    return true
  }

  say(text: string, bad = false) {
    clearTimeout(this.#noticeTimer)
    this.notice = { text, bad }
    this.#noticeTimer = setTimeout(() => (this.notice = null), bad ? 8000 : 4000)
  }
}

/** Storage that forgets, where the browser allows none. */
function memoryKeep(): Storage {
  const held = new Map<string, string>()
  return {
    get length() {
      return held.size
    },
    clear: () => held.clear(),
    getItem: (key) => held.get(key) ?? null,
    key: (at) => [...held.keys()][at] ?? null,
    removeItem: (key) => void held.delete(key),
    setItem: (key, value) => void held.set(key, value),
  }
}

function browserKeep(): Storage {
  try {
    localStorage.setItem('probe', '1')
    localStorage.removeItem('probe')
    return localStorage
  } catch {
    return memoryKeep()
  }
}

/** The console over this browser and the hub that served it. */
export function browserApp(): App {
  const keep = browserKeep()
  const session = new Session()
  return {
    keep,
    session,
    api: httpApi({ fetch: (...of) => fetch(...of), ended: () => session.leave(true) }),
    text: new Text(keep),
    theme: new ThemeChoice(keep),
    siren: new Siren({
      audio: 'AudioContext' in window ? () => new AudioContext() : undefined,
      now: Date.now,
      keep,
    }),
    clock: new HubClock(),
    link: socketLink,
    desk: new Desk(),
  }
}

export const [useApp, provideApp] = createContext<App>()
export const [useFleet, provideFleet] = createContext<() => Fleet>()
