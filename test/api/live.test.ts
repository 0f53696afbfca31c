import { once } from 'node:events'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { stateReasons } from '../../hub/schema/live.ts'
import { deviceStates } from '../../hub/schema/state.ts'
import { until } from '../support/until.ts'
import { county, deviceIn, password, townships, villages } from '../support/web-county.ts'
import { cut, next, webRole, type PageSocket, type WebRole } from '../support/web-role.ts'

const watch = (page: PageSocket, scope: string) => page.emitWithAck('watch', { scope })

const down = ({ county: { state, clock, bus } }: WebRole, deviceId: string) => {
  state.change([{ deviceId, from: clock.now(), state: 'down', reason: 'lwt' }])
  bus.publish('states')
}

test('a page without a session is not let in', async () => {
  await using web = await webRole()
  for (const headers of [{}, { cookie: 'hub=forged' }, { cookie: `hub=${'A'.repeat(43)}` }]) {
    const socket = web.stranger(headers)
    const refused = new Promise<Error>((resolve) => socket.once('connect_error', resolve))
    socket.connect()
    await refused
    expect(socket.connected).toBe(false)
  }
  expect(web.metrics()['pages']).toBe(0)
})

test('a page of another site is not let in, though it brings the cookie', async () => {
  await using web = await webRole()
  const socket = web.stranger({ cookie: web.cookieOf('clerk'), origin: 'https://evil.example' })
  const refused = new Promise<Error>((resolve) => socket.once('connect_error', resolve))
  socket.connect()
  await refused
  expect(socket.connected).toBe(false)
})

test('every page has a pulse with the hub’s clock and intake’s last sign of life', async () => {
  await using web = await webRole()
  const page = await web.page('clerk')
  const pulse = await next(page, 'pulse')
  const { clock } = web.county
  expect(pulse).toEqual({ at: clock.now(), intakeAt: clock.now() - 1000, heartbeats: 0 })
})

test.each([
  ['clerk', villages[0], true],
  ['clerk', villages[1], false],
  ['clerk', townships[0], false],
  ['officer', villages[1], true],
  ['officer', townships[0], true],
  ['officer', townships[1], false],
  ['officer', county, false],
  ['supervisor', county, true],
  ['supervisor', villages[3], true],
  ['supervisor', '339901009', false],
  ['crew', townships[0], true],
])('%s watching %s: %s', async (name, scope, ok) => {
  await using web = await webRole()
  const page = await web.page(name)
  const answer = await watch(page, scope)
  expect(answer).toEqual(ok ? { ok } : { ok, message: `No region '${scope}'` })
})

test('a refused watch is in the audit, and leaves the page in the rooms it had', async () => {
  await using web = await webRole()
  const page = await web.page('clerk')
  await watch(page, villages[0])
  await watch(page, villages[1])
  expect(web.county.audit.list({ limit: 1 })).toMatchObject([
    { actor: 'id-clerk', action: 'live.watch', subject: villages[1], outcome: 'refused' },
  ])
  const alarm = next(page, 'alarm')
  const { id } = web.county.raise(villages[0])
  web.county.bus.publish('alarms')
  expect((await alarm).id).toBe(id)
})

test('an auditor gets alarms and is told whom to ask for devices', async () => {
  await using web = await webRole()
  const page = await web.page('auditor')
  const answer = await watch(page, villages[0])
  expect(answer.ok).toBe(true)
  expect(answer.message).toMatch(/device:read: ask .*administrator/)
})

test('one change reaches the village and its township as one flat row', async () => {
  await using web = await webRole()
  const [clerk, officer] = [await web.page('clerk'), await web.page('officer')]
  await watch(clerk, villages[0])
  await watch(officer, townships[0])
  const both = Promise.all([next(clerk, 'delta'), next(officer, 'delta')])
  web.county.clock.advance(500)
  down(web, deviceIn(villages[0], 'light'))
  const row = web.county.registry.device(deviceIn(villages[0], 'light'))
  const { clock } = web.county
  const expected = [
    row?.n,
    deviceStates.indexOf('down'),
    clock.now(),
    clock.now() - 1500,
    stateReasons.indexOf('lwt'),
  ]
  expect(await both).toEqual([expected, expected])
})

test('a page gets nothing of another village', async () => {
  await using web = await webRole()
  const page = await web.page('clerk')
  await watch(page, villages[0])
  const got: unknown[] = []
  page.onAny((name: string, value: unknown) => {
    if (name !== 'pulse') got.push([name, value])
  })
  down(web, deviceIn(villages[1], 'light'))
  web.county.raise(villages[1])
  web.county.bus.publish('alarms')
  // What belongs to the page comes after it, so nothing can still be on its way.
  const mine = next(page, 'delta')
  down(web, deviceIn(villages[0], 'light'))
  await mine
  expect(got).toHaveLength(1)
})

test('the county gets counts per village, by the index of its snapshot', async () => {
  await using web = await webRole()
  const page = await web.page('supervisor')
  await watch(page, county)
  const changed = next(page, 'villages')
  down(web, deviceIn(villages[2], 'light'))
  // index, up, degraded, down, unknown, excluded, uncommissioned, open, unacknowledged
  expect(await changed).toEqual([2, 3, 0, 1, 0, 0, 0, 0, 0])
  const rung = next(page, 'villages')
  web.county.raise(villages[2])
  web.county.bus.publish('alarms')
  expect(await rung).toEqual([2, 3, 0, 1, 0, 0, 0, 1, 1])
})

test('signs of life from intake move the last-seen time and the pulse', async () => {
  await using web = await webRole()
  const page = await web.page('clerk')
  await watch(page, villages[0])
  const { clock, bus, registry } = web.county
  clock.advance(7000)
  const n = registry.device(deviceIn(villages[0], 'panic'))?.n ?? -1
  const delta = next(page, 'delta')
  bus.publish('seen', new Uint8Array(Float64Array.of(n, clock.now(), 99_999, 1).buffer))
  expect(await delta).toEqual([n, 0, clock.now() - 3_607_000, clock.now(), 0])
  expect(await next(page, 'pulse')).toMatchObject({ intakeAt: clock.now(), heartbeats: 2 })
})

test('an acknowledgement by one is at once on the other’s screen with the name', async () => {
  await using web = await webRole()
  const page = await web.page('officer')
  await watch(page, townships[0])
  const { id } = web.county.raise(villages[0])
  const raised = next(page, 'alarm')
  web.county.bus.publish('alarms')
  expect(await raised).toMatchObject({ id, state: 'unack-active', village: `${villages[0]} 村` })
  const taken = next(page, 'alarm')
  const start = performance.now()
  const answer = await fetch(`${web.url}/api/v1/alarms/${id}/acknowledge`, {
    method: 'POST',
    headers: { cookie: web.cookieOf('clerk') },
  })
  expect(answer.status).toBe(200)
  expect(await taken).toMatchObject({ id, state: 'ack-active', acknowledgedBy: 'clerk' })
  expect(performance.now() - start).toBeLessThan(1000)
})

test('a new device makes pages fetch their snapshot again', async () => {
  await using web = await webRole()
  const page = await web.page('clerk')
  const refresh = next(page, 'refresh')
  const { registry, bus } = web.county
  registry.addDevices([
    {
      device: {
        deviceId: 'late-comer',
        kind: 'contact',
        model: 'native/contact',
        name: 'late',
        region: villages[0],
        place: '',
        position: null,
        heartbeatS: 60,
        commissionedAt: null,
        camera: null,
      },
      secretHash: null,
    },
  ])
  bus.publish('registry')
  expect(await refresh).toBe('registry')
  const device = await fetch(`${web.url}/api/v1/devices/late-comer`, {
    headers: { cookie: web.cookieOf('clerk') },
  })
  expect(await device.json()).toMatchObject({ state: 'uncommissioned', seen: null })
})

test('without a single hint the picture is true within a second', async () => {
  await using web = await webRole()
  const page = await web.page('clerk')
  await watch(page, villages[0])
  const alarm = next(page, 'alarm')
  const start = performance.now()
  web.county.raise(villages[0])
  await alarm
  expect(performance.now() - start).toBeLessThan(2500)
})

test('signing out cuts the open page', async () => {
  await using web = await webRole()
  const entered = await fetch(`${web.url}/api/v1/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'clerk', password }),
  })
  const cookie = entered.headers.getSetCookie()[0]?.split(';')[0] ?? ''
  const page = web.stranger({ cookie })
  page.connect()
  await next(page, 'pulse')
  const gone = cut(page)
  const out = await fetch(`${web.url}/api/v1/session`, { method: 'DELETE', headers: { cookie } })
  expect(out.status).toBe(204)
  await gone
})

test('a session that expires cuts the open page', async () => {
  await using web = await webRole()
  const page = await web.page('clerk')
  const gone = cut(page)
  web.county.clock.advance(12 * 3_600_000)
  web.county.bus.publish('sessions')
  expect(await gone).toBe('transport close')
})

test('a person whose scope changes is cut, to come back with the new rights', async () => {
  await using web = await webRole()
  const page = await web.page('clerk')
  const gone = cut(page)
  const { people, bus } = web.county
  const byId = people.byId.bind(people)
  people.byId = (id) => {
    const user = byId(id)
    return user && { ...user, scope: villages[2] }
  }
  bus.publish('sessions')
  expect(await gone).toBe('transport close')
})

test('whatever a page sends, the role goes on', async () => {
  await using web = await webRole()
  const page = await web.page('clerk')
  const packets: [string, ...unknown[]][] = [
    ['watch'],
    ['watch', { scope: villages[0] }],
    ['watch', { scope: '__proto__' }, 'no function'],
    ['__proto__', { a: 1 }],
    ['constructor', { a: 1 }],
  ]
  for (const packet of packets) Reflect.apply(page.emit.bind(page), page, packet)
  for (const asked of [
    null,
    7,
    [],
    { scope: 5 },
    { scope: '1'.repeat(3000) },
    { scope: '339901%' },
  ]) {
    const answer: unknown = await Reflect.apply(page.emitWithAck.bind(page), page, ['watch', asked])
    expect(answer).toMatchObject({ ok: false })
  }
  expect(await watch(page, villages[0])).toEqual({ ok: true })
})

test('a page that floods the door is cut', async () => {
  await using web = await webRole()
  const page = await web.page('clerk')
  const gone = cut(page)
  for (let i = 0; i < 100; i += 1) void watch(page, villages[0]).catch(() => undefined)
  expect(await gone).toBe('transport close')
})

test('a page that floods the door with events nobody knows is cut, too', async () => {
  await using web = await webRole()
  const page = await web.page('clerk')
  const gone = cut(page)
  for (let i = 0; i < 100; i += 1) Reflect.apply(page.emit.bind(page), page, ['unknown', i])
  expect(await gone).toBe('transport close')
})

test('a message longer than 4 KiB cuts its sender only', async () => {
  await using web = await webRole()
  const [page, other] = [await web.page('clerk'), await web.page('officer')]
  const gone = cut(page)
  page.emit('watch', { scope: 'x'.repeat(10_000) }, () => undefined)
  await gone
  expect(await watch(other, townships[0])).toEqual({ ok: true })
})

/** One village's alarms in one commit, each its own row of about 600 bytes on the wire. */
function storm(web: WebRole, village: string, count: number, from: number) {
  const { alarms, bus, clock } = web.county
  const events = Array.from({ length: count }, (_, i) => ({
    // Beyond 256 open rows a device's alarms are folded into one.
    deviceId: `storm-${Math.floor((from + i) / 200)}`,
    region: village,
    boot: 'storm',
    seq: from + i,
    kind: 'intrusion',
    point: `${from + i}`,
    edge: 'active' as const,
    priority: 2,
    deviceAt: null,
    receivedAt: clock.now(),
    assured: true,
    fingerprint: `${from + i}`,
    resent: false,
  }))
  alarms.accept(events, [])
  bus.publish('alarms')
}

test('a burst of 2,000 alarms reaches a page that reads, whole', async () => {
  await using web = await webRole()
  const page = await web.page('clerk')
  await watch(page, villages[0])
  let got = 0
  page.on('alarm', () => (got += 1))
  storm(web, villages[0], 2000, 0)
  await until('all alarms', () => got === 2000)
  expect(page.connected).toBe(true)
})

test('a page that stops reading is cut, and the others are served', async () => {
  await using web = await webRole()
  const other = await web.page('officer')
  await watch(other, townships[0])
  const stalled = new WebSocket(`ws://127.0.0.1:${web.port}/socket.io/?EIO=4&transport=websocket`, {
    headers: { cookie: web.cookieOf('clerk') },
  })
  stalled.on('error', () => undefined)
  // The engine's own hello comes first.
  await once(stalled, 'message')
  stalled.send('40')
  await once(stalled, 'message')
  stalled.send(`420["watch",{"scope":"${villages[0]}"}]`)
  await until('two pages', () => web.metrics()['pages'] === 2)
  stalled.pause()
  let sent = 0
  await until('the stalled page is cut', () => {
    if (sent < 40_000) storm(web, villages[0], 2000, sent)
    sent += 2000
    return web.metrics()['pages'] === 1
  })
  stalled.terminate()
  expect(other.connected).toBe(true)
  expect(await watch(other, villages[0])).toEqual({ ok: true })
})

test('closing the role cuts every page and frees the port', async () => {
  const web = await webRole()
  const page = await web.page('clerk')
  const gone = cut(page)
  await web.close()
  await gone
  await expect(fetch(`${web.url}/livez`)).rejects.toThrow('fetch failed')
})
