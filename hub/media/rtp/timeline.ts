const longestStepS = 10

/**
 * Turns a camera's 32-bit RTP timestamps into one decode time that only grows, in ticks: wraps are
 * followed, a jump back or far ahead counts as one ordinary frame, a reconnect as the time it took.
 */
export function timeline(clockRate: number, frameRate = 25) {
  let last: number | undefined
  let time = 0
  let step = Math.round(clockRate / frameRate)
  let gapMs: number | undefined
  let jumps = 0

  function advance(timestamp: number): number {
    if (last === undefined) {
      const gap = gapMs === undefined ? 0 : Math.max(step, Math.round((gapMs / 1000) * clockRate))
      gapMs = undefined
      return gap
    }
    const delta = (timestamp - last) | 0
    if (delta > 0 && delta <= longestStepS * clockRate) {
      // The duration of a frame is only known from the next: the newest plausible step stands for it.
      if (delta <= 2 * clockRate) step = delta
      return delta
    }
    jumps++
    return step
  }

  return {
    /** Decode time of the next frame and how long it is expected to last, ticks. */
    next(timestamp: number): { time: number; duration: number } {
      time += advance(timestamp)
      last = timestamp
      return { time, duration: step }
    },
    /** A new connection follows `elapsedMs` after the last frame: its timestamps begin anywhere. */
    restart(elapsedMs: number) {
      if (last === undefined) return
      last = undefined
      gapMs = Math.max(0, elapsedMs)
    },
    jumps: () => jumps,
    clockRate,
  }
}

export type Timeline = ReturnType<typeof timeline>
