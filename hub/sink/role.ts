import type { Logger } from 'pino'
import type { Bus } from '../bus/bus.ts'
import type { Clock } from '../rules/clock.ts'
import type { RoleStart, RunningRole } from '../schema/role.ts'
import type { Settings } from '../schema/settings.ts'
import type { MetricsStore } from '../store/metrics-store.ts'
import { aggregateSpool, embeddedReader } from './embedded-mirror.ts'
import { influxMirror, influxReader, type InfluxMirror } from './influx-mirror.ts'
import { influxWriter } from './influx-writer.ts'

/** How fast the sink works; tests are less patient. */
export interface SinkPace {
  /** Time between two looks at the spool without a hint, ms. */
  tickMs: number
  /** Longest time of one request to InfluxDB, ms. */
  timeoutMs: number
  /** First and longest wait after a failure, ms. */
  firstWaitMs: number
  mostWaitMs: number
}

export interface SinkDeps {
  start: Pick<RoleStart, 'settings'>
  clock: Clock
  log: Logger
  metrics: MetricsStore
  bus: Pick<Bus, 'on'>
  pace?: Partial<SinkPace> | undefined
}

const usualPace: SinkPace = {
  tickMs: 1_000,
  timeoutMs: 10_000,
  firstWaitMs: 1_000,
  mostWaitMs: 30_000,
}
/** A county makes 2,000 aggregates in this time; each call packs up to 4,000. */
const retainEachMs = 5_000

/**
 * Starts the sink: the spool goes into the embedded aggregates always, and to InfluxDB if
 * HUB_INFLUX_URL is set. Each has its own cursor, so neither waits for the other, and the time
 * InfluxDB was away is written when it is back.
 */
export async function startSink(deps: SinkDeps): Promise<RunningRole> {
  const { metrics, clock, log, bus } = deps
  const pace = { ...usualPace, ...deps.pace }
  const influx = openMirror(deps, pace)
  enlist(metrics, influx !== undefined)
  const status = statusWriter(deps, influx)
  let aggregated = 0
  let storeError: string | null = null
  let running: Promise<void> | undefined
  let retainAt = clock.mono() + retainEachMs

  function aggregate() {
    const points = aggregateSpool(metrics, clock)
    aggregated += points
    if (points > 0) status.aggregated()
    if (clock.mono() < retainAt) return
    retainAt = clock.mono() + retainEachMs
    metrics.retain(clock.now())
  }

  function work() {
    try {
      aggregate()
      storeError = null
    } catch (error) {
      storeError = noteFailure(log, storeError, error)
    }
    // One pass at a time; a hint during one is seen by the next tick.
    running ??= (influx?.pass() ?? Promise.resolve()).finally(() => {
      running = undefined
    })
  }

  function tick() {
    work()
    try {
      status.write(storeError)
    } catch (error) {
      storeError = noteFailure(log, storeError, error)
    }
  }

  tick()
  const timer = setInterval(tick, pace.tickMs)
  const endHints = bus.on('metrics', work)
  return {
    ports: {},
    metrics: () => ({
      sink_aggregated_points_total: aggregated,
      sink_influx_written_points_total: influx?.written ?? 0,
      sink_influx_failures_total: influx?.failures ?? 0,
      sink_dropped_points_total: status.dropped(),
      sink_backlog_points: status.backlog(),
    }),
    async close() {
      clearInterval(timer)
      endHints()
      influx?.close()
      await running
      status.write(storeError)
    },
  }
}

function openMirror({ start, metrics, clock }: SinkDeps, pace: SinkPace): InfluxMirror | undefined {
  const options = influxOptions(start.settings)
  if (!options) return undefined
  return influxMirror({
    metrics,
    clock,
    writer: influxWriter({ ...options, timeoutMs: pace.timeoutMs }),
    backOff: { firstMs: pace.firstWaitMs, mostMs: pace.mostWaitMs },
  })
}

const influxOptions = (settings: Settings) =>
  settings.HUB_INFLUX_URL === undefined
    ? undefined
    : {
        url: settings.HUB_INFLUX_URL,
        writePath: settings.HUB_INFLUX_WRITE_PATH,
        database: settings.HUB_INFLUX_DATABASE,
        org: settings.HUB_INFLUX_ORG,
        token: settings.HUB_INFLUX_TOKEN,
      }

/** A batch is kept until each enlisted reader has it; a mirror that was switched off holds nothing. */
function enlist(metrics: MetricsStore, withInflux: boolean) {
  metrics.setCursor(embeddedReader, metrics.cursor(embeddedReader))
  if (withInflux) metrics.setCursor(influxReader, metrics.cursor(influxReader))
  else metrics.forget(influxReader)
}

/** What the system page shows of the sink, and what the log says when it changes. */
function statusWriter({ metrics, clock, log }: SinkDeps, influx: InfluxMirror | undefined) {
  const target = influx ? 'influx' : 'embedded'
  const before = metrics.status()
  const pushedOutBefore = metrics.pushedOut()
  let lastWriteAt = before?.target === target ? before.lastWriteAt : null
  let toldError: string | null = null
  let toldRefusal: string | null = null

  const backlog = () => metrics.backlog(metrics.cursor(influx ? influxReader : embeddedReader))
  const dropped = () => metrics.pushedOut() - pushedOutBefore + (influx?.dropped ?? 0)

  /** Once per change, not once per try: an outage of a day is two lines. */
  function tell() {
    const error = influx?.error ?? null
    if (error !== toldError) {
      if (error) log.warn({ error }, 'influx not written, points are kept')
      else log.info({ backlog: backlog() }, 'influx written again')
      toldError = error
    }
    const refusal = influx?.refusal ?? null
    if (refusal !== toldRefusal)
      log.warn({ refusal, dropped: influx?.dropped }, 'influx refused a point, given up')
    toldRefusal = refusal
  }

  return {
    backlog,
    dropped,
    aggregated() {
      if (!influx) lastWriteAt = clock.now()
    },
    write(storeError: string | null) {
      tell()
      lastWriteAt = influx?.lastWriteAt ?? lastWriteAt
      const error = storeError ?? influx?.error ?? null
      metrics.setStatus({ target, lastWriteAt, backlog: backlog(), dropped: dropped(), error })
    },
  }
}

/** The message of a failed store, logged when it is not the one known already. */
function noteFailure(log: Logger, known: string | null, error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  if (message !== known) log.error({ err: error }, 'spool not readable, tried again each second')
  return message
}
