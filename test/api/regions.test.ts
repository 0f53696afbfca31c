import { expect, test } from 'vitest'
import { Snapshot } from '../../hub/schema/live.ts'
import type { Strips, Timeline } from '../../hub/schema/api.ts'
import { deviceStates } from '../../hub/schema/state.ts'
import { openAlarms } from '../../hub/web/open-alarms.ts'
import { county, deviceIn, townships, villages } from '../support/web-county.ts'
import { webApp, type WebApp } from '../support/web-app.ts'

const minute = 60_000
const hour = 3_600_000
const up = deviceStates.indexOf('up')
const down = deviceStates.indexOf('down')
const unknown = deviceStates.indexOf('unknown')
const uncommissioned = deviceStates.indexOf('uncommissioned')

const snapshot = async (web: WebApp, name: string, scope: string) =>
  Snapshot.parse((await web.ask(name, `/api/v1/regions/${scope}/snapshot`)).json())

const fall = (web: WebApp, deviceId: string, ago = 0) => {
  const from = web.county.clock.now() - ago
  web.county.state.change([{ deviceId, from, state: 'down', reason: 'silence' }])
  web.deps.world.poll()
}

test('a village’s snapshot holds every device with its state, since and last sign of life', async () => {
  await using web = await webApp()
  fall(web, deviceIn(villages[0], 'light'), 10 * minute)
  const {
    devices,
    counts,
    path,
    devicesTotal,
    cameras,
    villages: rows,
  } = await snapshot(web, 'clerk', villages[0])
  const { clock } = web.county
  expect(devices).toHaveLength(4)
  expect(devices.find(({ kind }) => kind === 'light')).toMatchObject({
    id: deviceIn(villages[0], 'light'),
    state: down,
    since: clock.now() - 10 * minute,
    seen: clock.now() - 1000,
    reason: 'silence',
  })
  expect(counts).toMatchObject({ up: 3, down: 1 })
  expect(devicesTotal).toBe(4)
  expect(path.map(({ scope }) => scope)).toEqual([county, townships[0], villages[0]])
  expect(cameras).toMatchObject([{ id: deviceIn(villages[0], 'camera') }])
  expect(rows).toMatchObject([{ code: villages[0], township: '339901001000', open: 0, unack: 0 }])
})

test('the county’s snapshot lists only what is not up, worst and longest first', async () => {
  await using web = await webApp()
  fall(web, deviceIn(villages[3], 'light'), minute)
  fall(web, deviceIn(villages[1], 'panic'), 5 * minute)
  web.county.raise(villages[3])
  web.deps.world.poll()
  const {
    devices,
    devicesTotal,
    villages: rows,
    alarms,
    alarmsOpen,
    lastAlarmAt,
    children,
  } = await snapshot(web, 'supervisor', county)
  expect(devices.map(({ id }) => id)).toEqual([
    deviceIn(villages[1], 'panic'),
    deviceIn(villages[3], 'light'),
  ])
  expect(devicesTotal).toBe(16)
  expect(rows.map(({ code }) => code)).toEqual([...villages])
  expect(rows[3]).toMatchObject({ open: 1, unack: 1, counts: { up: 3, down: 1 } })
  expect(alarms).toMatchObject([{ village: `${villages[3]} 村` }])
  expect(alarmsOpen).toBe(1)
  expect(lastAlarmAt).toBe(web.county.clock.now())
  expect(children.map(({ scope }) => scope)).toEqual([...townships])
})

test.each([
  ['crew', townships[0], { devices: 8, cameras: 0 }],
  ['auditor', villages[0], { devices: 0, cameras: 0 }],
  ['officer', townships[0], { devices: 8, cameras: 2 }],
])('%s gets in a snapshot only the parts the role may read', async (name, scope, expected) => {
  await using web = await webApp()
  const { devices, cameras } = await snapshot(web, name, scope)
  expect({ devices: devices.length, cameras: cameras.length }).toEqual(expected)
})

test('a summary counts by kind and by part', async () => {
  await using web = await webApp()
  fall(web, deviceIn(villages[0], 'light'))
  const summary = (await web.ask('officer', `/api/v1/regions/${townships[0]}/summary`)).json()
  expect(summary.counts).toMatchObject({ up: 7, down: 1 })
  expect(summary.kinds.find(({ kind }: { kind: string }) => kind === 'light').counts).toMatchObject(
    {
      up: 1,
      down: 1,
    },
  )
  expect(summary.children).toMatchObject([
    { scope: villages[0], counts: { up: 3, down: 1 } },
    { scope: villages[1], counts: { up: 4, down: 0 } },
  ])
})

test('a region that does not exist is a 404 for who may see the whole county', async () => {
  await using web = await webApp()
  for (const scope of ['339901009', '339901001009'])
    expect((await web.ask('supervisor', `/api/v1/regions/${scope}/summary`)).json()).toMatchObject({
      code: 'REGION_NOT_FOUND',
    })
})

const strips = async (web: WebApp, name: string, scope: string, query = ''): Promise<Strips> =>
  (await web.ask(name, `/api/v1/regions/${scope}/strips${query}`)).json()
const sums = ({ bins }: Strips['rows'][number]) =>
  deviceStates.map((_state, code) => bins.reduce((sum, bin) => sum + (bin[code] ?? 0), 0))

test('a village’s strips are its devices, worst first, in 288 bins of 5 minutes', async () => {
  await using web = await webApp()
  fall(web, deviceIn(villages[0], 'panic'), 30 * minute)
  const { rows, total, binMs, from, to } = await strips(web, 'clerk', villages[0])
  expect(binMs).toBe(5 * minute)
  expect(to - from).toBe(24 * hour)
  expect(total).toBe(4)
  expect(rows[0]?.key).toBe(deviceIn(villages[0], 'panic'))
  expect(rows[0]?.bins).toHaveLength(288)
  const [first] = rows
  if (!first) throw new Error('no row')
  const totals = sums(first)
  expect(totals[down]).toBe(30 * minute)
  expect(totals[up]).toBe(30 * minute)
  expect(totals[uncommissioned]).toBe(23 * hour)
  expect(totals.reduce((a, b) => a + b)).toBe(24 * hour)
})

test('a township’s strips sum its villages, the county’s its townships', async () => {
  await using web = await webApp()
  fall(web, deviceIn(villages[1], 'panic'), 30 * minute)
  const town = await strips(web, 'officer', townships[0])
  expect(town.rows.map(({ key }) => key)).toEqual([villages[1], villages[0]])
  const whole = await strips(web, 'supervisor', county)
  expect(whole.rows.map(({ key }) => key)).toEqual(['339901001000', '339901002000'])
  const [first] = whole.rows
  if (!first) throw new Error('no row')
  expect(sums(first)[down]).toBe(30 * minute)
  expect(sums(first)[up]).toBe(8 * hour - 30 * minute)
  expect((await strips(web, 'supervisor', county, '?limit=1')).rows).toHaveLength(1)
})

test('time after intake fell silent is unknown, never the last state', async () => {
  await using web = await webApp()
  web.county.clock.advance(40 * minute)
  const { rows } = await strips(web, 'clerk', villages[0])
  const [first] = rows
  if (!first) throw new Error('no row')
  // The life row is one second older than the clock was.
  expect(sums(first)[unknown]).toBe(40 * minute + 1000)
  expect(sums(first)[up]).toBe(hour - 1000)
})

test.each(['from=5&to=4', 'from=9999999999999', 'limit=0', 'limit=501', 'from=x', 'from=0'])(
  'strips with %s are a 400',
  async (query) => {
    await using web = await webApp()
    const answer = await web.ask('clerk', `/api/v1/regions/${villages[0]}/strips?${query}`)
    expect(answer.statusCode).toBe(400)
  },
)

test('an auditor sees regions, not single devices', async () => {
  await using web = await webApp()
  expect((await strips(web, 'auditor', townships[0])).rows).toHaveLength(2)
  const answer = await web.ask('auditor', `/api/v1/regions/${villages[0]}/strips`)
  expect(answer.json()).toMatchObject({ code: 'FORBIDDEN' })
})

const timeline = async (web: WebApp, deviceId: string, query = ''): Promise<Timeline> =>
  (await web.ask('officer', `/api/v1/devices/${deviceId}/timeline${query}`)).json()

test('a timeline tells intervals to the millisecond and sums them', async () => {
  await using web = await webApp()
  const id = deviceIn(villages[0], 'contact')
  fall(web, id, 20 * minute)
  const now = web.county.clock.now()
  const { intervals, totalsMs } = await timeline(web, id, `?from=${now - 30 * minute}&to=${now}`)
  expect(intervals).toMatchObject([
    { from: now - 30 * minute, to: now - 20 * minute, state: 'up' },
    { from: now - 20 * minute, to: now, state: 'down', reason: 'silence' },
  ])
  expect(totalsMs).toEqual([10 * minute, 0, 20 * minute, 0, 0, 0])
})

test('a timeline does not claim the time intake was blind', async () => {
  await using web = await webApp()
  web.county.clock.advance(10 * minute)
  const id = deviceIn(villages[0], 'contact')
  const now = web.county.clock.now()
  const { intervals, totalsMs } = await timeline(web, id, `?from=${now - 20 * minute}`)
  expect(intervals).toMatchObject([
    { state: 'up', to: now - 10 * minute - 1000 },
    { state: 'unknown', reason: 'hub', to: now },
  ])
  expect(totalsMs[unknown]).toBe(10 * minute + 1000)
})

test('after three minutes without intake every device is unknown, and back when it is heard', async () => {
  await using web = await webApp()
  web.county.clock.advance(4 * minute)
  web.deps.world.poll()
  const counts = async () => (await snapshot(web, 'supervisor', county)).counts
  expect(await counts()).toMatchObject({ up: 0, unknown: 16 })
  const { clock, bus } = web.county
  bus.deliver('hub/bus/seen', new Uint8Array(Float64Array.of(0, clock.now()).buffer))
  web.deps.world.poll()
  expect(await counts()).toMatchObject({ up: 16, unknown: 0 })
})

const devices = async (web: WebApp, name: string, query: string) =>
  (await web.ask(name, `/api/v1/devices?${query}`)).json()

test('a crew sees which devices are down and since when', async () => {
  await using web = await webApp()
  fall(web, deviceIn(villages[1], 'camera'), 42 * minute)
  fall(web, deviceIn(villages[2], 'camera'), 42 * minute)
  const { clock } = web.county
  expect((await devices(web, 'crew', 'state=down')).items).toMatchObject([
    {
      deviceId: deviceIn(villages[1], 'camera'),
      state: 'down',
      reason: 'silence',
      since: clock.now() - 42 * minute,
      seen: clock.now() - 1000,
      village: `${villages[1]} 村`,
    },
  ])
})

test.each([
  ['kind=light', 4],
  ['text=LIGHT', 4],
  [`text=${villages[0]}`, 4],
  ['text=gate', 16],
  ['text=nothing', 0],
  ['state=up&kind=panic', 4],
  ['state=down', 0],
  [`scope=${villages[0]}&kind=light`, 1],
])('devices?%s finds %i', async (query, count) => {
  await using web = await webApp()
  expect((await devices(web, 'supervisor', query)).items).toHaveLength(count)
})

test('device pages follow each other without a gap or a repeat', async () => {
  await using web = await webApp()
  const seen: number[] = []
  let next: string | null = ''
  while (next !== null) {
    const page: { items: { n: number }[]; next: string | null } = await devices(
      web,
      'supervisor',
      `limit=5${next && `&after=${next}`}`,
    )
    seen.push(...page.items.map(({ n }) => n))
    ;({ next } = page)
  }
  expect(seen).toEqual(Array.from({ length: 16 }, (_, n) => n))
})

test('the last alarm of a village is known after a restart, however much happened elsewhere', async () => {
  await using web = await webApp()
  const { alarms, clock } = web.county
  const { id } = web.county.raise(villages[0])
  const raisedAt = clock.now()
  alarms.change(id, (alarm) => ({ ...alarm, state: 'closed', closedAt: clock.now() }))
  clock.advance(hour)
  for (let n = 0; n < 600; n += 1) web.county.raise(villages[3])
  const fresh = openAlarms(alarms)
  expect(fresh.lastAt(villages[0])).toBe(raisedAt)
  expect(fresh.lastAt(townships[0])).toBe(raisedAt)
  expect(fresh.lastAt(county)).toBe(clock.now())
  expect(fresh.lastAt(villages[1])).toBeNull()
  clock.advance(minute)
  web.county.raise(villages[1])
  fresh.poll(() => undefined)
  expect([fresh.lastAt(villages[1]), fresh.lastAt(townships[0])]).toEqual([
    clock.now(),
    clock.now(),
  ])
})
