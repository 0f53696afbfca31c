import { between, type Random } from './random.ts'

/** A rectangle of the plan before it is bent into country: 0..1 in both directions. */
export interface Plot {
  x: number
  y: number
  width: number
  height: number
}

/** Longitude and latitude, WGS-84 degrees. */
export type LonLat = [number, number]

const total = (list: readonly number[]) => list.reduce((sum, weight) => sum + weight, 0)

/**
 * Cuts a plot into one part per weight, each about as large as its weight says, by halving the
 * longer side again and again: neighbours share their borders exactly.
 */
export function divide(random: Random, plot: Plot, weights: readonly number[]): Plot[] {
  if (weights.length <= 1) return [plot]
  const half = Math.ceil(weights.length / 2)
  const [first, second] = [weights.slice(0, half), weights.slice(half)]
  const share = (total(first) / total(weights)) * between(random, 0.93, 1.07)
  const { x, y, width, height } = plot
  const [one, other]: [Plot, Plot] =
    width >= height
      ? [
          { ...plot, width: width * share },
          { x: x + width * share, y, width: width * (1 - share), height },
        ]
      : [
          { ...plot, height: height * share },
          { x, y: y + height * share, width, height: height * (1 - share) },
        ]
  return [...divide(random, one, first), ...divide(random, other, second)]
}

/** How the plan is bent, and where on earth it lies. */
export interface Land {
  at: (x: number, y: number) => LonLat
}

/** Hills: a seeded smooth bend of the unit square, mild enough never to fold over itself. */
export function land(random: Random, centre: LonLat, sideKm: number): Land {
  const waves = [
    { size: 0.012, turns: 2.3 },
    { size: 0.004, turns: 7.1 },
    { size: 0.0012, turns: 19.7 },
  ].flatMap((wave) => [
    { ...wave, phase: between(random, 0, 2 * Math.PI), skew: between(random, 0.5, 1) },
    { ...wave, phase: between(random, 0, 2 * Math.PI), skew: between(random, -1, -0.5) },
  ])
  const bend = (along: number, across: number) =>
    waves.reduce(
      (sum, { size, turns, phase, skew }) =>
        sum + (size / 2) * Math.sin(2 * Math.PI * turns * (across + skew * along * 0.3) + phase),
      0,
    )
  const kmPerDegree = 111.32
  const lonPerKm = 1 / (kmPerDegree * Math.cos((centre[1] * Math.PI) / 180))
  return {
    at: (x, y) => {
      // Half way between a square and a disc: a county has no corners.
      const [u, v] = [2 * x - 1, 2 * y - 1]
      const east = (u * (1 + Math.sqrt(1 - (v * v) / 2))) / 4 + bend(x, y)
      const north = (v * (1 + Math.sqrt(1 - (u * u) / 2))) / 4 + bend(y, x + 0.37)
      return [
        Number((centre[0] + east * sideKm * lonPerKm).toFixed(6)),
        Number((centre[1] + (north * sideKm) / kmPerDegree).toFixed(6)),
      ]
    },
  }
}

function addTo(map: Map<string, Set<number>>, line: number, at: number) {
  const set = map.get(line.toFixed(9)) ?? new Set()
  map.set(line.toFixed(9), set.add(Number(at.toFixed(9))))
}

/** Corners of all plots, found by the line they lie on: what makes borders meet without slits. */
export function cornersOf(plots: readonly Plot[]) {
  const byX = new Map<string, Set<number>>()
  const byY = new Map<string, Set<number>>()
  for (const { x, y, width, height } of plots)
    for (const cornerX of [x, x + width])
      for (const cornerY of [y, y + height]) {
        addTo(byX, cornerX, cornerY)
        addTo(byY, cornerY, cornerX)
      }
  return {
    onX: (x: number) => byX.get(x.toFixed(9)) ?? new Set<number>(),
    onY: (y: number) => byY.get(y.toFixed(9)) ?? new Set<number>(),
  }
}

/**
 * Border of a plot in the land, closed (first point = last), counter-clockwise. Points lie on a
 * lattice of `step` and on every corner of any plot, so that both sides of a border have the same.
 */
export function outline(
  plot: Plot,
  corners: ReturnType<typeof cornersOf>,
  { at }: Land,
  step: number,
): LonLat[] {
  const { x, y, width, height } = plot
  const [right, top] = [x + width, y + height]
  const stops = (from: number, to: number, others: Set<number>) => {
    const inside = [...others].filter((value) => value > from + 1e-7 && value < to - 1e-7)
    for (let n = Math.floor(from / step) + 1; n * step < to - 1e-7; n++) inside.push(n * step)
    return [from, ...inside.toSorted((a, b) => a - b)]
  }
  const back = (from: number, to: number, others: Set<number>) => [
    to,
    ...stops(from, to, others).slice(1).toReversed(),
  ]
  const ring = [
    ...stops(x, right, corners.onY(y)).map((along) => at(along, y)),
    ...stops(y, top, corners.onX(right)).map((along) => at(right, along)),
    ...back(x, right, corners.onY(top)).map((along) => at(along, top)),
    ...back(y, top, corners.onX(x)).map((along) => at(x, along)),
  ]
  return [...ring, ...ring.slice(0, 1)]
}
