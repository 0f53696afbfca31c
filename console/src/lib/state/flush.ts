/** What a flush needs of the browser; tests pass their own. */
export interface Frames {
  now(): number
  /** requestAnimationFrame: never runs in a hidden tab, which then paints nothing and costs nothing. */
  frame(run: () => void): number
  drop(id: number): void
  after(ms: number, run: () => void): number
  clear(id: number): void
}

export const browserFrames: Frames = {
  now: () => performance.now(),
  frame: (run) => requestAnimationFrame(run),
  drop: (id) => cancelAnimationFrame(id),
  after: (ms, run) => window.setTimeout(run, ms),
  clear: (id) => window.clearTimeout(id),
}

/**
 * Calls `paint` once for any number of `mark` calls: at most each `gapMs` and inside an animation frame.
 */
export function flusher(frames: Frames, paint: () => void, gapMs = 200) {
  let frameId: number | undefined
  let timerId: number | undefined
  let last = -Infinity
  function run() {
    frameId = undefined
    last = frames.now()
    paint()
  }
  function ask() {
    timerId = undefined
    frameId = frames.frame(run)
  }
  return {
    mark() {
      if (frameId !== undefined || timerId !== undefined) return
      const wait = last + gapMs - frames.now()
      if (wait > 0) timerId = frames.after(wait, ask)
      else ask()
    },
    close() {
      if (frameId !== undefined) frames.drop(frameId)
      if (timerId !== undefined) frames.clear(timerId)
    },
  }
}
