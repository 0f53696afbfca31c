import L from 'leaflet'
import 'leaflet/dist/leaflet.css'
import type { SnapshotVillage } from '#schema/live.ts'
import type { Shape } from '../rules/marks.ts'
import { drawMark, drawOrder, nearest, type MapColours } from './point-layer.ts'
import { projectAll } from './projection.ts'

/** One thing to mark: a device, or a village in the county's picture. */
export interface MapPoint {
  lon: number | null
  lat: number | null
  /** What the pointer reads, and the caption of an abnormal one when there is room. */
  name: string
}

export interface AreaMapDeps {
  element: HTMLElement
  villages: readonly SnapshotVillage[]
  points: readonly MapPoint[]
  shapeOf: (at: number) => Shape
  /** Size of a mark, 1 = normal. */
  sizeOf: (at: number) => number
  colours: () => MapColours
  /** Words of a point for the pointer. */
  tellOf: (at: number) => string
  onpoint: (at: number) => void
  onvillage: (code: string) => void
  /** Outlines are doors to their village (not in a village's own picture). */
  villagesOpen: boolean
}

export interface AreaMap {
  /** States or colours changed: draws again. */
  redraw(): void
  /** The theme changed: outlines, too. */
  recolour(): void
  fit(): void
  zoom(by: number): void
  close(): void
}

/** Zoom up to which a village has room for captions is decided by the points on screen. */
const captionsMost = 14
const padding = 0.15

function outlines({ villages, colours, onvillage, villagesOpen }: AreaMapDeps, map: L.Map) {
  const renderer = L.canvas({ padding: 0.3 })
  const style = () => {
    const { land, landLine } = colours()
    return { color: landLine, weight: 1, fillColor: land, fillOpacity: 1 }
  }
  const group = L.layerGroup()
  for (const { code, name, outline } of villages) {
    if (!outline || outline.length < 3) continue
    const shape = L.polygon(
      outline.map(([lon, lat]) => L.latLng(lat, lon)),
      { ...style(), renderer, interactive: villagesOpen },
    )
    if (villagesOpen) {
      shape.bindTooltip(plainText(name), { sticky: true, direction: 'top', className: 'map-tip' })
      shape.on('click', () => onvillage(code))
    }
    group.addLayer(shape)
  }
  group.addTo(map)
  return {
    group,
    recolour: () =>
      group.eachLayer((layer) => layer instanceof L.Polygon && layer.setStyle(style())),
  }
}

function boundsOf(points: readonly MapPoint[], villages: readonly SnapshotVillage[]) {
  const bounds = L.latLngBounds([])
  for (const { outline, lat, lon } of villages) {
    if (outline) for (const [x, y] of outline) bounds.extend([y, x])
    else if (lat !== null && lon !== null) bounds.extend([lat, lon])
  }
  for (const { lat, lon } of points) if (lat !== null && lon !== null) bounds.extend([lat, lon])
  return bounds.isValid() ? bounds.pad(0.03) : undefined
}

/** The canvas of points: one for all, moved with the map by CSS while it is dragged, drawn when it rests. */
function pointCanvas(deps: AreaMapDeps, map: L.Map) {
  const { points, shapeOf, sizeOf, colours } = deps
  const canvas = L.DomUtil.create('canvas', 'leaflet-zoom-hide', map.getPanes().overlayPane)
  canvas.style.position = 'absolute'
  canvas.style.pointerEvents = 'none'
  canvas.style.zIndex = '300'
  const { x: unitX, y: unitY } = projectAll(points)
  /** Pixels in the canvas, kept for the pointer. */
  const x = new Float64Array(points.length)
  const y = new Float64Array(points.length)

  function place() {
    const size = map.getSize()
    const pad = size.multiplyBy(padding).round()
    const ratio = window.devicePixelRatio || 1
    const width = size.x + pad.x * 2
    const height = size.y + pad.y * 2
    canvas.width = Math.round(width * ratio)
    canvas.height = Math.round(height * ratio)
    canvas.style.width = `${width}px`
    canvas.style.height = `${height}px`
    L.DomUtil.setPosition(canvas, map.containerPointToLayerPoint([-pad.x, -pad.y]))
    const world = 256 * 2 ** map.getZoom()
    const origin = map.getPixelOrigin().subtract(map.layerPointToContainerPoint([0, 0]))
    for (let i = 0; i < points.length; i += 1) {
      x[i] = (unitX[i] ?? Number.NaN) * world - origin.x + pad.x
      y[i] = (unitY[i] ?? Number.NaN) * world - origin.y + pad.y
    }
    return { context: canvas.getContext('2d'), ratio, width, height, pad }
  }

  /** Names of the abnormal, the gravest first; one that would cover another is left out. */
  function captions(context: CanvasRenderingContext2D, listed: readonly number[]) {
    if (listed.length > captionsMost) return
    const { fg, bg } = colours()
    context.font = '12px system-ui, "Noto Sans CJK SC", sans-serif'
    context.textBaseline = 'middle'
    context.lineWidth = 3
    context.strokeStyle = bg
    context.fillStyle = fg
    const taken: { left: number; right: number; y: number }[] = []
    for (const at of listed) {
      const name = points[at]?.name ?? ''
      const left = (x[at] ?? 0) + 11
      const right = left + context.measureText(name).width
      const middle = y[at] ?? 0
      if (
        taken.some((box) => left < box.right && right > box.left && Math.abs(box.y - middle) < 15)
      )
        continue
      taken.push({ left, right, y: middle })
      context.strokeText(name, left, middle)
      context.fillText(name, left, middle)
    }
  }

  let pad = L.point(0, 0)
  function draw() {
    const placed = place()
    const { context, ratio, width, height } = placed
    pad = placed.pad
    if (!context) return
    context.setTransform(ratio, 0, 0, ratio, 0, 0)
    context.clearRect(0, 0, width, height)
    const r = points.length > 300 ? 4 : 5.5
    const shapes = points.map((_, at) => shapeOf(at))
    const palette = colours()
    for (const shape of drawOrder)
      for (let at = 0; at < points.length; at += 1) {
        const px = x[at] ?? Number.NaN
        const py = y[at] ?? Number.NaN
        if (shapes[at] !== shape || !(px > -20 && px < width + 20 && py > -20 && py < height + 20))
          continue
        drawMark(context, shape, px, py, r * sizeOf(at), palette)
      }
    const named = shapes.flatMap((shape, at) => (shape === 'ok' || shape === 'idle' ? [] : [at]))
    named.sort(
      (a, b) => drawOrder.indexOf(shapes[b] ?? 'ok') - drawOrder.indexOf(shapes[a] ?? 'ok'),
    )
    captions(context, named)
  }
  return {
    draw,
    /** Point under a place of the map's container. */
    under: (at: L.Point) => nearest(x, y, at.add(pad), 9),
    remove: () => canvas.remove(),
  }
}

/**
 * Leaflet with the village outlines and our own layer of points. No tile is ever asked for: it works
 * in a room without internet.
 */
export function areaMap(deps: AreaMapDeps): AreaMap {
  const { element, points, villages } = deps
  const calm = matchMedia('(prefers-reduced-motion: reduce)').matches
  const map = L.map(element, {
    attributionControl: false,
    zoomControl: false,
    zoomSnap: 0,
    zoomAnimation: false,
    inertia: !calm,
    fadeAnimation: false,
    minZoom: 5,
    maxZoom: 19,
  })
  const bounds = boundsOf(points, villages)
  const fit = () => void (bounds && map.fitBounds(bounds, { animate: false, padding: [6, 6] }))
  if (bounds) fit()
  else map.setView([0, 0], 2)
  const land = outlines(deps, map)
  const dots = pointCanvas(deps, map)
  const tip = L.tooltip({ direction: 'top', className: 'map-tip', offset: [0, -6] })

  map.on('moveend zoomend viewreset resize', dots.draw)
  map.on('mousemove', ({ containerPoint, latlng }) => {
    const at = dots.under(containerPoint)
    map.getContainer().style.cursor = at >= 0 ? 'pointer' : ''
    if (at < 0) return void tip.remove()
    tip.setLatLng(latlng).setContent(plainText(deps.tellOf(at)))
    tip.addTo(map)
  })
  map.on('mouseout', () => void tip.remove())
  map.on('click', ({ containerPoint }) => {
    const at = dots.under(containerPoint)
    if (at >= 0) deps.onpoint(at)
  })
  let userMoved = false
  map.on('dragend', () => (userMoved = true))
  // The panel's size is known late and changes with the window.
  const watcher = new ResizeObserver(() => {
    map.invalidateSize({ animate: false })
    if (!userMoved) fit()
  })
  watcher.observe(element)
  dots.draw()

  return {
    redraw: dots.draw,
    recolour() {
      land.recolour()
      dots.draw()
    },
    fit() {
      userMoved = false
      fit()
    },
    zoom(by) {
      userMoved = true
      map.setZoom(map.getZoom() + by)
    },
    close() {
      watcher.disconnect()
      dots.remove()
      map.remove()
    },
  }
}

/** Leaflet takes a string for HTML: a name goes in as a node that holds only its text. */
export function plainText(text: string): HTMLElement {
  const node = document.createElement('span')
  node.textContent = text
  return node
}
