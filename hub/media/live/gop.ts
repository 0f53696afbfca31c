import type { LiveMessage } from './message.ts'

/** What one camera may hold in memory for viewers who join. */
export const gopLimits = { bytes: 4 * 1024 * 1024, frames: 1500 } as const

/**
 * The pictures since the newest key picture. A group that outgrows the limits is let go: who joins
 * then waits for the next key picture.
 */
export function groupOfPictures(limits: { bytes: number; frames: number } = gopLimits) {
  let frames: LiveMessage[] = []
  let bytes = 0
  let broken = true
  return {
    add(frame: LiveMessage) {
      if (frame.key) {
        frames = []
        bytes = 0
        broken = false
      }
      if (broken) return
      frames.push(frame)
      bytes += frame.size
      if (bytes <= limits.bytes && frames.length <= limits.frames) return
      this.clear()
    },
    clear() {
      frames = []
      bytes = 0
      broken = true
    },
    frames: (): readonly LiveMessage[] => frames,
    bytes: () => bytes,
  }
}
