/** Chance that a seed repeats: 0 <= x < 1. */
export type Random = () => number

/** Mulberry32: a seed gives the same county and the same day on every machine. Never for secrets. */
export function seeded(seed: number): Random {
  let state = seed >>> 0
  return () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
}

/** A seed of its own for each name (FNV-1a), so that one more device changes no other device's day. */
export function seedOf(seed: number, name: string): number {
  let hash = (0x811c9dc5 ^ seed) >>> 0
  for (let at = 0; at < name.length; at++)
    hash = Math.imul(hash ^ name.charCodeAt(at), 0x01000193) >>> 0
  return hash
}

/** Uniform in [low, high). */
export const between = (random: Random, low: number, high: number) => low + random() * (high - low)

/** One of the items; undefined when there is none. */
export const pick = <Item>(random: Random, items: readonly Item[]): Item | undefined =>
  items[Math.floor(random() * items.length)]

/** The items in another order; the given list is left as it was (Fisher-Yates). */
export function shuffled<Item>(random: Random, items: readonly Item[]): Item[] {
  const left = [...items]
  const out: Item[] = []
  while (left.length > 0) {
    const [taken] = left.splice(Math.floor(random() * left.length), 1)
    if (taken !== undefined) out.push(taken)
  }
  return out
}

/** Waiting time of events that come by chance, `mean` apart on average (exponential). */
export const untilNext = (random: Random, mean: number) => -mean * Math.log(1 - random())

/** Roughly normal, mean 0, standard deviation 1: twelve uniforms, never beyond 6. */
export function normal(random: Random): number {
  let sum = -6
  for (let n = 0; n < 12; n++) sum += random()
  return sum
}
