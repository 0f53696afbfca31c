import type { Clock } from '../rules/clock.ts'
import type { MetricsStore } from '../store/metrics-store.ts'
import { writeAround } from './bisect.ts'
import { influxLines, type SpoolBatch } from './influx-lines.ts'
import { requestLines, Unavailable, type InfluxWriter } from './influx-writer.ts'

/** Name of the mirror's cursor in the spool. */
export const influxReader = 'influx'

/** Waits after a failure: doubled from `firstMs` to `mostMs`, or what the server asks for. */
export interface BackOff {
  firstMs: number
  mostMs: number
}

export interface InfluxMirrorDeps {
  metrics: Pick<MetricsStore, 'batches' | 'cursor' | 'setCursor'>
  writer: InfluxWriter
  clock: Clock
  backOff: BackOff
}

/** Copies the spool to InfluxDB; the cursor moves only after the server accepted. */
export interface InfluxMirror {
  /** Writes what is spooled, unless the back-off is running. Never throws; `error` tells. */
  pass(): Promise<void>
  /** Points the server accepted. */
  readonly written: number
  /** Points not fit to be sent, or refused one by one. */
  readonly dropped: number
  readonly failures: number
  /** Epoch ms of the last accepted request. */
  readonly lastWriteAt: number | null
  /** Why the last attempt failed; null when it worked. */
  readonly error: string | null
  /** The server's last word about a point that was given up. */
  readonly refusal: string | null
  close(): void
}

/** Accepted everywhere; written only when a server refuses every point of a request. */
const probe = 'hub_probe present=true'

export function influxMirror({ metrics, writer, clock, backOff }: InfluxMirrorDeps): InfluxMirror {
  let [written, dropped, failures] = [0, 0, 0]
  let lastWriteAt: number | null = null
  let error: string | null = null
  let refusal: string | null = null
  let waitMs = backOff.firstMs
  let notBefore = Number.NEGATIVE_INFINITY
  let prepared = false
  let closed = false

  const next = () => (closed ? undefined : metrics.batches(metrics.cursor(influxReader), 1).at(0))

  /** Writes one spool batch; points are counted only once it is through. */
  async function copy(batch: SpoolBatch) {
    const { lines, unfit } = influxLines(batch)
    let refused = 0
    for (let from = 0; from < lines.length; from += requestLines) {
      const part = lines.slice(from, from + requestLines)
      const outcome = await writeAround(part, writer.send, probe)
      refused += outcome.dropped
      refusal = outcome.reason ?? refusal
    }
    metrics.setCursor(influxReader, batch.seq)
    written += lines.length - refused
    dropped += unfit + refused
    if (lines.length > refused) lastWriteAt = clock.now()
  }

  async function drain() {
    if (!prepared) await writer.createDatabase()
    prepared = true
    for (let batch = next(); batch; batch = next()) {
      await copy(batch)
      error = null
      waitMs = backOff.firstMs
    }
  }

  return {
    async pass() {
      if (closed || clock.mono() < notBefore) return
      try {
        await drain()
      } catch (failure) {
        // Closing cuts the request that runs: no failure of the server.
        if (closed) return
        failures += 1
        error = failure instanceof Error ? failure.message : String(failure)
        // 1.x answers 404 while the database is missing, also when it was dropped meanwhile.
        prepared = !(failure instanceof Unavailable && failure.status === 404)
        const asked = failure instanceof Unavailable ? failure.retryAfterMs : 0
        notBefore = clock.mono() + Math.max(asked, waitMs)
        waitMs = Math.min(waitMs * 2, backOff.mostMs)
      }
    },
    get written() {
      return written
    },
    get dropped() {
      return dropped
    },
    get failures() {
      return failures
    },
    get lastWriteAt() {
      return lastWriteAt
    },
    get error() {
      return error
    },
    get refusal() {
      return refusal
    },
    close() {
      closed = true
      writer.close()
    },
  }
}
