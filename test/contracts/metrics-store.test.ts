import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { sqliteMetrics } from '../../hub/store/sqlite-metrics.ts'
import { backends, temporaryDir } from '../support/store-places.ts'
import { point, startAt } from '../support/store-points.ts'

const fiveMinutes = 300_000
const beats = (count: number) =>
  Array.from({ length: count }, (_, n) => point({ at: startAt + n, fields: { n } }))

const at = (ms: number, rssi: number) => point({ at: startAt + ms, fields: { rssi } })

describe.each(backends.metrics)('metrics in $name', ({ place }) => {
  const opened = () => place().open()

  test('batches come back as they were appended, in order, past a cursor', async () => {
    const store = await opened()
    const first = [
      point(),
      point({ series: 'alarm', fields: { edge: 'active', note: '门 "x"\\\n', priority: 2 } }),
      point({ deviceId: 'cam-1', kind: 'camera', series: 'stream', at: startAt - 5, fields: {} }),
    ]
    expect(store.append(first)).toBe(0)
    store.append([point({ fields: { on: true } })])
    expect(store.batches(0, 10)).toEqual([
      { seq: 1, points: first },
      { seq: 2, points: [point({ fields: { on: true } })] },
    ])
    expect(store.batches(0, 1).map(({ seq }) => seq)).toEqual([1])
    expect(store.batches(1, 10).map(({ seq }) => seq)).toEqual([2])
    expect(store.batches(2, 10)).toEqual([])
  })

  test('no points are no batch', async () => {
    const store = await opened()
    expect(store.append([])).toBe(0)
    expect(store.batches(0, 10)).toEqual([])
  })

  test('a value that is not finite is left out', async () => {
    const store = await opened()
    store.append([point({ fields: { a: Number.NaN, b: Number.POSITIVE_INFINITY, c: 1 } })])
    expect(store.batches(0, 1)[0]?.points[0]?.fields).toEqual({ c: 1 })
  })

  test('names of the prototype are names like others', async () => {
    const store = await opened()
    const fields = { constructor: 1, toString: 2 }
    store.append([point({ deviceId: '__proto__', fields })])
    expect(store.batches(0, 1)[0]?.points).toEqual([point({ deviceId: '__proto__', fields })])
  })

  test('the backlog is counted in points, for each reader by its own cursor', async () => {
    const store = await opened()
    expect(store.backlog(0)).toBe(0)
    for (const count of [10, 20, 30]) store.append(beats(count))
    expect([0, 1, 2, 3, 99].map((cursor) => store.backlog(cursor))).toEqual([60, 50, 30, 0, 0])
    expect([store.cursor('influx'), store.cursor('embedded')]).toEqual([0, 0])
    store.setCursor('influx', 2)
    expect([store.cursor('influx'), store.cursor('embedded')]).toEqual([2, 0])
  })

  describe('retain', () => {
    test('drops what every reader has passed, and the backlog stays exact', async () => {
      const store = await opened()
      for (const count of [10, 20, 30, 40]) store.append(beats(count))
      expect(store.retain(startAt)).toBe(0)
      store.setCursor('influx', 1)
      store.setCursor('embedded', 3)
      expect(store.retain(startAt)).toBe(1)
      expect(store.batches(0, 10).map(({ seq }) => seq)).toEqual([2, 3, 4])
      expect([store.backlog(1), store.backlog(3)]).toEqual([90, 40])
      store.forget('influx')
      expect(store.retain(startAt)).toBe(2)
      expect([store.backlog(0), store.backlog(3), store.backlog(4)]).toEqual([40, 40, 0])
    })

    test('numbers go on after everything was read', async () => {
      const store = await opened()
      store.append(beats(1))
      store.setCursor('embedded', 1)
      store.retain(startAt)
      store.append(beats(2))
      expect(store.batches(1, 10).map(({ seq }) => seq)).toEqual([2])
      expect(store.backlog(1)).toBe(2)
    })

    test('drops aggregates older than 30 days', async () => {
      const store = await opened()
      const day = 86_400_000
      store.aggregate('embedded', 1, [
        point({ at: startAt - 30 * day - 1 }),
        point({ at: startAt }),
      ])
      const bins = () => store.aggregates('contact-1', 'rssi', 0, startAt + 1).map(({ bin }) => bin)
      expect(bins()).toHaveLength(2)
      store.retain(startAt)
      expect(bins()).toEqual([startAt])
    })
  })

  describe('aggregates', () => {
    test('hold count, least, mean and greatest per field and 5 minutes', async () => {
      const store = await opened()
      store.aggregate('embedded', 1, [at(0, -60), at(fiveMinutes - 1, -70), at(fiveMinutes, -90)])
      store.aggregate('embedded', 2, [at(60_000, -50)])
      const row = { series: 'heartbeat', deviceId: 'contact-1', field: 'rssi' }
      expect(store.aggregates('contact-1', 'rssi', startAt, startAt + 2 * fiveMinutes)).toEqual([
        { ...row, bin: startAt, count: 3, min: -70, avg: -60, max: -50 },
        { ...row, bin: startAt + fiveMinutes, count: 1, min: -90, avg: -90, max: -90 },
      ])
      expect(store.aggregates('contact-1', 'rssi', startAt, startAt + 1)).toHaveLength(1)
      expect(store.aggregates('contact-1', 'rssi', startAt + 1, startAt + fiveMinutes)).toEqual([])
      expect(store.aggregates('contact-2', 'rssi', 0, startAt * 2)).toEqual([])
    })

    test('count true as 1 and false as 0, and leave texts out', async () => {
      const store = await opened()
      const on = [true, true, false, true].map((value) =>
        point({ fields: { on: value, codec: 'avc1' } }),
      )
      store.aggregate('embedded', 1, on)
      expect(store.aggregates('contact-1', 'on', 0, startAt + 1)[0]).toMatchObject({ avg: 0.75 })
      expect(store.aggregates('contact-1', 'codec', 0, startAt + 1)).toEqual([])
    })

    test('tell series apart that share a field', async () => {
      const store = await opened()
      store.aggregate('embedded', 1, [point(), point({ series: 'telemetry' })])
      const found = store.aggregates('contact-1', 'rssi', 0, startAt + 1)
      expect(found.map(({ series }) => series)).toEqual(['heartbeat', 'telemetry'])
    })

    test('read the same after retain has packed them, late points included', async () => {
      const store = await opened()
      const devices = Array.from({ length: 600 }, (_, n) => `contact-${n}`)
      const beatsAt = (ms: number, rssi: number) =>
        devices.map((deviceId, n) => point({ ...at(ms, rssi - n), deviceId }))
      store.aggregate('embedded', 1, [...beatsAt(0, -60), ...beatsAt(1_000, -62)])
      store.aggregate('embedded', 2, beatsAt(fiveMinutes, -50))
      const ask = () =>
        [0, 255, 256, 599].map((n) =>
          store.aggregates(`contact-${n}`, 'rssi', startAt, startAt + 3 * fiveMinutes),
        )
      const before = ask()
      expect(before[3]).toEqual([
        {
          series: 'heartbeat',
          deviceId: 'contact-599',
          field: 'rssi',
          bin: startAt,
          count: 2,
          min: -661,
          avg: -660,
          max: -659,
        },
        expect.objectContaining({ bin: startAt + fiveMinutes, avg: -649 }),
      ])
      // The first bin is closed 10 minutes after it began.
      store.retain(startAt + 2 * fiveMinutes)
      expect(ask()).toEqual(before)
      store.aggregate('embedded', 3, [point({ ...at(2_000, -664), deviceId: 'contact-599' })])
      const withLate = { count: 3, min: -664, max: -659 }
      expect(ask()[3]?.[0]).toMatchObject(withLate)
      expect(ask()[3]?.[0]?.avg).toBeCloseTo(-661.333, 3)
      store.retain(startAt + 2 * fiveMinutes)
      expect(ask()[3]?.[0]).toMatchObject(withLate)
      expect(ask()[3]?.[0]?.avg).toBeCloseTo(-661.333, 3)
      expect(ask().slice(0, 3)).toEqual(before.slice(0, 3))
    })

    test('are packed although a device sent values whose sum is infinite', async () => {
      const store = await opened()
      const huge = (value: number) => point({ fields: { huge: value, rssi: -60 } })
      store.aggregate('embedded', 1, [huge(1e308), huge(1.7e308), huge(-1.7e308)])
      store.retain(startAt + 2 * fiveMinutes)
      const found = (field: string) =>
        store.aggregates('contact-1', field, startAt, startAt + fiveMinutes)
      expect(found('huge')).toEqual([])
      expect(found('rssi')).toMatchObject([{ count: 3, avg: -60 }])
    })

    test('leave after 30 days when they are packed, too', async () => {
      const store = await opened()
      store.aggregate('embedded', 1, [point()])
      store.retain(startAt + 2 * fiveMinutes)
      const day = 86_400_000
      store.retain(startAt + 30 * day)
      expect(store.aggregates('contact-1', 'rssi', 0, startAt + 1)).toHaveLength(1)
      store.retain(startAt + 30 * day + fiveMinutes)
      expect(store.aggregates('contact-1', 'rssi', 0, startAt + 1)).toEqual([])
    })

    test('move the cursor in the same transaction', async () => {
      const store = await opened()
      store.aggregate('embedded', 7, [point()])
      expect(store.cursor('embedded')).toBe(7)
      const broken = [point({ deviceId: 'new' }), point({ at: Number.NaN })]
      expect(() => store.aggregate('embedded', 8, broken)).toThrow(/datatype|NOT NULL|integer/i)
      expect(store.cursor('embedded')).toBe(7)
      expect(store.aggregates('new', 'rssi', 0, startAt + 1)).toEqual([])
      // What the failed transaction had named is named anew.
      store.aggregate('embedded', 8, [point({ deviceId: 'new' })])
      expect(store.aggregates('new', 'rssi', 0, startAt + 1)).toHaveLength(1)
    })
  })

  test('the status is kept as it was set', async () => {
    const store = await opened()
    expect(store.status()).toBeUndefined()
    const status = {
      target: 'influx',
      lastWriteAt: 5,
      backlog: 2,
      dropped: 1,
      error: '503',
    } as const
    store.setStatus({ ...status, lastWriteAt: null })
    store.setStatus(status)
    expect(store.status()).toEqual(status)
  })

  test('another connection sees batches, cursors and status at once', async () => {
    const spot = place()
    const [intake, sink] = [await spot.open({ busyTimeoutMs: 0 }), await spot.open()]
    intake.append(beats(3))
    expect(sink.backlog(0)).toBe(3)
    sink.setCursor('embedded', 1)
    expect(intake.cursor('embedded')).toBe(1)
    const release = spot.hold()
    expect(() => intake.append(beats(1))).toThrow(expect.objectContaining({ code: 'STORE_BUSY' }))
    expect(sink.batches(0, 10)).toHaveLength(1)
    release()
    expect(intake.append(beats(1))).toBe(0)
    expect(sink.backlog(1)).toBe(1)
  })

  test('10,000 points a second cost a small part of the second', async () => {
    const store = await opened()
    const points = beats(10_000)
    store.append(points)
    const began = performance.now()
    for (let n = 0; n < 5; n += 1) store.append(points)
    // Measured 15 ms; the bound leaves room for a busy machine.
    expect((performance.now() - began) / 5).toBeLessThan(200)
  })
})

const small = async (quotaBytes: number, fileQuotaBytes?: number) =>
  sqliteMetrics(join(temporaryDir(), 'metrics.db'), {
    busyTimeoutMs: 0,
    quotaBytes,
    fileQuotaBytes,
  })

describe('the quota of SQLite', () => {
  test('pushes the oldest batches out, counts unread points only, and remembers the sum', async () => {
    const store = await small(1_000)
    store.setCursor('influx', 2)
    let pushed = 0
    for (let n = 0; n < 40; n += 1) pushed += store.append(beats(2))
    const kept = store.batches(0, 100)
    expect(kept.at(-1)?.seq).toBe(40)
    expect(kept.length).toBeLessThan(15)
    // Two batches of two points had been read before they went.
    expect(pushed).toBe(80 - kept.length * 2 - 4)
    expect(store.pushedOut()).toBe(pushed)
    expect(store.backlog(2)).toBe(kept.length * 2)
    store.close()
  })

  test('keeps the newest batch even when it alone is larger', async () => {
    const store = await small(10)
    expect(store.append(beats(50))).toBe(0)
    expect(store.append(beats(60))).toBe(50)
    expect(store.batches(0, 10).map(({ points }) => points.length)).toEqual([60])
    store.close()
  })

  test('a full file gives up its oldest aggregates before their time', async () => {
    const store = await small(1_000_000, 1)
    store.aggregate('embedded', 1, [point({ at: startAt - fiveMinutes }), point({ at: startAt })])
    expect(store.retain(startAt)).toBe(3)
    const bins = store.aggregates('contact-1', 'rssi', 0, startAt + 1).map(({ bin }) => bin)
    expect(bins).toEqual([startAt])
    store.close()
  })

  test('packed aggregates take a small part of the rows they were', async () => {
    const file = join(temporaryDir(), 'metrics.db')
    const store = await sqliteMetrics(file, { busyTimeoutMs: 0 })
    const points = Array.from({ length: 1_000 }, (_, n) => point({ deviceId: `contact-${n}` }))
    store.aggregate('embedded', 1, points)
    store.retain(startAt + 2 * fiveMinutes)
    const db = new DatabaseSync(file)
    const rows = db.prepare('select count(*) as rows, sum(length(body)) as bytes from packed').get()
    expect(rows).toEqual({ rows: 12, bytes: expect.any(Number) })
    expect(Number(rows?.bytes) / 3_000).toBeLessThan(3)
    expect(db.prepare('select count(*) as rows from aggregate').get()).toEqual({ rows: 0 })
    db.close()
    store.close()
  })
})
