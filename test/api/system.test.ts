import { expect, test } from 'vitest'
import type { Peers } from '../../hub/schema/role.ts'
import { readGrant } from '../../hub/rules/grant.ts'
import { metricName, prometheusText } from '../../hub/web/prometheus.ts'
import { deviceIn, villages } from '../support/web-county.ts'
import { webApp } from '../support/web-app.ts'

const peers: Peers = {
  mediaPort: 4000,
  metrics: { intake: { alarmsAccepted: 7, 'loop.delayMs': 1.5 }, media: {} },
  restarts: { media: 2 },
}

test('the system page tells roles, the mirror, versions and the disk', async () => {
  const status = {
    target: 'influx',
    lastWriteAt: 5,
    backlog: 0,
    dropped: 0,
    error: null,
  } as const
  await using web = await webApp({ peers: () => peers, metrics: { status: () => status } })
  const system = (await web.ask('officer', '/api/v1/system')).json()
  expect(system.sink).toEqual(status)
  expect(system.intakeAgeMs).toBe(1000)
  expect(system.roles).toMatchObject([
    { name: 'intake', up: true, restarts: 0, metrics: { alarmsAccepted: 7 } },
    { name: 'media', up: true, restarts: 2 },
    { name: 'sink', up: false },
    { name: 'web', up: true },
  ])
  expect(system.versions).toMatchObject({
    hub: expect.stringMatching(/^\d/),
    node: process.versions.node,
  })
  expect(system.data.freeBytes).toBeGreaterThan(0)
})

test('a data folder that is gone is not known, not a failure', async () => {
  await using web = await webApp()
  web.county.settings.HUB_DATA_DIR = '/nonexistent'
  const answer = await web.ask('officer', '/api/v1/system')
  expect(answer.json()).toMatchObject({ data: null, sink: null })
})

test('/metrics speaks for all roles in the Prometheus text format', async () => {
  await using web = await webApp({ peers: () => peers })
  const answer = await web.ask(undefined, '/metrics')
  expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
  const lines = answer.body.split('\n')
  expect(lines).toContain('hub_role_up{role="intake"} 1')
  expect(lines).toContain('hub_role_up{role="sink"} 0')
  expect(lines).toContain('hub_role_restarts_total{role="media"} 2')
  expect(lines).toContain('# TYPE hub_role_restarts_total counter')
  expect(lines).toContain('hub_alarms_accepted{role="intake"} 7')
  expect(lines).toContain('hub_loop_delay_ms{role="intake"} 1.5')
  const sample =
    /^(# TYPE [a-z_:][a-z0-9_:]* (counter|gauge)|[a-z_:][a-z0-9_:]*\{role="[a-z]+"\} \S+|)$/
  for (const line of lines) expect(line).toMatch(sample)
})

test.each([
  ['alarmsAccepted', 'hub_alarms_accepted'],
  ['rss.bytes', 'hub_rss_bytes'],
  ['x-y z"}', 'hub_x_y_z__'],
])('the metric %s is written %s', (name, expected) => {
  expect(metricName(name)).toBe(expected)
})

test('a number that is none is written NaN', () => {
  const text = prometheusText([{ role: 'web', up: true, restarts: 0, metrics: { a: Infinity } }])
  expect(text).toContain('hub_a{role="web"} NaN')
})

test('readyz is 503 when intake was not heard for 30 s, livez stays 200', async () => {
  await using web = await webApp()
  expect((await web.ask(undefined, '/readyz')).json()).toEqual({
    ready: true,
    stores: true,
    intake: true,
  })
  web.county.clock.advance(31_000)
  const answer = await web.ask(undefined, '/readyz')
  expect(answer.statusCode).toBe(503)
  expect(answer.json()).toEqual({ ready: false, stores: true, intake: false })
  expect((await web.ask(undefined, '/livez')).statusCode).toBe(200)
})

test('readyz is 503 when a store does not answer', async () => {
  await using web = await webApp()
  web.county.alarms.lastChange = () => {
    throw new Error('disk gone')
  }
  expect((await web.ask(undefined, '/readyz')).json()).toMatchObject({
    ready: false,
    stores: false,
  })
})

test('a camera grant is bound to camera and session, and is in the viewing register', async () => {
  await using web = await webApp()
  const camera = deviceIn(villages[0], 'camera')
  const answer = await web.ask('clerk', { method: 'POST', url: `/api/v1/cameras/${camera}/grant` })
  const { grant, expiresAt } = answer.json()
  const { clock, grantSecret, audit, people } = web.county
  const read = readGrant(grant, grantSecret)
  expect(read).toMatchObject({ camera, from: clock.now(), exp: expiresAt })
  expect(expiresAt - clock.now()).toBe(60_000)
  expect(people.session(read?.session ?? '')).toMatchObject({ userId: 'id-clerk' })
  expect(audit.list({ limit: 1 })).toMatchObject([
    {
      actor: 'id-clerk',
      action: 'camera.watch',
      subject: camera,
      region: villages[0],
      outcome: 'ok',
    },
  ])
})

test('without a line in the viewing register there is no grant', async () => {
  await using web = await webApp()
  web.county.audit.append = () => {
    throw new Error('disk full')
  }
  const url = `/api/v1/cameras/${deviceIn(villages[0], 'camera')}/grant`
  const answer = await web.ask('clerk', { method: 'POST', url })
  expect(answer.statusCode).toBe(500)
  expect(answer.body).not.toContain('grant"')
})

test('what is no camera has no grant', async () => {
  await using web = await webApp()
  for (const id of [deviceIn(villages[0], 'light'), 'nobody'])
    expect(
      (await web.ask('clerk', { method: 'POST', url: `/api/v1/cameras/${id}/grant` })).json(),
    ).toMatchObject({ code: 'CAMERA_NOT_FOUND' })
})

test('the audit is paged and each refused look into it is a line of it', async () => {
  await using web = await webApp()
  expect((await web.ask('officer', '/api/v1/audit')).statusCode).toBe(403)
  const page = (await web.ask('auditor', '/api/v1/audit?limit=1')).json()
  expect(page.items).toMatchObject([
    { actor: 'id-officer', action: 'audit.read', outcome: 'refused', detail: 'GET /api/v1/audit' },
  ])
})
