import { deviceStates, type DeviceState, type Interval } from '../schema/state.ts'

/** Width of one bin of a 24-hour strip: 288 of them make a day. */
export const stripBinMs = 300_000

const states = deviceStates.length
const unknown = deviceStates.indexOf('unknown')
const uncommissioned = deviceStates.indexOf('uncommissioned')
const codes = new Map<DeviceState, number>(deviceStates.map((state, code) => [state, code]))

/** What a strip is cut from. Times are epoch ms. */
export interface StripWindow {
  from: number
  /** End of the window; it may lie in the future, whose bins stay all zero. */
  to: number
  /** The reader's present: nothing is claimed for later. */
  now: number
  /**
   * How far the observer is known to have watched (`observedUntil`). After it every state that
   * needs an observer is `unknown`; absent: it still watches.
   */
  observedTo?: number
  /** Default `stripBinMs`. */
  binMs?: number
}

/** The part of an interval that a strip needs. */
export type StripInterval = Pick<Interval, 'from' | 'to' | 'state'>

/**
 * How far intake watched, by its newest life row. Rows come each 10 s, so a row of up to 15 s
 * vouches for the present; an older one vouches for itself only.
 */
export const observedUntil = (lifeAt: number | undefined, now: number, staleMs = 15_000) =>
  lifeAt === undefined ? -Infinity : now - lifeAt <= staleMs ? now : lifeAt

/** Milliseconds per bin and state, `deviceStates.length` numbers per bin, all zero. */
export function emptyStrip({ from, to, binMs = stripBinMs }: StripWindow): Float64Array {
  return new Float64Array(Math.max(0, Math.ceil((to - from) / binMs)) * states)
}

/**
 * Adds one device's time to a strip; a region's strip is the sum of its devices'.
 *
 * Every millisecond from `window.from` to the present lands in exactly one state. Time that no
 * interval covers is `uncommissioned` before `commissionedAt` (null: always) and `unknown` after.
 *
 * @param intervals of one device, ascending by `from`; an open one (`to` null) lasts until now
 */
export function addToStrip(
  strip: Float64Array,
  window: StripWindow,
  intervals: readonly StripInterval[],
  commissionedAt: number | null,
): void {
  const end = Math.min(window.to, window.now)
  const observedTo = Math.min(window.observedTo ?? end, end)
  let at = window.from
  const advance = (to: number, code: number) => {
    if (to <= at) return
    spread(strip, window, at, to, code)
    at = to
  }
  const uncovered = (to: number) => {
    advance(Math.min(to, commissionedAt ?? to), uncommissioned)
    advance(to, unknown)
  }
  for (const { from, to, state } of intervals) {
    uncovered(Math.min(from, end))
    const until = Math.min(to ?? end, end)
    const code = codes.get(state)!
    // Maintenance and a missing commissioning need no observer: they outrank unknown.
    if (state === 'excluded' || state === 'uncommissioned') advance(until, code)
    else if (to !== null) advance(until, code)
    else {
      advance(Math.min(until, observedTo), code)
      advance(until, unknown)
    }
  }
  uncovered(end)
}

/** Adds [from, to) to the bins it touches. */
function spread(strip: Float64Array, window: StripWindow, from: number, to: number, code: number) {
  const width = window.binMs ?? stripBinMs
  let at = from
  for (let bin = Math.floor((from - window.from) / width); at < to; bin++) {
    const edge = Math.min(to, window.from + (bin + 1) * width)
    strip[bin * states + code]! += edge - at
    at = edge
  }
}

/** The flat strip as bins of six numbers, in the order of `deviceStates`. */
export function stripBins(strip: Float64Array): number[][] {
  const bins: number[][] = []
  for (let at = 0; at < strip.length; at += states) bins.push([...strip.subarray(at, at + states)])
  return bins
}

/** Milliseconds in each state over the whole strip: what `figuresOf` takes. */
export function stripSums(strip: Float64Array): number[] {
  const sums = Array.from({ length: states }, () => 0)
  for (let at = 0; at < strip.length; at++) sums[at % states]! += strip[at]!
  return sums
}

/** The strip of one device in one call. */
export function stripOf(
  intervals: readonly StripInterval[],
  window: StripWindow,
  commissionedAt: number | null,
): number[][] {
  const strip = emptyStrip(window)
  addToStrip(strip, window, intervals, commissionedAt)
  return stripBins(strip)
}
