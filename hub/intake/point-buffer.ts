import type { Logger } from 'pino'
import type { Point } from '../schema/metric.ts'
import type { MetricsStore } from '../store/metrics-store.ts'
import type { Counters } from './counters.ts'

/** Measured points on their way to the spool. Telemetry may be dropped and counted; alarms never pass here alone. */
export interface PointBuffer {
  add(point: Point): void
  /** Writes what is buffered; called once a second by its owner. */
  flush(): void
}

/**
 * @param limits `slice` points are written at once (at 10,000/s one write a second would hold the
 * loop, and every alarm behind it, for tens of ms); over `most` the newest are dropped and counted
 */
export function pointBuffer(deps: {
  metrics: Pick<MetricsStore, 'append'>
  log: Logger
  counters: Counters
  /** Told after each batch that reached the store. */
  written: () => void
  limits?: { slice: number; most: number }
}): PointBuffer {
  const { slice, most } = deps.limits ?? { slice: 250, most: 50_000 }
  let points: Point[] = []
  let failing = false

  function write(batch: Point[]): boolean {
    try {
      const pushedOut = deps.metrics.append(batch)
      if (pushedOut > 0) deps.counters.add('points_pushed_out', pushedOut)
      deps.counters.add('points_written', batch.length)
      failing = false
      return true
    } catch (error) {
      deps.counters.add('point_write_failures')
      if (!failing) deps.log.warn({ err: error }, 'points not written yet')
      failing = true
      return false
    }
  }

  function flush() {
    // A few slices at a time: after an outage of the store the backlog must not hold the loop.
    for (let slices = 0; slices < 4 && points.length > 0; slices++) {
      const batch = points.length <= slice ? points : points.slice(0, slice)
      if (!write(batch)) return
      points = batch === points ? [] : points.slice(slice)
      deps.written()
    }
  }

  return {
    add(point) {
      if (points.length >= most) {
        deps.counters.add('points_dropped')
        return
      }
      points.push(point)
      if (points.length >= slice && !failing) flush()
    },
    flush,
  }
}
