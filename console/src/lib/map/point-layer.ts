import type { Shape } from '../rules/marks.ts'

export interface MapColours {
  ok: string
  warn: string
  alarm: string
  offline: string
  maint: string
  unknown: string
  edge: string
  land: string
  landLine: string
  fg: string
  bg: string
}

/** The drawing calls a mark takes; tests record them. */
export type MarkCanvas = Pick<
  CanvasRenderingContext2D,
  | 'fillStyle'
  | 'strokeStyle'
  | 'lineWidth'
  | 'beginPath'
  | 'moveTo'
  | 'lineTo'
  | 'closePath'
  | 'fill'
  | 'stroke'
  | 'fillRect'
  | 'strokeRect'
>

function diamond(canvas: MarkCanvas, x: number, y: number, r: number) {
  canvas.beginPath()
  canvas.moveTo(x, y - r)
  canvas.lineTo(x + r, y)
  canvas.lineTo(x, y + r)
  canvas.lineTo(x - r, y)
  canvas.closePath()
}

function triangle(canvas: MarkCanvas, x: number, y: number, r: number) {
  canvas.beginPath()
  canvas.moveTo(x, y - r)
  canvas.lineTo(x + r, y + r * 0.85)
  canvas.lineTo(x - r, y + r * 0.85)
  canvas.closePath()
}

/** Draws one mark of the state language, `r` px from its middle to its edge. */
export function drawMark(
  canvas: MarkCanvas,
  shape: Shape,
  x: number,
  y: number,
  r: number,
  colours: MapColours,
) {
  switch (shape) {
    case 'alarm':
      triangle(canvas, x, y, r + 3)
      canvas.fillStyle = colours.alarm
      canvas.strokeStyle = colours.bg
      canvas.lineWidth = 2
      canvas.stroke()
      canvas.fill()
      return
    case 'warn':
      diamond(canvas, x, y, r)
      canvas.fillStyle = colours.warn
      canvas.fill()
      return
    case 'offline':
      diamond(canvas, x, y, r)
      canvas.fillStyle = colours.land
      canvas.fill()
      canvas.strokeStyle = colours.offline
      canvas.lineWidth = 1.7
      canvas.stroke()
      return
    case 'maint':
      canvas.fillStyle = colours.maint
      canvas.fillRect(x - r, y - r * 0.4, r * 2, r * 0.8)
      return
    case 'unknown':
      canvas.fillStyle = colours.unknown
      canvas.fillRect(x - r * 0.8, y - r * 0.8, r * 1.6, r * 1.6)
      canvas.strokeStyle = colours.edge
      canvas.lineWidth = 1
      canvas.strokeRect(x - r * 0.8, y - r * 0.8, r * 1.6, r * 1.6)
      canvas.beginPath()
      canvas.moveTo(x - r * 0.8, y + r * 0.8)
      canvas.lineTo(x + r * 0.8, y - r * 0.8)
      canvas.stroke()
      return
    case 'idle':
      canvas.fillStyle = colours.edge
      canvas.fillRect(x - r * 0.6, y - 0.5, r * 1.2, 1)
      return
    case 'ok':
      canvas.fillStyle = colours.ok
      canvas.fillRect(x - r * 0.4, y - r * 0.4, r * 0.8, r * 0.8)
  }
}

/** Later ones are drawn over earlier ones: the abnormal is never hidden by the normal. */
export const drawOrder: readonly Shape[] = [
  'idle',
  'ok',
  'maint',
  'unknown',
  'offline',
  'warn',
  'alarm',
]

/** Nearest point within `reach` px, or -1; of equally near ones the one drawn last. */
export function nearest(
  x: Float64Array,
  y: Float64Array,
  at: { x: number; y: number },
  reach: number,
): number {
  let best = -1
  let bestSquare = reach * reach
  for (let i = 0; i < x.length; i += 1) {
    const dx = (x[i] ?? Number.NaN) - at.x
    const dy = (y[i] ?? Number.NaN) - at.y
    const square = dx * dx + dy * dy
    if (square <= bestSquare) {
      best = i
      bestSquare = square
    }
  }
  return best
}
