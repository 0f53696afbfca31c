import type { LiveNotice } from '../../schema/live.ts'
import type { StreamFault } from '../fault.ts'

/** Ages of the newest decodable frame at which the verdict changes, ms. */
export const frameAges = { stalledMs: 3_500, offlineMs: 8_000 } as const

export type PictureState = Exclude<LiveNotice['state'], 'refused'>

/** What a tile says of a camera: judged on decodable frames, never on whether the socket is open. */
export function pictureState(
  { ageMs, fault }: { ageMs: number | undefined; fault: StreamFault | undefined },
  ages: { stalledMs: number; offlineMs: number } = frameAges,
): PictureState {
  if (fault?.code === 'codec-unsupported') return 'codec'
  if (ageMs === undefined) return fault ? 'offline' : 'connecting'
  if (ageMs < ages.stalledMs) return 'live'
  return ageMs >= ages.offlineMs && fault ? 'offline' : 'stalled'
}

const firstRetryMs = 500
const longestRetryMs = 30_000
// Cameras lock the account after five to seven wrong passwords: at most one try a minute.
const passwordRetryMs = 60_000
const slowRetryMs = 15_000

/**
 * Wait before the next try, ms: doubled each time, ± 25 % so that a village's cameras do not come
 * back in step; much longer where trying again cannot help.
 *
 * @param tries failed tries since the camera last ran
 * @param chance 0..1
 */
export function retryMs(fault: StreamFault, tries: number, chance: number): number {
  const doubled = firstRetryMs * 2 ** Math.min(tries, 10)
  const jitter = 0.75 + chance / 2
  switch (fault.code) {
    case 'wrong-password':
      return Math.min(passwordRetryMs * 2 ** Math.min(tries, 3), 600_000) * (1 + chance / 4)
    case 'no-such-channel':
    case 'not-allowed-address':
    case 'codec-unsupported':
    case 'no-video':
      return Math.max(slowRetryMs, Math.min(doubled, longestRetryMs)) * jitter
    case 'refused':
    case 'unreachable':
    case 'timeout':
    case 'garbage':
      break
  }
  return Math.min(doubled, longestRetryMs) * jitter
}
