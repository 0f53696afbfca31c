import { setImmediate as nextTurn } from 'node:timers/promises'
import { levelOf } from '../rules/scope.ts'
import {
  addToStrip,
  emptyStrip,
  observedUntil,
  stripBinMs,
  stripBins,
  stripSums,
  type StripWindow,
} from '../rules/strip.ts'
import type { Clock } from '../rules/clock.ts'
import type { Strips } from '../schema/api.ts'
import type { Interval, Strip } from '../schema/state.ts'
import { deviceStates } from '../schema/state.ts'
import type { StateStore } from '../store/state-store.ts'
import { devicesWithin, worstFirst } from './snapshot.ts'
import type { World } from './world.ts'

export interface StripDeps {
  world: Pick<World, 'places' | 'table' | 'intakeAt'>
  state: Pick<StateStore, 'between'>
  clock: Clock
}

/** Devices read between two turns of the event loop: about 2 ms. */
const devicesPerTurn = 50
/** A strip is 288 bins of 5 minutes: an answer younger than this is as good as a new one. */
const freshMs = { village: 5_000, township: 15_000, county: 60_000 } as const
/** Answers kept; a village's is about 0.7 MB, a county's 0.3 MB. */
const keptMax = 32

const downCode = deviceStates.indexOf('down')
const unknownCode = deviceStates.indexOf('unknown')

/** The strips of a scope in a window, worst first: devices of a village, villages, or townships. */
export type StripReader = (scope: string, window: { from: number; to: number }) => Promise<Strips>

function byDevice(rows: readonly Interval[]): Map<string, Interval[]> {
  const groups = new Map<string, Interval[]>()
  for (const row of rows) {
    const group = groups.get(row.deviceId)
    if (group) group.push(row)
    else groups.set(row.deviceId, [row])
  }
  return groups
}

/** Sums the strips of devices, giving the event loop a turn every few milliseconds. */
async function sumStrip(
  { world, state }: StripDeps,
  window: StripWindow,
  indexes: readonly number[],
): Promise<Float64Array> {
  const strip = emptyStrip(window)
  for (let at = 0; at < indexes.length; at += devicesPerTurn) {
    const devices = indexes
      .slice(at, at + devicesPerTurn)
      .flatMap((n) => world.table().device(n) ?? [])
    const ids = devices.map(({ deviceId }) => deviceId)
    const groups = byDevice(state.between(ids, window.from, window.to))
    for (const { deviceId, commissionedAt } of devices)
      addToStrip(strip, window, groups.get(deviceId) ?? [], commissionedAt)
    await nextTurn()
  }
  return strip
}

async function deviceRows(deps: StripDeps, window: StripWindow, scope: string): Promise<Strip[]> {
  const rows: Strip[] = []
  for (const n of worstFirst(deps.world, devicesWithin(deps.world, scope))) {
    const device = deps.world.table().device(n)
    if (!device) continue
    const bins = stripBins(await sumStrip(deps, window, [n]))
    rows.push({ key: device.deviceId, name: device.name, from: window.from, to: window.to, bins })
  }
  return rows
}

async function regionRows(deps: StripDeps, window: StripWindow, scope: string): Promise<Strip[]> {
  const rows: (Strip & { down: number; unknown: number })[] = []
  // Whole minutes: a start that differs by milliseconds must not shuffle regions that are all well.
  const minutes = (ms = 0) => Math.round(ms / 60_000)
  for (const { scope: child, region } of deps.world.places().children(scope)) {
    const strip = await sumStrip(deps, window, devicesWithin(deps.world, child))
    const sums = stripSums(strip)
    rows.push({
      key: region.code,
      name: region.name,
      from: window.from,
      to: window.to,
      bins: stripBins(strip),
      down: minutes(sums[downCode]),
      unknown: minutes(sums[unknownCode]),
    })
  }
  return rows
    .toSorted((a, b) => b.down - a.down || b.unknown - a.unknown)
    .map(({ down: _down, unknown: _unknown, ...row }) => row)
}

/** Reads strips, sharing one answer between all pages that ask for the same within seconds. */
export function stripReader(deps: StripDeps): StripReader {
  const kept = new Map<string, { at: number; answer: Promise<Strips> }>()

  async function read(scope: string, { from, to }: { from: number; to: number }): Promise<Strips> {
    const now = deps.clock.now()
    const window: StripWindow = {
      from,
      to,
      now,
      observedTo: observedUntil(deps.world.intakeAt() ?? undefined, now),
      binMs: stripBinMs,
    }
    const rows =
      levelOf(scope) === 'village'
        ? await deviceRows(deps, window, scope)
        : await regionRows(deps, window, scope)
    return { from, to, binMs: stripBinMs, rows, total: rows.length }
  }

  return (scope, { from, to }) => {
    const key = `${scope} ${from} ${to}`
    const old = kept.get(key)
    if (old && deps.clock.mono() - old.at < freshMs[levelOf(scope)]) return old.answer
    const answer = read(scope, { from, to })
    // A failed answer is not kept for the next page.
    answer.catch(() => kept.delete(key))
    kept.delete(key)
    kept.set(key, { at: deps.clock.mono(), answer })
    if (kept.size > keptMax) kept.delete(kept.keys().next().value ?? key)
    return answer
  }
}
