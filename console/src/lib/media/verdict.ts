import type { LiveNotice } from '#schema/live.ts'

/** What a tile shows of its camera. */
export interface TileState {
  state: LiveNotice['state']
  /** Age of the newest picture, ms; null = none ever came. */
  ageMs: number | null
  /** From the hub having the picture to the picture on screen, ms; null while nothing plays. */
  latencyMs: number | null
  codec: string | null
  /** Cause as a code: the hub's (`wrong-password`...), `hub-unreachable`, `decoder`, `session-ended`. */
  message: string | null
}

/** No picture for this long is a standing picture, ms, whatever the socket says. */
export const staleMs = 3_500

export interface Evidence {
  /** All on the page's monotonic clock, ms. */
  now: number
  framedAt: number | undefined
  /** When the browser last showed another picture. */
  movedAt: number | undefined
  /** When pictures began to come since the tile was last begun. */
  waitingSince: number | undefined
  notice: LiveNotice | undefined
  noticedAt: number
  linkUp: boolean
  /** Hub's clock, epoch ms. */
  hubNow: number
  shownAt: number | undefined
}

/** Judges a tile by what this page received and showed itself; the hub's notice explains the cause. */
export function verdict(evidence: Evidence): TileState {
  const { now, framedAt, movedAt, notice, noticedAt, hubNow, shownAt } = evidence
  const codec = notice?.codec ?? null
  const ageMs = ageOf(evidence)
  const still = { ageMs, latencyMs: null, codec }
  if (notice?.state === 'refused' || notice?.state === 'codec')
    return { ...still, state: notice.state, message: notice.message }
  const cause = evidence.linkUp ? (notice?.message ?? null) : 'hub-unreachable'
  const newsIsOlder = framedAt !== undefined && framedAt >= noticedAt
  if (framedAt === undefined) {
    const state =
      notice?.state === 'offline' || notice?.state === 'stalled' ? notice.state : 'connecting'
    return { ...still, state, message: cause }
  }
  if (now - framedAt >= staleMs)
    return { ...still, state: notice?.state === 'offline' ? 'offline' : 'stalled', message: cause }
  if (!newsIsOlder && (notice?.state === 'stalled' || notice?.state === 'offline'))
    return { ...still, state: notice.state, message: cause }
  if (isStuck(evidence)) {
    const unseenMs = movedAt === undefined ? null : Math.round(now - movedAt)
    return { ...still, ageMs: unseenMs, state: 'stalled', message: 'decoder' }
  }
  if (movedAt === undefined) return { ...still, state: 'connecting', message: cause }
  const latencyMs = shownAt === undefined ? null : Math.max(0, Math.round(hubNow - shownAt))
  return { state: 'live', ageMs, latencyMs, codec, message: null }
}

/** Pictures arrive and none is shown. */
export const isStuck = ({
  now,
  movedAt = 0,
  waitingSince,
}: Pick<Evidence, 'now' | 'movedAt' | 'waitingSince'>) =>
  waitingSince !== undefined && now - Math.max(movedAt, waitingSince) >= staleMs

function ageOf({ now, framedAt, notice, hubNow }: Evidence): number | null {
  if (framedAt !== undefined) return Math.round(now - framedAt)
  const seen = notice?.lastFrameAt ?? null
  return seen === null ? null : Math.max(0, Math.round(hubNow - seen))
}
