import type { Strip, StripBin } from '#schema/state.ts'
import { minuteTime, spanWords } from '../text/times.ts'
import type { Text } from '../text/text.svelte.ts'
import { stateOf } from './marks.ts'

const [up, degraded, down, unknown, excluded, idle] = [0, 1, 2, 3, 4, 5] as const
/** Dots of what is not in use yet stand this far apart. */
const dotStepPx = 6

/** What the words of a bin name first: the worst. Codes of the six states. */
const tellOrder = [down, degraded, unknown, excluded, idle, up] as const

const sum = (bin: StripBin) => bin.reduce((all, ms) => all + ms, 0)

/** Share 0..1 of each state in a bin; undefined for a bin nobody was expected in (before the start, after now). */
export function sharesOf(bin: StripBin): readonly number[] | undefined {
  const all = sum(bin)
  return all > 0 ? bin.map((ms) => ms / all) : undefined
}

/** Epoch ms of a bin's edges. */
export function binSpan({ from, to, bins }: Pick<Strip, 'from' | 'to' | 'bins'>, at: number) {
  const width = (to - from) / bins.length
  return { from: from + at * width, to: from + (at + 1) * width }
}

/**
 * Words of one bin: `13:05–13:10 离线 3 分`. A region's bin adds up its devices, so it tells shares.
 *
 * @param devices how many devices the row adds up, 1 for a device
 */
export function binWords(strip: Strip, at: number, text: Pick<Text, 't'>): string {
  const { t } = text
  const span = binSpan(strip, at)
  const label = `${minuteTime(span.from)}–${minuteTime(span.to)}`
  const bin = strip.bins[at]
  const all = bin ? sum(bin) : 0
  if (!bin || all === 0) return `${label} ${t('app.dash')}`
  // A region's seconds are more than the clock's: told as its part of the five minutes.
  const scale = Math.min(1, (span.to - span.from) / all)
  const parts = tellOrder.flatMap((code) => {
    const ms = (bin[code] ?? 0) * scale
    if (ms < 1) return []
    const words = spanWords(Math.max(1000, ms), t)
    if (code === unknown) return [t('strips.bin.unknown', { for: words })]
    return [t('strips.bin.part', { state: t(`state.${stateOf(code)}`), for: words })]
  })
  // Five whole minutes of one state need no figure.
  const only = tellOrder.find((code) => (bin[code] ?? 0) === all)
  return only === up ? `${label} ${t('state.up')}` : `${label} ${parts.join(' · ')}`
}

/** Milliseconds of the whole strip in one state, told for one device's clock. */
export function totalMs(strip: Strip, code: number): number {
  return strip.bins.reduce((all, bin) => all + (bin[code] ?? 0), 0)
}

export interface StripColours {
  ok: string
  warn: string
  offline: string
  maint: string
  unknown: string
  hatch: string
}

/** The part of a 2-D context that drawing takes: tests record it. */
export type StripCanvas = Pick<
  CanvasRenderingContext2D,
  | 'fillStyle'
  | 'fillRect'
  | 'clearRect'
  | 'strokeStyle'
  | 'lineWidth'
  | 'beginPath'
  | 'moveTo'
  | 'lineTo'
  | 'stroke'
  | 'save'
  | 'restore'
  | 'rect'
  | 'clip'
>

/** A mark narrower than this is not seen at 1366x768, where a bin is 1.7 px wide. */
const markLeastPx = 3
/** A hatch needs a little more to be told from a solid block. */
const hatchLeastPx = 4
const hatchStepPx = 4
/** A region's hatch is as high as its share, but not lower than this. */
const hatchLeastHeightPx = 7

interface Box {
  x: number
  y: number
  w: number
  h: number
}

function hatch(canvas: StripCanvas, { x, y, w, h }: Box, colours: StripColours) {
  canvas.fillStyle = colours.unknown
  canvas.fillRect(x, y, w, h)
  canvas.save()
  canvas.beginPath()
  canvas.rect(x, y, w, h)
  canvas.clip()
  canvas.strokeStyle = colours.hatch
  canvas.lineWidth = 1
  canvas.beginPath()
  // Lines are laid out from the canvas's own origin, so neighbouring bins join into one hatch.
  const first = Math.floor((x - h) / hatchStepPx) * hatchStepPx
  for (let at = first; at < x + w + h; at += hatchStepPx) {
    canvas.moveTo(at, y + h)
    canvas.lineTo(at + h, y)
  }
  canvas.stroke()
  canvas.restore()
}

/** Runs of bins that satisfy `is`, as [first, end). */
function runs(count: number, is: (at: number) => boolean): [number, number][] {
  const found: [number, number][] = []
  for (let at = 0; at < count; at += 1) {
    if (!is(at)) continue
    const last = found.at(-1)
    if (last?.[1] === at) last[1] = at + 1
    else found.push([at, at + 1])
  }
  return found
}

/**
 * Draws a strip: normal a thin grey line, not yet in use a row of faint dots, not normal a block from
 * the bottom whose height is its share of the bin (at least 1 px), not observed a hatched block: full
 * height for a device. However short it was, a mark is 3 px wide, a hatched one 4.
 *
 * @param region the row adds up devices: a block's height is their share, hatched or not
 */
export function drawStrip(
  canvas: StripCanvas,
  strip: Strip,
  size: { width: number; height: number },
  colours: StripColours,
  region: boolean,
) {
  const { width, height } = size
  canvas.clearRect(0, 0, width, height)
  const line = Math.round(height / 2)
  const shares = strip.bins.map(sharesOf)
  const step = width / strip.bins.length
  /** Where a run of bins is drawn: its own place, widened to the left when it is too narrow to see. */
  const place = (from: number, to: number, least: number) => {
    const end = Math.round(to * step)
    const w = Math.max(least, end - Math.round(from * step))
    const x = Math.max(0, end - w)
    return { x, w }
  }
  const share = (at: number, code: number) => shares[at]?.[code] ?? 0

  for (const [from, to] of runs(shares.length, (at) => share(at, up) + share(at, degraded) > 0)) {
    canvas.fillStyle = colours.ok
    const { x, w } = place(from, to, 1)
    canvas.fillRect(x, line - 1, w, 2)
  }
  canvas.fillStyle = colours.hatch
  for (const [from, to] of runs(shares.length, (at) => share(at, idle) > 0.5)) {
    const { x, w } = place(from, to, 1)
    for (let dot = Math.ceil(x / dotStepPx) * dotStepPx; dot < x + w; dot += dotStepPx)
      canvas.fillRect(dot, line, 1, 1)
  }
  shares.forEach((_, at) => {
    const blind = share(at, unknown)
    if (blind === 0) return
    const h = region ? Math.max(hatchLeastHeightPx, Math.round(blind * height)) : height
    hatch(canvas, { ...place(at, at + 1, hatchLeastPx), y: 0, h }, colours)
  })
  shares.forEach((_, at) => {
    let floor = height
    for (const [code, colour] of [
      [down, colours.offline],
      [degraded, colours.warn],
      [excluded, colours.maint],
    ] as const) {
      const part = share(at, code)
      if (part === 0) continue
      const { x, w } = place(at, at + 1, markLeastPx)
      const h = Math.max(1, Math.round(part * height))
      canvas.fillStyle = colour
      canvas.fillRect(x, floor - h, w, h)
      floor -= h
    }
  })
}

/**
 * When a row's first device came into use, epoch ms; undefined when it was before the strip began, or
 * has not been. Devices of a region are taken to start together in the bin they start in.
 *
 * @param now end of the bin that is still running
 */
export function firstUseAt(strip: Strip, now: number): number | undefined {
  const at = strip.bins.findIndex((bin) => sum(bin) > (bin[idle] ?? 0))
  const bin = strip.bins[at]
  if (!bin) return undefined
  const share = (bin[idle] ?? 0) / sum(bin)
  if (at === 0 && share === 0) return undefined
  const span = binSpan(strip, at)
  return span.from + share * (Math.min(span.to, now) - span.from)
}
