/**
 * The few values of the schemas that the page needs at run time. Importing them would bring zod
 * (52 kB gzip) into the first screen; here the type checker holds them equal to the schemas' own.
 */
export const deltaWidth: typeof import('#schema/live.ts').deltaWidth = 5
export const villageWidth: typeof import('#schema/live.ts').villageWidth = 9
export const deviceStates: typeof import('#schema/state.ts').deviceStates = [
  'up',
  'degraded',
  'down',
  'unknown',
  'excluded',
  'uncommissioned',
]
export const stateReasons: readonly import('#schema/state.ts').StateReason[] = [
  'alive',
  'lwt',
  'silence',
  'stream',
  'parent',
  'auth',
  'clock',
  'maintenance',
  'hub',
  'new',
]
