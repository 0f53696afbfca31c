/**
 * The figures that are printed together (PRODUCT rule 3 and 4): percent with two decimals,
 * rounded down; null = 0/0, printed "-".
 */
export interface Figures {
  /** (up + degraded) / (up + degraded + down): how good it was while somebody watched. */
  seen: number | null
  /** (up + degraded + down) / due: how much of the time somebody watched. */
  observed: number | null
  /** (up + degraded) / due: what is certain. Also the payers' online rate. League tables rank by it. */
  assured: number | null
  /** up / due: the payers' intact rate. */
  intact: number | null
  /** Nothing was down, but not everything was watched: say "no fault seen", never 100 %. */
  noFaultSeen: boolean
  /** At least 95 % was watched; otherwise the row is "not ranked: unobserved". */
  ranked: boolean
}

/**
 * Figures of one device or of a group's summed milliseconds (never of averaged percentages).
 *
 * @param sums milliseconds in each state, in the order of `deviceStates`, elapsed time only;
 *   whole numbers below 2^53 (30,000 devices x 30 days are 7.8e13)
 */
export function figuresOf(sums: readonly number[]): Figures {
  const [up = 0, degraded = 0, down = 0, unknown = 0] = sums
  const alive = up + degraded
  const watched = alive + down
  const due = watched + unknown
  return {
    seen: percent(alive, watched),
    observed: percent(watched, due),
    assured: percent(alive, due),
    intact: percent(up, due),
    noFaultSeen: watched > 0 && down === 0 && unknown > 0,
    ranked: due > 0 && watched * 100 >= due * 95,
  }
}

/** Exact, because 99.999 % must never print as 100: ms x 10,000 leaves the range of doubles. */
function percent(part: number, whole: number): number | null {
  if (whole <= 0) return null
  return Number((BigInt(Math.floor(part)) * 10_000n) / BigInt(Math.ceil(whole))) / 100
}

/** `90.90 %`, or `-` for 0/0. */
export const percentText = (value: number | null) =>
  value === null ? '-' : `${value.toFixed(2)} %`

/** Seen availability in words that claim no more than was seen. */
export const seenText = (figures: Figures) =>
  figures.noFaultSeen
    ? `no fault seen; at least ${percentText(figures.assured)}`
    : percentText(figures.seen)
