import type { Fleet, Member } from './fleet.ts'
import { happen } from './faults.ts'
import { between, pick, type Random, untilNext } from './random.ts'
import type { TimerWheel } from './timer-wheel.ts'
import type { Truth } from './truth.ts'

/** How much happens by itself. */
export const lives = ['calm', 'busy', 'none'] as const
export type LifePace = (typeof lives)[number]

/** Mean milliseconds between two events in the whole county. */
const paces: Readonly<Record<LifePace, { doorMs: number; lampMs: number } | undefined>> = {
  calm: { doorMs: 210_000, lampMs: 45_000 },
  busy: { doorMs: 15_000, lampMs: 5_000 },
  none: undefined,
}

export interface LifeDeps {
  fleet: Fleet
  pace: LifePace
  random: Random
  wheel: TimerWheel
  clock: () => number
  truth: Truth
}

/**
 * The slow life of a county: now and then a door opens and closes again after 10 to 40 s (one
 * alarm), a lamp flickers (readings only). Ends with the wheel.
 */
export function startLife(deps: LifeDeps) {
  const { fleet, random, wheel } = deps
  const pace = paces[deps.pace]
  if (!pace) return
  const members = [...fleet.members.values()]
  const kind = (wanted: string) => members.filter(({ device }) => device.device.kind === wanted)
  const online = (all: readonly Member[]) =>
    pick(
      random,
      all.filter(({ link }) => link.state === 'online'),
    )
  const again = (meanMs: number, task: () => void) => {
    // Never in the first seconds: a page that just opened should show a quiet county first.
    wheel.after(5_000 + untilNext(random, meanMs), () => {
      task()
      again(meanMs, task)
    })
  }

  const contacts = kind('contact')
  again(pace.doorMs, () => {
    const member = online(contacts)
    if (!member) return
    const opened = happen(deps, member, 'door opens', 'open')
    // It stood open already, by command: whoever opened it closes it.
    if (!opened.message.includes('alarm')) return
    wheel.after(between(random, 10_000, 40_000), () => {
      happen(deps, member, 'door closes', 'close')
    })
  })

  const lamps = kind('light')
  again(pace.lampMs, () => {
    const member = online(lamps)
    if (member) happen(deps, member, 'lamp flickers', 'flicker')
  })
}
