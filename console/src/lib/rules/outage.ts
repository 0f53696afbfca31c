import type { DeviceState } from '#schema/state.ts'

/** A device that is not well, as the fault list holds it. */
export interface Fault {
  state: DeviceState
  since: number
  reason: string
  region: string
}

/** Many devices that fell within a minute, and have one state and reason: told as one thing. */
export interface Outage extends Omit<Fault, 'region'> {
  devices: number
  villages: number
}

/** Fewer than this are read faster one by one. */
const devicesLeast = 5
/** A power cut is noticed over some heartbeats. */
const togetherMs = 90_000

/**
 * The largest group of faults that began together, when it is at least half of all: a township without
 * power is one line at the top, not 72 rows to be counted.
 */
export function outageOf(faults: readonly Fault[]): Outage | undefined {
  const groups = new Map<string, Fault[]>()
  for (const fault of faults) {
    const key = `${fault.state} ${fault.reason}`
    const group = groups.get(key)
    if (group) group.push(fault)
    else groups.set(key, [fault])
  }
  let best: Fault[] = []
  for (const group of groups.values()) {
    const byTime = group.sort((a, b) => a.since - b.since)
    let first = 0
    byTime.forEach(({ since }, at) => {
      while (since - (byTime[first]?.since ?? since) > togetherMs) first += 1
      if (at - first + 1 > best.length) best = byTime.slice(first, at + 1)
    })
  }
  const [earliest] = best
  if (!earliest || best.length < devicesLeast || best.length * 2 < faults.length) return undefined
  const { state, reason, since } = earliest
  const villages = new Set(best.map(({ region }) => region)).size
  return { state, reason, since, devices: best.length, villages }
}
