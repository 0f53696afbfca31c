import { onTestFinished } from 'vitest'
import { localBus } from '../../hub/bus/local-bus.ts'
import { Settings } from '../../hub/schema/settings.ts'
import { startSink, type SinkPace } from '../../hub/sink/role.ts'
import type { MetricsStore } from '../../hub/store/metrics-store.ts'
import { sqliteMetrics } from '../../hub/store/sqlite-metrics.ts'
import { keptLog } from './store-log.ts'

/** Impatient: a test waits for what happens, never for the clock. */
const pace: SinkPace = { tickMs: 20, timeoutMs: 2_000, firstWaitMs: 20, mostWaitMs: 80 }

export const memoryMetrics = async (file = ':memory:') => {
  const metrics = await sqliteMetrics(file, { busyTimeoutMs: 2_000 })
  onTestFinished(() => metrics.close())
  return metrics
}

/** A running sink over `metrics`; it stops with the test, or by `close`. */
export async function runningSink(
  metrics: MetricsStore,
  settings: Record<string, string> = {},
  faster: Partial<SinkPace> = {},
) {
  const { log, lines } = keptLog()
  const bus = localBus()
  const sink = await startSink({
    start: { settings: Settings.parse(settings) },
    clock: { now: () => Date.now(), mono: () => performance.now() },
    log,
    metrics,
    bus,
    pace: { ...pace, ...faster },
  })
  let closed = false
  const close = async () => {
    if (closed) return
    closed = true
    await sink.close()
  }
  onTestFinished(close)
  return { sink, bus, lines, close }
}
