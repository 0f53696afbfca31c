import type { Strip, StripBin } from '#schema/state.ts'
import { minuteTime, spanWords } from '../text/times.ts'
import type { Text } from '../text/text.svelte.ts'
import { stateOf } from './marks.ts'

const up = 0
const unknown = 3

/** What the words of a bin name first: the worst. Codes of the six states. */
const tellOrder = [2, 1, unknown, 4, 5, up] as const

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

function hatch(
  canvas: StripCanvas,
  x: number,
  y: number,
  w: number,
  h: number,
  colours: StripColours,
) {
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
  const first = Math.floor((x - h) / 5) * 5
  for (let at = first; at < x + w + h; at += 5) {
    canvas.moveTo(at, y + h)
    canvas.lineTo(at + h, y)
  }
  canvas.stroke()
  canvas.restore()
}

/**
 * Draws a strip: normal a thin grey line, not normal a block from the bottom whose height is its share
 * of the bin (at least 1 px), not observed a hatched block: full height for a device.
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
  const edge = (at: number) => Math.round(at * step)
  shares.forEach((share, at) => {
    if (!share) return
    const x = edge(at)
    const w = Math.max(1, edge(at + 1) - x)
    const blind = share[unknown] ?? 0
    const blindHeight = region ? Math.round(blind * height) : blind > 0 ? height : 0
    if (blindHeight < height && (share[up] ?? 0) > 0) {
      canvas.fillStyle = colours.ok
      canvas.fillRect(x, line - 1, w, 2)
    }
    if (blind > 0) hatch(canvas, x, 0, w, Math.max(1, blindHeight), colours)
    let floor = height
    const block = (code: number, colour: string) => {
      const part = share[code] ?? 0
      if (part === 0) return
      const h = Math.max(1, Math.round(part * height))
      canvas.fillStyle = colour
      canvas.fillRect(x, floor - h, w, h)
      floor -= h
    }
    block(2, colours.offline)
    block(1, colours.warn)
    block(4, colours.maint)
  })
}
