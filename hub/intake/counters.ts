/** Named counters and gauges of intake, handed out as one flat record for `/metrics`. */
export interface Counters {
  /** Adds to a counter; the name is made on first use. */
  add(name: string, by?: number): void
  /** Sets a gauge. */
  set(name: string, value: number): void
  read(): Record<string, number>
}

/** Counters that start with every name in `known` at 0, so that a graph has no holes. */
export function counters(known: readonly string[] = []): Counters {
  const values = new Map<string, number>(known.map((name) => [name, 0]))
  return {
    add: (name, by = 1) => {
      values.set(name, (values.get(name) ?? 0) + by)
    },
    set: (name, value) => {
      values.set(name, value)
    },
    read: () => Object.fromEntries(values),
  }
}
