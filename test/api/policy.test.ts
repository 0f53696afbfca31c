import type { FastifyInstance } from 'fastify'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { grants, httpPolicy, mediaPolicy, roomPolicy, type Action } from '../../hub/rules/policy.ts'
import { Role } from '../../hub/schema/people.ts'
import { demandPolicy } from '../../hub/web/access.ts'
import { connections } from '../../hub/web/connections.ts'
import { liveDoor, roomPrefixes } from '../../hub/web/live.ts'
import { mediaPaths, upgradeDoor } from '../../hub/web/upgrade.ts'
import { county, deviceIn, townships, villages } from '../support/web-county.ts'
import { webApp, type WebApp } from '../support/web-app.ts'

const forgotten = async (app: FastifyInstance) => {
  app.post('/devices', () => 'done')
}

describe('what has no entry in the policy stops the start', () => {
  test('a route', async () => {
    await using web = await webApp()
    expect(() => web.app.get('/api/v1/forgotten', () => 'all the county')).toThrow(
      "route 'GET /api/v1/forgotten' has no entry in hub/rules/policy.ts",
    )
  })

  test('a route of a plugin', async () => {
    await using web = await webApp()
    await expect(web.app.register(forgotten, { prefix: '/api/v1' })).rejects.toThrow(
      "route 'POST /api/v1/devices' has no entry in hub/rules/policy.ts",
    )
  })

  test('a route named like a member of every object', () => {
    expect(() => demandPolicy({ method: 'constructor', url: '' })).toThrow('no entry')
  })

  test('a room prefix', async () => {
    await using web = await webApp()
    const sockets = connections(web.deps.sessions)
    const log = { error: () => undefined }
    const build = () =>
      liveDoor({ ...web.deps, connections: sockets, log, prefixes: ['pulse', 'cameras'] })
    expect(build).toThrow("socket room 'cameras' has no entry in hub/rules/policy.ts")
  })

  test('a media path', async () => {
    await using web = await webApp()
    const sockets = connections(web.deps.sessions)
    const build = () =>
      upgradeDoor({
        ...web.deps,
        server: web.app.server,
        connections: sockets,
        mediaPort: () => 0,
        live: () => undefined,
        paths: ['/media/back-door'],
      })
    expect(build).toThrow("media path '/media/back-door' has no entry in hub/rules/policy.ts")
  })
})

test('every entry of the policy is a real route, room or path', async () => {
  await using web = await webApp()
  const files = 'GET /*'
  const routes = new Set([...web.app.policyRoutes, files])
  expect([...routes].toSorted()).toEqual(Object.keys(httpPolicy).toSorted())
  expect([...roomPrefixes].toSorted()).toEqual(Object.keys(roomPolicy).toSorted())
  expect([...mediaPaths]).toEqual(Object.keys(mediaPolicy))
})

const methodOf = (method: string) =>
  method === 'POST' || method === 'DELETE' ? method : ('GET' as const)

/** A body for each route that takes one; a new route without a line here fails the matrix. */
const bodies: Readonly<Record<string, object | undefined>> = {
  'POST /api/v1/alarms/:id/acknowledge': undefined,
  'POST /api/v1/alarms/:id/close': { cause: 'a dog' },
  'POST /api/v1/cameras/:id/grant': undefined,
}

type Where = 'own' | 'sibling' | 'parent'
const scopes: Record<Where, string> = { own: townships[0], sibling: townships[1], parent: county }
const villageOf: Record<'own' | 'sibling', string> = { own: villages[1], sibling: villages[3] }

/** The object a path with `:id` names, in the village of `where`. */
function idFor(web: WebApp, url: string, where: 'own' | 'sibling'): string {
  if (url.includes('/alarms/')) return web.county.raise(villageOf[where]).id
  if (url.includes('/devices/')) return deviceIn(villageOf[where], 'contact')
  if (url.includes('/cameras/')) return deviceIn(villageOf[where], 'camera')
  throw new Error(`the matrix knows no object for '${url}': teach it`)
}

/** What the policy promises, in status codes; own means "not refused", whatever else it answers. */
function promised(role: Role, need: Action, where: Where, one: boolean) {
  if (!grants[role].includes(need)) return 403
  if (where === 'own') return 'let in'
  return one ? 404 : 'let in'
}

describe.each(Role.options)('a %s of a township', (role) => {
  const cells = Object.entries(httpPolicy).flatMap(([route, need]): [string, Action][] =>
    need === 'public' || need === 'session' ? [] : [[route, need]],
  )

  let web: WebApp
  const name = `person-${role}`
  beforeAll(async () => {
    web = await webApp()
    const hash = web.county.people.byName('clerk')?.passwordHash ?? ''
    const person = {
      id: name,
      name,
      displayName: name,
      role,
      scope: townships[0],
      mustChange: false,
    }
    web.county.people.add(person, hash)
  })
  afterAll(() => web[Symbol.asyncDispose]())

  test.each(cells)('%s (%s) is let in to the own region only', async (route, need) => {
    const [method = '', url = ''] = route.split(' ')
    const one = url.includes('/:')
    const places: Where[] = url.includes('/:id') ? ['own', 'sibling'] : ['own', 'sibling', 'parent']
    for (const where of places) {
      const id = url.includes('/:id') && where !== 'parent' ? idFor(web, url, where) : ''
      const path = url.replace(':scope', scopes[where]).replace(':id', id)
      if (method === 'POST' && !(route in bodies)) throw new Error(`no body for ${route}: teach it`)
      const payload = bodies[route]
      const answer = await web.ask(name, {
        method: methodOf(method),
        url: path,
        ...(payload && { payload }),
      })
      const expected = promised(role, need, where, one)
      const got = [401, 403, 404].includes(answer.statusCode) ? answer.statusCode : 'let in'
      expect({ where, got }).toEqual({ where, got: expected })
      expect(answer.statusCode).toBeLessThan(500)
      if (expected === 'let in') continue
      // A refusal leaves a line in the audit with the person's id, and tells nothing else.
      const [line] = web.county.audit.list({ limit: 1 })
      expect(line).toMatchObject({
        actor: name,
        outcome: 'refused',
        action: need.replace(':', '.'),
      })
      expect(Object.keys(answer.json())).toEqual(['code', 'message'])
    }
  })
})

test('without a session every route but the public ones answers 401', async () => {
  await using web = await webApp()
  for (const [route, need] of Object.entries(httpPolicy)) {
    if (need === 'public') continue
    const [method = '', url = ''] = route.split(' ')
    const path = url.replace(':scope', county).replace(':id', deviceIn(villages[0], 'camera'))
    const answer = await web.app.inject({ method: methodOf(method), url: path })
    expect({ route, status: answer.statusCode, code: answer.json().code }).toEqual({
      route,
      status: 401,
      code: 'NOT_SIGNED_IN',
    })
  }
})

test('a stranger learns nothing from a malformed body: the session is asked for first', async () => {
  await using web = await webApp()
  const answer = await web.app.inject({
    method: 'POST',
    url: '/api/v1/alarms/x/close',
    headers: { 'content-type': 'application/json' },
    payload: '{"cause":',
  })
  expect(answer.statusCode).toBe(401)
})

describe('lists', () => {
  test.each([
    ['clerk', '/api/v1/devices', [villages[0]]],
    ['officer', '/api/v1/devices', [villages[0], villages[1]]],
    ['supervisor', '/api/v1/devices', [...villages]],
    ['officer', `/api/v1/devices?scope=${county}`, [villages[0], villages[1]]],
    ['officer', `/api/v1/devices?scope=${villages[1]}`, [villages[1]]],
    ['clerk', '/api/v1/alarms', [villages[0]]],
    ['officer', '/api/v1/alarms', [villages[0], villages[1]]],
    ['officer', `/api/v1/alarms?scope=${county}`, [villages[0], villages[1]]],
    ['supervisor', '/api/v1/alarms', [...villages]],
  ])('%s sees through %s only the own regions', async (name, url, expected) => {
    await using web = await webApp()
    for (const village of villages) web.county.raise(village)
    const answer = await web.ask(name, url)
    expect(answer.statusCode).toBe(200)
    const { items }: { items: { region: string }[] } = answer.json()
    expect([...new Set(items.map(({ region }) => region))].toSorted()).toEqual(expected)
  })

  test.each(['/api/v1/devices', '/api/v1/alarms'])(
    '%s of a foreign region is a region that does not exist',
    async (url) => {
      await using web = await webApp()
      const foreign = await web.ask('officer', `${url}?scope=${townships[1]}`)
      expect(foreign.json()).toMatchObject({ code: 'REGION_NOT_FOUND' })
    },
  )

  test('regions are those of the scope', async () => {
    await using web = await webApp()
    const { items } = (await web.ask('officer', '/api/v1/regions')).json()
    expect(items.map(({ scope }: { scope: string }) => scope)).toEqual([
      townships[0],
      villages[0],
      villages[1],
    ])
  })

  test('a township auditor reads the audit of the township only, page by page', async () => {
    await using web = await webApp()
    const { audit, people, clock } = web.county
    const hash = people.byName('clerk')?.passwordHash ?? ''
    const name = 'reader'
    people.add(
      {
        id: name,
        name,
        displayName: name,
        role: 'auditor',
        scope: townships[0],
        mustChange: false,
      },
      hash,
    )
    for (let i = 0; i < 7; i += 1)
      for (const region of [villages[0], villages[2], null])
        audit.append({
          at: clock.now(),
          actor: 'x',
          action: 'camera.watch',
          subject: `${i}`,
          region,
          outcome: 'ok',
          detail: '',
        })
    const seen: string[] = []
    let next: string | null = ''
    while (next !== null) {
      const page: { items: { region: string; subject: string }[]; next: string | null } = (
        await web.ask(name, `/api/v1/audit?limit=3${next && `&before=${next}`}`)
      ).json()
      expect(page.items.every(({ region }) => region.startsWith(townships[0]))).toBe(true)
      seen.push(...page.items.map(({ subject }) => subject))
      ;({ next } = page)
    }
    expect(seen).toEqual(['6', '5', '4', '3', '2', '1', '0'])
  })

  test('a township crew sees knocks of its own devices, never of strangers', async () => {
    await using web = await webApp()
    const { registry, clock } = web.county
    const knock = (clientId: string) =>
      registry.quarantine({ clientId, remote: '10.0.0.1', at: clock.now(), reason: 'wrong-secret' })
    for (const id of ['stranger', deviceIn(villages[0], 'light'), deviceIn(villages[2], 'light')])
      knock(id)
    const clients = async (name: string) =>
      (await web.ask(name, '/api/v1/quarantine'))
        .json()
        .items.map(({ clientId }: { clientId: string }) => clientId)
        .toSorted()
    expect(await clients('crew')).toEqual([deviceIn(villages[0], 'light')])
    expect(await clients('admin')).toHaveLength(3)
  })

  test('a township administrator sees the people of the township only', async () => {
    await using web = await webApp()
    const { people } = web.county
    const hash = people.byName('clerk')?.passwordHash ?? ''
    const [name, scope] = ['town-admin', townships[0]]
    people.add(
      { id: name, name, displayName: name, role: 'administrator', scope, mustChange: false },
      hash,
    )
    const answer = await web.ask(name, '/api/v1/users')
    const names = answer.json().items.map((user: { name: string }) => user.name)
    expect(names).toEqual(['clerk', 'clerk2', 'crew', 'officer', 'town-admin'])
  })

  test('users are listed without any secret', async () => {
    await using web = await webApp()
    const answer = await web.ask('admin', '/api/v1/users')
    expect(answer.json().items).toHaveLength(7)
    expect(answer.body).not.toMatch(/argon2|hash/i)
  })
})
