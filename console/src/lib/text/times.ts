import type { Text } from './text.svelte.ts'

const twoDigits = (n: number) => String(n).padStart(2, '0')

/** 22:41:07 in the browser's zone. */
export function clockTime(at: number): string {
  const d = new Date(at)
  return `${twoDigits(d.getHours())}:${twoDigits(d.getMinutes())}:${twoDigits(d.getSeconds())}`
}

/** 22:41 in the browser's zone. */
export const minuteTime = (at: number) => clockTime(at).slice(0, 5)

/** A night's shift goes over midnight: so long a time of day needs no date. */
const shiftMs = 12 * 3_600_000

/** True when a time of day alone cannot be mistaken: the same day as `now`, or less than 12 h before it. */
export const isNear = (at: number, now: number) =>
  new Date(now).toDateString() === new Date(at).toDateString() || (at <= now && now - at < shiftMs)

/** 22:41 today or in the last 12 h, 11-22 22:41 before. `now` decides what today is. */
export function dayTime(at: number, now: number): string {
  const d = new Date(at)
  return isNear(at, now)
    ? minuteTime(at)
    : `${twoDigits(d.getMonth() + 1)}-${twoDigits(d.getDate())} ${minuteTime(at)}`
}

/** 02:05 (mm:ss) or 1:02:05, for a running age in the header. */
export function runningAge(ms: number): string {
  const s = Math.max(0, Math.floor(ms / 1000))
  const hours = Math.floor(s / 3600)
  const rest = `${twoDigits(Math.floor(s / 60) % 60)}:${twoDigits(s % 60)}`
  return hours > 0 ? `${hours}:${rest}` : rest
}

/** A span in words: 40 秒, 3 分 12 秒 (up to 10 min), 25 分, 5 小时 2 分, 3 天 4 小时. Rounded down. */
export function spanWords(ms: number, t: Text['t']): string {
  const s = Math.max(0, Math.floor(ms / 1000))
  if (s < 60) return t('time.s', { s })
  const m = Math.floor(s / 60)
  if (m < 10 && s % 60 > 0) return t('time.ms', { m, s: s % 60 })
  if (m < 60) return t('time.m', { m })
  const h = Math.floor(m / 60)
  return h < 24
    ? t('time.hm', { h, m: m % 60 })
    : t('time.dh', { d: Math.floor(h / 24), h: h % 24 })
}
