import { screensOf } from '../rules/screens.ts'
import type { App } from './app.svelte.ts'

/** The next key belongs to `g` for this long. */
const chordMs = 1500

const isTyping = (target: EventTarget | null) =>
  target instanceof HTMLElement &&
  (target.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(target.tagName))

/**
 * Keys of the whole page. A grid hears its own (arrows, Enter) first. Single letters are silent while
 * somebody types, while a dialog is open, and when switched off (WCAG 2.1.4).
 *
 * @param go opens an address
 * @param path the present address
 */
export function pageKeys(app: App, go: (path: string) => void, path: () => string) {
  const { desk, siren, theme, session } = app
  let chordUntil = 0

  function followChord(letter: string) {
    const scope = desk.fleet?.scope ?? session.scope
    const role = session.user?.role
    const screen = role && screensOf(role).find((each) => each.letter === letter)
    if (screen) go(screen.path(scope))
  }
  function moveScope(up: boolean) {
    const scope = desk.fleet?.scope
    if (!scope) return
    if (!up) {
      const first = desk.fleet?.snapshot?.children[0]
      if (first) go(path().replace(/^\/s\/\d+/, `/s/${first.scope}`))
      return
    }
    const above = scope.slice(0, -3)
    if (above.length >= session.scope.length) go(path().replace(/^\/s\/\d+/, `/s/${above}`))
  }
  const letters: Readonly<Record<string, () => void>> = {
    '?': () => (desk.overlay = 'keys'),
    '/': () => (desk.overlay = 'find'),
    a: () => void desk.acknowledge(),
    m: siren.toggleMute,
    t: theme.toggle,
    '[': () => moveScope(true),
    ']': () => moveScope(false),
  }

  return (event: KeyboardEvent) => {
    if (event.defaultPrevented || !session.user || event.isComposing) return
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === 'k') {
      event.preventDefault()
      desk.overlay = 'find'
      return
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.repeat) return
    if (!desk.letters || desk.overlay || isTyping(event.target)) return
    const key = event.key.length === 1 ? event.key.toLowerCase() : event.key
    if (event.timeStamp < chordUntil) {
      chordUntil = 0
      followChord(key)
      return
    }
    if (key === 'g') {
      chordUntil = event.timeStamp + chordMs
      return
    }
    const act = letters[key]
    if (!act) return
    event.preventDefault()
    act()
  }
}
