import type { DatabaseSync } from 'node:sqlite'
import { constants, zstdCompressSync, zstdDecompressSync } from 'node:zlib'
import { z } from 'zod'

/** One aggregate inside the store: `id` stands for (series, device, field). */
export interface Summary {
  bin: number
  id: number
  count: number
  min: number
  sum: number
  max: number
}

/**
 * Aggregates of closed 5 minutes, 256 series to a row: 8 bytes each where a row of its own takes
 * 50, so that 30 days of 30,000 devices with four readings are 8 GB and not 52. Values are 32-bit
 * floats: seven significant digits. Late points stay rows of their own until the next packing.
 */
export function packedTable(db: DatabaseSync) {
  const put = db.prepare(
    'insert into packed (key, body) values (?, ?) on conflict (key) do update set body = excluded.body',
  )
  const get = db.prepare('select body from packed where key = ?')
  const loose = db.prepare(
    `select bin, id, count, min, sum, max from aggregate
     where bin = (select min(bin) from aggregate) order by id limit ?`,
  )
  const removeLoose = db.prepare('delete from aggregate where bin = ? and id between ? and ?')
  const removeOld = db.prepare(
    'delete from packed where key in (select key from packed where key < ? order by key limit ?)',
  )
  const ends = db.prepare(
    'select (select min(key) from packed) as first, (select max(key) from packed) as last',
  )
  const find = (bin: number, chunk: number): Summary[] => {
    const row = get.get(keyOf(bin, chunk))
    return row?.body instanceof Uint8Array ? decode(row.body, bin, chunk) : []
  }

  /** Packs at most `limit` rows of the oldest bin, if that is before `bin`; answers how many. */
  function pack(bin: number, limit: number): number {
    const rows = loose.all(limit).map((row) => SummaryRow.parse(row))
    const oldest = rows[0]?.bin
    if (oldest === undefined || oldest >= bin) return 0
    for (const [chunk, part] of Map.groupBy(rows, ({ id }) => chunkOf(id))) {
      put.run(keyOf(oldest, chunk), encode(merge([...find(oldest, chunk), ...part])))
      removeLoose.run(oldest, part[0]?.id ?? 0, part.at(-1)?.id ?? 0)
    }
    return rows.length
  }

  return {
    pack,
    /** The packed aggregate of one series, undefined when there is none. */
    one: (bin: number, id: number) => find(bin, chunkOf(id)).find((row) => row.id === id),
    /** Oldest and newest packed bin. */
    ends: () => {
      const { first, last } = EndsRow.parse(ends.get())
      return { first: first && binOf(first), last: last && binOf(last) }
    },
    /** Removes at most `limit` rows before `bin`. */
    removeBefore: (bin: number, limit: number) =>
      Number(removeOld.run(keyOf(bin, 0), limit).changes),
  }
}

const EndsRow = z.object({ first: z.int().nullable(), last: z.int().nullable() })
export const SummaryRow = z.compile(
  z.object({
    bin: z.int(),
    id: z.int(),
    count: z.int(),
    min: z.number(),
    sum: z.number(),
    max: z.number(),
  }),
)

const chunkSize = 256
/** Chunks of one bin side by side; room for 16 million series. */
const chunksPerBin = 65_536
const chunkOf = (id: number) => Math.floor(id / chunkSize)
const keyOf = (bin: number, chunk: number) => bin * chunksPerBin + chunk
const binOf = (key: number) => Math.floor(key / chunksPerBin)

/** One row per id: what came late joins what was packed before. */
export function merge(rows: readonly Summary[]): Summary[] {
  const byId = new Map<number, Summary>()
  for (const row of rows) {
    const known = byId.get(row.id)
    byId.set(row.id, known ? join(known, row) : row)
  }
  return [...byId.values()]
}

const join = (a: Summary, b: Summary): Summary => ({
  ...a,
  count: a.count + b.count,
  min: Math.min(a.min, b.min),
  sum: a.sum + b.sum,
  max: Math.max(a.max, b.max),
})

const level = { params: { [constants.ZSTD_c_compressionLevel]: 3 } }
/** Columns of 4 bytes: place in the chunk, count (both uint32), min, mean, max (float32). */
const columns = 5

function encode(rows: readonly Summary[]): Uint8Array {
  const size = rows.length
  const whole = new Uint32Array(columns * size)
  const real = new Float32Array(whole.buffer)
  for (const [place, { id, count, min, sum, max }] of rows.entries()) {
    whole[place] = id % chunkSize
    whole[size + place] = count
    real[2 * size + place] = min
    real[3 * size + place] = sum / count
    real[4 * size + place] = max
  }
  return zstdCompressSync(whole, level)
}

function decode(body: Uint8Array, bin: number, chunk: number): Summary[] {
  // A copy in a buffer of its own: typed arrays of 4 bytes must begin at a multiple of 4.
  const { buffer } = Uint8Array.from(zstdDecompressSync(body))
  const whole = new Uint32Array(buffer)
  const real = new Float32Array(buffer)
  const size = whole.length / columns
  return Array.from({ length: size }, (_, place) => {
    const count = whole[size + place] ?? 0
    return {
      bin,
      id: chunk * chunkSize + (whole[place] ?? 0),
      count,
      min: real[2 * size + place] ?? 0,
      sum: (real[3 * size + place] ?? 0) * count,
      max: real[4 * size + place] ?? 0,
    }
  })
}
