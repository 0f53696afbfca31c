import { Point as InfluxPoint } from '@influxdata/influxdb-client'
import type { Point } from '../schema/metric.ts'

/** Tags and field keys may hold only this: a trailing backslash or a line break would break a line. */
const identifier = /^[A-Za-z0-9_.:-]{1,64}$/
const textLength = 256
/** A field of a tag's name cannot be told from it in InfluxQL, and `time` is refused: `kind` becomes `kind_`. */
const reserved: ReadonlySet<string> = new Set(['deviceId', 'kind', 'region', 'time'])

export interface SpoolBatch {
  seq: number
  points: readonly Point[]
}

/** Lines of one spool batch, and how many points could not become one. */
export interface Lines {
  lines: string[]
  unfit: number
}

/**
 * InfluxDB knows a point by series, tags and time: two at one time would become one. The wire time
 * is in nanoseconds, the milliseconds are the receive time as it is, and the six digits below them
 * are an order number:
 * - points of one series and device in the same millisecond of a batch are numbered 0, 1, 2...;
 * - for `alarm` (each edge counts) 1,000 x (batch number mod 1,000) is added, so that edges of the
 *   same millisecond in two batches stay apart. Other series keep round milliseconds, which
 *   compress three times better; their readings of one millisecond in two batches become one point.
 *
 * The numbers come from the spool alone, so a batch sent again writes the same points again.
 */
export function influxLines(batch: SpoolBatch): Lines {
  const taken = new Map<string, number>()
  const lines: string[] = []
  for (const point of batch.points) {
    const line = fit(point)
    if (!line) continue
    const key = `${point.series} ${point.deviceId} ${point.at}`
    const nth = taken.get(key) ?? 0
    taken.set(key, nth + 1)
    const order = (nth % 1_000) + (point.series === 'alarm' ? (batch.seq % 1_000) * 1_000 : 0)
    const text = line.timestamp(`${point.at}${String(order).padStart(6, '0')}`).toLineProtocol()
    if (text) lines.push(text)
  }
  return { lines, unfit: batch.points.length - lines.length }
}

/** The point without its time; undefined when a tag or every field is not fit to be sent. */
function fit({ series, deviceId, kind, region, at, fields }: Point): InfluxPoint | undefined {
  const tags = { deviceId, kind, region }
  if (at < 1 || Object.values(tags).some((value) => !identifier.test(value))) return undefined
  const line = new InfluxPoint(series)
  for (const [name, value] of Object.entries(tags)) line.tag(name, value)
  const entries = Object.entries(fields)
  const good = entries.filter(
    ([name, value]) =>
      identifier.test(name) && (typeof value !== 'number' || Number.isFinite(value)),
  )
  // A sign of life without readings is still a sign of life.
  if (entries.length === 0) return line.booleanField('present', true)
  if (good.length === 0) return undefined
  for (const [name, value] of good) addField(line, reserved.has(name) ? `${name}_` : name, value)
  return line
}

function addField(line: InfluxPoint, name: string, value: number | string | boolean) {
  if (typeof value === 'number') line.floatField(name, value)
  else if (typeof value === 'boolean') line.booleanField(name, value)
  else line.stringField(name, value.slice(0, textLength).replaceAll(/[\p{Cc}\p{Cs}]/gu, ' '))
}
