import { levelOf, scopeOf, within } from '../rules/scope.ts'
import type { Region } from '../schema/region.ts'

/** A region with the digits it is addressed by. */
export interface Place {
  scope: string
  region: Region
}

/** The region tree in memory: names, paths and children of scopes. Rebuilt when the registry changes. */
export interface Places {
  get(scope: string): Place | undefined
  name(scope: string): string
  /** From the county down to the scope itself. */
  path(scope: string): { scope: string; name: string }[]
  /** Regions one level below, by code. */
  children(scope: string): Place[]
  /** Villages inside a scope, by code. */
  villages(scope: string): Place[]
  all(): readonly Place[]
}

const childDigits = { county: 9, township: 12, village: 0 } as const

/** Indexes regions by scope. */
export function placesOf(regions: readonly Region[]): Places {
  const all = regions
    .map((region) => ({ scope: scopeOf(region.code), region }))
    .toSorted((a, b) => (a.region.code < b.region.code ? -1 : 1))
  const byScope = new Map(all.map((place) => [place.scope, place]))
  const name = (scope: string) => byScope.get(scope)?.region.name ?? scope
  const below = (scope: string, digits: number) =>
    all.filter((place) => place.scope.length === digits && within(place.scope, scope))
  return {
    get: (scope) => byScope.get(scope),
    name,
    path: (scope) =>
      [6, 9, 12]
        .filter((digits) => digits <= scope.length)
        .map((digits) => scope.slice(0, digits))
        .filter((part) => byScope.has(part))
        .map((part) => ({ scope: part, name: name(part) })),
    children: (scope) => below(scope, childDigits[levelOf(scope)]),
    villages: (scope) => below(scope, 12),
    all: () => all,
  }
}
