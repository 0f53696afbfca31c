import type { App } from '../../../console/src/lib/state/app.svelte.ts'
import { HubClock } from '../../../console/src/lib/state/hub-clock.svelte.ts'
import { Text } from '../../../console/src/lib/text/text.svelte.ts'
import { memoryStorage, noon } from './fakes.ts'

/** As much of the console as a single component asks for; `change` adds what one test needs. */
export function stageApp(change: Partial<App> = {}): App {
  const clock = new HubClock(() => noon)
  return { text: new Text(memoryStorage()), clock, ...change } as App
}
