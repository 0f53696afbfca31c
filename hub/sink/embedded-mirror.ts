import type { Clock } from '../rules/clock.ts'
import type { MetricsStore } from '../store/metrics-store.ts'

/** Name of the aggregates' cursor in the spool. */
export const embeddedReader = 'embedded'

/** Longest pass: a long backlog must not keep the process from its other work, ms. */
const passMs = 200

/** Adds what is spooled to the 5-minute aggregates; answers how many points. */
export function aggregateSpool(
  metrics: Pick<MetricsStore, 'batches' | 'cursor' | 'aggregate'>,
  clock: Pick<Clock, 'mono'>,
): number {
  const until = clock.mono() + passMs
  let points = 0
  while (clock.mono() <= until) {
    const [batch] = metrics.batches(metrics.cursor(embeddedReader), 1)
    if (!batch) break
    metrics.aggregate(embeddedReader, batch.seq, batch.points)
    points += batch.points.length
  }
  return points
}
