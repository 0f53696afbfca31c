import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import type { Peers } from '../../hub/schema/role.ts'
import { readGrant } from '../../hub/rules/grant.ts'
import { metricWords } from '../../hub/web/metric-words.ts'
import { metricName, prometheusText } from '../../hub/web/prometheus.ts'
import { deviceIn, villages } from '../support/web-county.ts'
import { webApp } from '../support/web-app.ts'

const peers: Peers = {
  mediaPort: 4000,
  metrics: { intake: { heartbeats: 7, clients: 2, 'loop.delayMs': 1.5 }, media: {} },
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
    { name: 'intake', up: true, restarts: 0, metrics: { heartbeats: 7 } },
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

interface Exposed {
  help: string
  type: string
  samples: Map<string, number>
}

/** A strict reader of the text format 0.0.4; whatever Prometheus would refuse, it throws. */
function readExposition(text: string): Map<string, Exposed> {
  if (!text.endsWith('\n')) throw new Error('the last line must end with a line feed')
  const families = new Map<string, Exposed>()
  let current = ''
  for (const line of text.slice(0, -1).split('\n')) {
    const [, word, name = '', rest = ''] =
      /^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$/.exec(line) ?? []
    if (word === 'HELP') {
      if (families.has(name)) throw new Error(`${name} stands twice`)
      families.set(name, { help: rest, type: '', samples: new Map() })
      current = name
    } else if (word === 'TYPE') {
      const family = families.get(name)
      if (name !== current || !family || family.type) throw new Error(`TYPE out of place: ${line}`)
      if (!/^(counter|gauge|untyped)$/.test(rest)) throw new Error(`no such type: ${line}`)
      family.type = rest
    } else {
      const sample =
        /^([a-zA-Z_:][a-zA-Z0-9_:]*)(\{[a-zA-Z_][a-zA-Z0-9_]*="[^"\\\n]*"\}) (\S+)$/.exec(line)
      const family = families.get(current)
      if (!sample || sample[1] !== current || !family?.type) throw new Error(`no sample: ${line}`)
      const [, , labels = '', value = ''] = sample
      if (family.samples.has(labels)) throw new Error(`${current}${labels} stands twice`)
      family.samples.set(labels, value === '+Inf' ? Infinity : Number(value))
    }
  }
  return families
}

test('/metrics speaks for all roles in the Prometheus text format', async () => {
  await using web = await webApp({ peers: () => peers })
  const answer = await web.ask(undefined, '/metrics')
  expect(answer.headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8')
  const families = readExposition(answer.body)
  const sample = (name: string, role: string) => families.get(name)?.samples.get(`{role="${role}"}`)
  expect(sample('hub_role_up', 'intake')).toBe(1)
  expect(sample('hub_role_up', 'sink')).toBe(0)
  expect(sample('hub_role_restarts_total', 'media')).toBe(2)
  expect(families.get('hub_role_restarts_total')?.type).toBe('counter')
  expect(sample('hub_heartbeats_total', 'intake')).toBe(7)
  expect(families.get('hub_heartbeats_total')).toMatchObject({
    type: 'counter',
    help: 'Heartbeats taken from devices',
  })
  expect(families.get('hub_clients')?.type).toBe('gauge')
  expect(sample('hub_loop_delay_ms', 'intake')).toBe(1.5)
  expect(families.get('hub_loop_delay_ms')?.type).toBe('untyped')
  for (const [name, { type }] of families)
    expect(name.endsWith('_total'), `${name} ${type}`).toBe(type === 'counter')
})

/** Names a role gives its figures, where the source writes them out. */
const written = (file: string) => {
  const source = readFileSync(new URL(`../../hub/${file}`, import.meta.url), 'utf8')
  const list =
    /const known = \[([^\]]*)\]|return \{([^}]*media_sources[^}]*)\}|metrics: \(\) => \(\{([^}]*)\}\)/
  const [, ...found] = list.exec(source) ?? []
  return [...(found.find(Boolean) ?? '').matchAll(/^\s*'?([a-z_-]+)'?[,:]/gm)].map(
    ([, name = '']) => name,
  )
}

test.each(['intake/door.ts', 'media/role.ts', 'sink/role.ts'])(
  'every figure of %s is described with its kind',
  (file) => {
    const names = written(file)
    expect(names.length).toBeGreaterThan(3)
    expect(names.filter((name) => metricWords(name).kind === 'untyped')).toEqual([])
  },
)

test.each([
  ['alarmsAccepted', 'hub_alarms_accepted'],
  ['rss.bytes', 'hub_rss_bytes'],
  ['x-y z"}', 'hub_x_y_z__'],
])('the metric %s is written %s', (name, expected) => {
  expect(metricName(name)).toBe(expected)
})

test('two figures that are written alike are one sample, and an infinite one is +Inf', () => {
  const metrics = { 'refused_wrong-secret': 2, refused_wrong_secret: 3, odd: Infinity }
  const families = readExposition(prometheusText([{ role: 'web', up: true, restarts: 0, metrics }]))
  expect(families.get('hub_refused_wrong_secret_total')?.samples.get('{role="web"}')).toBe(5)
  expect(families.get('hub_odd')?.samples.get('{role="web"}')).toBe(Infinity)
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
