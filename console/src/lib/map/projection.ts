/** Web Mercator (EPSG:3857) as a square 0..1: x east, y south. Latitude is cut at its edge, 85.0511°. */
export function mercator(lon: number, lat: number): { x: number; y: number } {
  const edge = 85.0511
  const phi = (Math.min(edge, Math.max(-edge, lat)) * Math.PI) / 180
  return {
    x: lon / 360 + 0.5,
    y: 0.5 - Math.log(Math.tan(Math.PI / 4 + phi / 2)) / (2 * Math.PI),
  }
}

/** Positions of many points in the unit square; NaN where a point has none. */
export function projectAll(points: readonly { lon: number | null; lat: number | null }[]) {
  const x = new Float64Array(points.length).fill(Number.NaN)
  const y = new Float64Array(points.length).fill(Number.NaN)
  points.forEach(({ lon, lat }, at) => {
    if (lon === null || lat === null) return
    const place = mercator(lon, lat)
    x[at] = place.x
    y[at] = place.y
  })
  return { x, y }
}
