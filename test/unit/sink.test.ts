import { expect, test, vi } from 'vitest'
import type { MetricsStore } from '../../hub/store/metrics-store.ts'
import { fakeInflux } from '../support/store-fake-influx.ts'
import { point, startAt } from '../support/store-points.ts'
import { memoryMetrics, runningSink } from '../support/store-sink.ts'

const beats = (count: number, from = 0) =>
  Array.from({ length: count }, (_, n) =>
    point({ at: startAt + (from + n) * 1_000, fields: { n: from + n } }),
  )
const settings = (url: string, more: Record<string, string> = {}) => ({
  HUB_INFLUX_URL: url,
  HUB_INFLUX_WRITE_PATH: '/write',
  ...more,
})
const backlog = (metrics: MetricsStore) => metrics.backlog(metrics.cursor('influx'))
const drained = (metrics: MetricsStore) =>
  vi.waitFor(() => expect(backlog(metrics)).toBe(0), { timeout: 10_000 })

test('without InfluxDB the spool goes into the 5-minute aggregates and says so', async () => {
  const metrics = await memoryMetrics()
  metrics.append(beats(3))
  const { sink } = await runningSink(metrics)
  await vi.waitFor(() => expect(metrics.status()).toMatchObject({ backlog: 0 }))
  expect(metrics.status()).toMatchObject({ target: 'embedded', dropped: 0, error: null })
  expect(metrics.status()?.lastWriteAt).toBeGreaterThan(Date.now() - 10_000)
  expect(metrics.aggregates('contact-1', 'n', startAt, startAt + 1)).toEqual([
    {
      series: 'heartbeat',
      deviceId: 'contact-1',
      field: 'n',
      bin: startAt,
      count: 3,
      min: 0,
      avg: 1,
      max: 2,
    },
  ])
  expect(sink.ports).toEqual({})
  expect(sink.metrics()).toMatchObject({ sink_aggregated_points_total: 3, sink_backlog_points: 0 })
})

test('a hint is answered at once, long before the next look', async () => {
  const metrics = await memoryMetrics()
  const { bus } = await runningSink(metrics, {}, { tickMs: 60_000 })
  metrics.append(beats(1))
  bus.publish('metrics')
  await vi.waitFor(() => expect(metrics.cursor('embedded')).toBe(1))
})

test('a mirror that was switched off holds no batch back', async () => {
  const metrics = await memoryMetrics()
  metrics.setCursor('influx', 0)
  for (let n = 0; n < 5; n += 1) metrics.append(beats(1, n))
  const { close } = await runningSink(metrics)
  await vi.waitFor(() => expect(metrics.cursor('embedded')).toBe(5))
  await close()
  // The newest batch stays: its running totals go on.
  expect(metrics.retain(startAt)).toBe(4)
})

test.each([
  ['429 Too Many Requests', { status: 429 }],
  ['500 Internal Server Error', { status: 500, body: '{"error":"timeout"}' }],
  ['503 from a proxy', { status: 503, body: '<html>busy</html>' }],
  ['401, a token that is not valid yet', { status: 401 }],
  ['200 from something that is no InfluxDB', { status: 200, body: 'hello' }],
])('%s keeps every point and tries again', async (_name, answer) => {
  let bad = 3
  const influx = await fakeInflux(() => (bad-- > 0 ? answer : undefined))
  const metrics = await memoryMetrics()
  metrics.append(beats(10))
  const { sink } = await runningSink(metrics, settings(influx.url))
  await drained(metrics)
  expect(influx.stored.size).toBe(10)
  expect(sink.metrics()).toMatchObject({
    sink_influx_failures_total: 3,
    sink_influx_written_points_total: 10,
    sink_dropped_points_total: 0,
  })
})

test('while InfluxDB refuses, the status names it and the aggregates go on', async () => {
  const influx = await fakeInflux(() => ({ status: 500, body: 'engine is closed' }))
  const metrics = await memoryMetrics()
  metrics.append(beats(10))
  await runningSink(metrics, settings(influx.url))
  await vi.waitFor(() =>
    expect(metrics.status()).toMatchObject({
      target: 'influx',
      lastWriteAt: null,
      backlog: 10,
      dropped: 0,
      error: expect.stringContaining('engine is closed'),
    }),
  )
  expect(metrics.aggregates('contact-1', 'n', startAt, startAt + 1)[0]?.count).toBe(10)
})

test('a server that never answers is left after the deadline, its socket too', async () => {
  const influx = await fakeInflux(() => 'hang')
  const metrics = await memoryMetrics()
  metrics.append(beats(1))
  await runningSink(metrics, settings(influx.url), { timeoutMs: 150 })
  await vi.waitFor(() => expect(influx.writes.length).toBeGreaterThan(3), { timeout: 10_000 })
  expect(metrics.status()?.error).toBe('no answer within 150 ms')
  // The client alone would leave each timed-out request open.
  expect(await influx.connections()).toBeLessThanOrEqual(2)
  influx.state.behaviour = () => undefined
  await drained(metrics)
  expect(influx.stored.size).toBe(1)
})

test('a server that drips its answer is left after the deadline, too', async () => {
  const influx = await fakeInflux((_seen, response) => {
    response.writeHead(500)
    const drip = setInterval(() => response.write(' '), 20)
    response.on('close', () => clearInterval(drip))
    return 'hang'
  })
  const metrics = await memoryMetrics()
  metrics.append(beats(1))
  await runningSink(metrics, settings(influx.url), { timeoutMs: 150 })
  await vi.waitFor(() => expect(metrics.status()?.error).toBe('no answer within 150 ms'))
  expect(backlog(metrics)).toBe(1)
})

test('Retry-After is taken in seconds', async () => {
  let refusals = 0
  const influx = await fakeInflux(() => {
    refusals += 1
    return { status: 429, headers: { 'retry-after': '30' } }
  })
  const metrics = await memoryMetrics()
  metrics.append(beats(1))
  const { bus } = await runningSink(metrics, settings(influx.url))
  await vi.waitFor(() => expect(metrics.status()?.error).toContain('429'))
  const ticks = vi.spyOn(metrics, 'setStatus')
  bus.publish('metrics')
  // Ten more looks, each past the usual wait of 20 to 80 ms in sum: the server is left in peace.
  await vi.waitFor(() => expect(ticks.mock.calls.length).toBeGreaterThan(10))
  expect(refusals).toBe(1)
})

test.each([400, 413, 422])('a point refused with %i is given up alone', async (status) => {
  const influx = await fakeInflux(({ lines }) =>
    lines.some((line) => line.includes('n=7')) ? { status, body: 'bad point' } : undefined,
  )
  const metrics = await memoryMetrics()
  metrics.append(beats(7))
  metrics.append(beats(30, 7).concat(beats(2, 100)))
  const { lines } = await runningSink(metrics, settings(influx.url))
  await drained(metrics)
  expect([...influx.stored].filter((line) => line.startsWith('heartbeat'))).toHaveLength(38)
  await vi.waitFor(() => expect(metrics.status()).toMatchObject({ dropped: 1, error: null }))
  expect(lines.filter((line) => line.msg === 'influx refused a point, given up')).toHaveLength(1)
})

test('a batch of bad points only does not block: the probe shows that the server is right', async () => {
  const influx = await fakeInflux(({ lines }) =>
    lines.some((line) => line.includes('n=')) ? { status: 400, body: 'no n' } : undefined,
  )
  const metrics = await memoryMetrics()
  metrics.append(beats(3))
  await runningSink(metrics, settings(influx.url))
  await drained(metrics)
  expect([...influx.stored]).toEqual(['hub_probe present=true'])
  await vi.waitFor(() => expect(metrics.status()).toMatchObject({ dropped: 3, backlog: 0 }))
})

test('a server that refuses everything gets no point given up for it', async () => {
  const influx = await fakeInflux(() => ({ status: 400, body: 'unknown path' }))
  const metrics = await memoryMetrics()
  metrics.append(beats(40))
  await runningSink(metrics, settings(influx.url))
  await vi.waitFor(() => expect(metrics.status()?.error).toContain('it refuses every point'))
  expect(metrics.status()).toMatchObject({ backlog: 40, dropped: 0 })
})

test('an outage in the middle of a batch counts no point twice', async () => {
  let calls = 0
  const influx = await fakeInflux(({ lines }) => {
    calls += 1
    if (calls === 4) return { status: 503 }
    return lines.some((line) => line.includes('n=5')) ? { status: 400 } : undefined
  })
  const metrics = await memoryMetrics()
  metrics.append(beats(20))
  const { sink } = await runningSink(metrics, settings(influx.url))
  await drained(metrics)
  expect(influx.stored.size).toBe(19)
  expect(sink.metrics()).toMatchObject({
    sink_influx_written_points_total: 19,
    sink_dropped_points_total: 1,
    sink_influx_failures_total: 1,
  })
})

test('a batch larger than one request is cut, and the cursor waits for the last part', async () => {
  let calls = 0
  const influx = await fakeInflux(() => {
    calls += 1
    return calls === 2 ? { status: 500 } : undefined
  })
  const metrics = await memoryMetrics()
  metrics.append(beats(12_000))
  await runningSink(metrics, settings(influx.url))
  await vi.waitFor(() => expect(metrics.status()?.error).toContain('500'))
  await drained(metrics)
  expect(influx.writes.map(({ lines }) => lines.length)).toEqual([
    5_000, 5_000, 5_000, 5_000, 2_000,
  ])
  expect(influx.stored.size).toBe(12_000)
})

test('1.x is written at /write after its database was made, with user and password', async () => {
  const influx = await fakeInflux()
  const metrics = await memoryMetrics()
  metrics.append(beats(1))
  const login = `http://hub:geh%20eim@127.0.0.1:${influx.port}/influx/`
  await runningSink(metrics, settings(login, { HUB_INFLUX_DATABASE: 'day "1"' }))
  await drained(metrics)
  expect(influx.queries[0]?.url).toMatch(/^\/influx\/query\?q=CREATE%20DATABASE/)
  const basic = `Basic ${Buffer.from('hub:geh eim').toString('base64')}`
  expect(influx.writes[0]).toMatchObject({
    url: '/influx/write?db=day+%221%22&precision=ns',
    authorization: basic,
  })
})

test('the database is made once, quoted, before the first write', async () => {
  const influx = await fakeInflux()
  const metrics = await memoryMetrics()
  metrics.append(beats(1))
  await runningSink(metrics, settings(influx.url, { HUB_INFLUX_DATABASE: 'day "1"' }))
  await drained(metrics)
  metrics.append(beats(1, 1))
  await drained(metrics)
  expect(influx.queries.map(({ url }) => new URL(url, influx.url).searchParams.get('q'))).toEqual([
    String.raw`CREATE DATABASE "day \"1\""`,
  ])
})

test('2.x and 3 are written with token, organisation and bucket, and nothing is created', async () => {
  const influx = await fakeInflux()
  const metrics = await memoryMetrics()
  metrics.append(beats(1))
  await runningSink(metrics, {
    HUB_INFLUX_URL: influx.url,
    HUB_INFLUX_TOKEN: 'geheim',
    HUB_INFLUX_ORG: 'county',
    HUB_INFLUX_DATABASE: 'day',
  })
  await drained(metrics)
  expect(influx.queries).toEqual([])
  expect(influx.writes).toEqual([
    expect.objectContaining({
      url: '/api/v2/write?org=county&bucket=day&precision=ns',
      authorization: 'Token geheim',
    }),
  ])
})

test('a token that the server repeats does not reach the status or the log', async () => {
  const influx = await fakeInflux(() => ({ status: 401, body: 'token geheim-17 is not known' }))
  const metrics = await memoryMetrics()
  metrics.append(beats(1))
  const { lines } = await runningSink(
    metrics,
    settings(influx.url, { HUB_INFLUX_TOKEN: 'geheim-17' }),
  )
  await vi.waitFor(() => expect(metrics.status()?.error).toContain('token *** is not known'))
  expect(JSON.stringify(lines)).not.toContain('geheim')
})

test('points that the quota pushed out count as dropped', async () => {
  const metrics = await memoryMetrics()
  await runningSink(metrics, settings('http://127.0.0.1:1'))
  const pushed = vi.spyOn(metrics, 'pushedOut').mockReturnValue(metrics.pushedOut() + 12)
  await vi.waitFor(() => expect(metrics.status()?.dropped).toBe(12))
  pushed.mockRestore()
})

test('a sink that starts again remembers when it wrote last', async () => {
  const influx = await fakeInflux()
  const metrics = await memoryMetrics()
  metrics.append(beats(1))
  const first = await runningSink(metrics, settings(influx.url))
  await vi.waitFor(() => expect(metrics.status()?.lastWriteAt).not.toBeNull())
  await first.close()
  const lastWriteAt = metrics.status()?.lastWriteAt
  const second = await runningSink(metrics, settings(influx.url))
  await second.close()
  expect(metrics.status()?.lastWriteAt).toBe(lastWriteAt)
})

test('closing does not wait for a server that hangs', async () => {
  const influx = await fakeInflux(() => 'hang')
  const metrics = await memoryMetrics()
  metrics.append(beats(1))
  const { close } = await runningSink(metrics, settings(influx.url), { timeoutMs: 60_000 })
  await vi.waitFor(() => expect(influx.writes).toHaveLength(1))
  await close()
  expect(backlog(metrics)).toBe(1)
  expect(metrics.status()?.error).toBeNull()
})
