/** One tone: begins `at` s after the pattern's start, `hz`, for `s` seconds, at `gain` 0..1. */
export interface Tone {
  at: number
  hz: number
  s: number
  gain: number
}

export interface Pattern {
  tones: readonly Tone[]
  /** Seconds from one start to the next; 0 = once. */
  everyS: number
  /** Stops by itself after this long; 0 = when it is acknowledged. */
  mostS: number
}

const twoTone: Tone[] = [0, 0.5, 1, 1.5].flatMap((at) => [
  { at, hz: 960, s: 0.25, gain: 0.5 },
  { at: at + 0.25, hz: 770, s: 0.25, gain: 0.5 },
])
const beeps: Tone[] = [0, 0.3, 0.6].map((at) => ({ at, hz: 880, s: 0.16, gain: 0.4 }))

/** What rings, after the escalation table: 紧急 until taken, 严重 3 min, 较重 one soft tone. */
export const patterns = {
  critical: { tones: twoTone, everyS: 5, mostS: 0 },
  high: { tones: beeps, everyS: 15, mostS: 180 },
  soft: { tones: [{ at: 0, hz: 620, s: 0.4, gain: 0.2 }], everyS: 0, mostS: 0 },
  /** The hub is out of reach: falling, unlike any alarm. */
  lost: {
    tones: [
      { at: 0, hz: 520, s: 0.3, gain: 0.4 },
      { at: 0.32, hz: 390, s: 0.3, gain: 0.4 },
      { at: 0.64, hz: 290, s: 0.5, gain: 0.4 },
    ],
    everyS: 12,
    mostS: 0,
  },
} as const satisfies Record<string, Pattern>

export type PatternName = keyof typeof patterns
