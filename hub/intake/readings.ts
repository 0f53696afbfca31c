import type { Point } from '../schema/metric.ts'
import type { CanonicalRecord } from '../schema/record.ts'
import type { Counters } from './counters.ts'

/** Names of readings one device may use between two starts of the hub; a street light has about ten. */
const namesMax = 64
/** The embedded store keeps 32-bit floats, and a sum of larger ones would become infinite. */
const valueMax = 3.4e38

/** Readings as they may reach the time-series stores. */
export interface Readings {
  /** The fields of one message of device `n`; undefined when it carries none. */
  fields: (n: number, records: readonly CanonicalRecord[]) => Point['fields'] | undefined
}

/**
 * Bounds what a device can make the time-series stores keep for ever: every new name is a series of its
 * own. Measured without: 15,000 series from one device in 2.5 s; at 16 million the store is full.
 */
export function readings(counters: Counters): Readings {
  const names = new Map<number, Set<string>>()

  function isKnown(n: number, name: string): boolean {
    const known = names.get(n) ?? new Set<string>()
    if (known.has(name)) return true
    if (known.size >= namesMax) return false
    names.set(n, known.add(name))
    return true
  }

  return {
    fields(n, records) {
      const fields: Point['fields'] = {}
      let some = false
      for (const record of records) {
        if (record.type !== 'telemetry' && record.type !== 'state') continue
        const { name, value } = record
        const held = typeof value !== 'number' || Math.abs(value) <= valueMax
        if (held && isKnown(n, name)) {
          fields[name] = value
          some = true
        } else counters.add('readings_refused')
      }
      return some ? fields : undefined
    },
  }
}
