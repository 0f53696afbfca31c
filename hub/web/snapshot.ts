import { isUnack } from '../rules/alarm.ts'
import { levelOf, within } from '../rules/scope.ts'
import type { Summary } from '../schema/api.ts'
import type { Snapshot, SnapshotDevice, SnapshotVillage } from '../schema/live.ts'
import { deviceStates } from '../schema/state.ts'
import { asCounts } from './device-table.ts'
import type { Place } from './places.ts'
import type { World } from './world.ts'

/** Bounds of one snapshot: a duty screen draws no more at once. */
const devicesMax = 500
const alarmsMax = 200
const camerasMax = 200

/** Worst first: what needs a hand, then what nobody sees, then what is planned, then what is well. */
const rank = { down: 0, degraded: 1, unknown: 2, excluded: 3, uncommissioned: 4, up: 5 } as const
const ranks = deviceStates.map((state) => rank[state])

type Picture = Pick<World, 'places' | 'table' | 'alarms' | 'counts' | 'view'>

/** Indexes of all devices inside a scope, village by village. */
export const devicesWithin = (world: Pick<World, 'places' | 'table'>, scope: string): number[] =>
  world
    .places()
    .villages(scope)
    .flatMap(({ scope: village }) => world.table().inVillage(village))

/** Orders device indexes worst first, the longest in their state first. */
export function worstFirst({ table }: Pick<World, 'table'>, indexes: readonly number[]): number[] {
  const rows = table()
  return indexes.toSorted(
    (a, b) =>
      (ranks[rows.code(a)] ?? 0) - (ranks[rows.code(b)] ?? 0) || rows.since(a) - rows.since(b),
  )
}

function snapshotDevice(world: Picture, n: number): SnapshotDevice | undefined {
  const device = world.table().device(n)
  if (!device) return undefined
  const { reason, since, seen } = world.table().present(n)
  return {
    n,
    id: device.deviceId,
    kind: device.kind,
    name: device.name,
    region: device.region,
    place: device.place,
    lon: device.position?.lon ?? null,
    lat: device.position?.lat ?? null,
    state: world.table().code(n),
    since,
    seen: Math.trunc(seen),
    reason,
  }
}

function snapshotVillage(world: Picture, { scope, region }: Place): SnapshotVillage {
  return {
    code: region.code,
    name: region.name,
    township: `${scope.slice(0, 9)}000`,
    lon: region.center?.lon ?? null,
    lat: region.center?.lat ?? null,
    outline: region.outline,
    counts: asCounts(world.table().villageCounts(scope)),
    ...world.alarms.count(scope),
  }
}

/** The first picture of a duty screen. The scope exists; the caller checked it. */
export function snapshotOf(world: Picture, scope: string, at: number): Snapshot {
  const places = world.places()
  const indexes = devicesWithin(world, scope)
  const shown =
    levelOf(scope) === 'county'
      ? worstFirst(
          world,
          indexes.filter((n) => world.table().code(n) !== 0),
        ).slice(0, devicesMax)
      : indexes
  const cameras = indexes.flatMap((n) => {
    const device = world.table().device(n)
    if (device?.kind !== 'camera') return []
    return [{ id: device.deviceId, n, name: device.name, region: device.region }]
  })
  const open = world.alarms.within(scope)
  return {
    at,
    scope,
    name: places.name(scope),
    path: places.path(scope),
    children: places.children(scope).map(({ scope: child, region }) => ({
      scope: child,
      name: region.name,
    })),
    counts: world.counts(scope),
    villages: places.villages(scope).map((place) => snapshotVillage(world, place)),
    devices: shown.flatMap((n) => snapshotDevice(world, n) ?? []),
    devicesTotal: indexes.length,
    alarms: open.slice(0, alarmsMax).map((alarm) => world.view(alarm)),
    alarmsOpen: open.length,
    cameras: cameras.slice(0, camerasMax),
    lastAlarmAt: world.alarms.lastAt(scope),
  }
}

function kindsWithin(world: Picture, scope: string): Summary['kinds'] {
  const kinds = new Map<string, number[]>()
  for (const n of devicesWithin(world, scope)) {
    const kind = world.table().device(n)?.kind ?? ''
    const six = kinds.get(kind) ?? deviceStates.map(() => 0)
    const code = world.table().code(n)
    six[code] = (six[code] ?? 0) + 1
    kinds.set(kind, six)
  }
  return [...kinds]
    .map(([kind, six]) => ({ kind, counts: asCounts(six) }))
    .toSorted((a, b) => (a.kind < b.kind ? -1 : 1))
}

/** Counts of a scope and of the regions one level below. */
export function summaryOf(world: Picture, scope: string, at: number): Summary {
  const places = world.places()
  const waiting = world.alarms.within(scope).filter(isUnack)
  const { open, unack } = world.alarms.count(scope)
  return {
    at,
    scope,
    name: places.name(scope),
    path: places.path(scope),
    counts: world.counts(scope),
    kinds: kindsWithin(world, scope),
    open,
    unack,
    oldestUnackAt: waiting.length
      ? waiting.reduce((oldest, { raisedAt }) => Math.min(oldest, raisedAt), Infinity)
      : null,
    lastAlarmAt: world.alarms.lastAt(scope),
    children: places.children(scope).map(({ scope: child, region }) => {
      const alarms = world.alarms.count(child)
      const { name } = region
      return {
        scope: child,
        name,
        counts: world.counts(child),
        open: alarms.open,
        unack: alarms.unack,
      }
    }),
  }
}

/** Regions inside the bounds of a person, by code. */
export const regionsWithin = (world: Pick<World, 'places'>, scope: string) =>
  world
    .places()
    .all()
    .filter((place) => within(place.scope, scope))
    .map(({ scope: own, region }) => ({
      code: region.code,
      scope: own,
      level: region.level,
      name: region.name,
    }))
