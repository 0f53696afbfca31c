import { expect, test } from 'vitest'
import { villages } from '../support/web-county.ts'
import { webApp, type WebApp } from '../support/web-app.ts'

const acknowledge = (web: WebApp, name: string, id: string) =>
  web.ask(name, { method: 'POST', url: `/api/v1/alarms/${id}/acknowledge` })
const close = (web: WebApp, name: string, id: string, cause: unknown = 'a dog') =>
  web.ask(name, { method: 'POST', url: `/api/v1/alarms/${id}/close`, payload: { cause } })

test('an alarm is told with the names of its device, village and township', async () => {
  await using web = await webApp()
  const { id } = web.county.raise(villages[0])
  expect((await web.ask('clerk', `/api/v1/alarms/${id}`)).json()).toMatchObject({
    id,
    state: 'unack-active',
    deviceName: `contact of ${villages[0]}`,
    deviceKind: 'contact',
    place: 'village gate',
    village: `${villages[0]} 村`,
    township: '339901001 镇',
  })
})

test('of two people who take an alarm at once one wins, the other is told who', async () => {
  await using web = await webApp()
  const { id } = web.county.raise(villages[0])
  const answers = await Promise.all(
    ['clerk', 'officer', 'supervisor'].map((name) => acknowledge(web, name, id)),
  )
  const won = answers.filter(({ statusCode }) => statusCode === 200)
  expect(won).toHaveLength(1)
  const winner = won[0]?.json().acknowledgedBy
  for (const answer of answers.filter(({ statusCode }) => statusCode !== 200)) {
    expect(answer.statusCode).toBe(409)
    expect(answer.json()).toEqual({
      code: 'ALARM_TAKEN',
      message: `Alarm '${id}' was already taken by ${winner}`,
    })
  }
  const lines = web.county.audit
    .list({ limit: 10 })
    .map(({ action, outcome }) => `${action} ${outcome}`)
  expect(lines.toSorted((a, b) => (a < b ? -1 : 1))).toEqual([
    'alarm.acknowledge failed',
    'alarm.acknowledge failed',
    'alarm.acknowledge ok',
  ])
})

test('who acts comes from the session: a body that names somebody else is refused', async () => {
  await using web = await webApp()
  const { id } = web.county.raise(villages[0])
  await acknowledge(web, 'officer', id)
  const forged = await web.ask('officer', {
    method: 'POST',
    url: `/api/v1/alarms/${id}/close`,
    payload: { cause: 'a dog', closedBy: 'supervisor' },
  })
  expect(forged.statusCode).toBe(400)
  expect((await close(web, 'officer', id)).json()).toMatchObject({ closedBy: 'officer' })
})

test('an alarm is closed with its cause, after it was taken', async () => {
  await using web = await webApp()
  const { id } = web.county.raise(villages[0])
  expect((await close(web, 'officer', id)).json()).toMatchObject({ code: 'ALARM_WRONG_STATE' })
  await acknowledge(web, 'clerk', id)
  expect((await close(web, 'officer', id)).json()).toMatchObject({
    state: 'closed',
    cause: 'a dog',
  })
  expect((await close(web, 'officer', id)).statusCode).toBe(409)
  expect(web.county.audit.list({ limit: 2 })).toMatchObject([
    { outcome: 'failed', detail: 'ALARM_WRONG_STATE' },
    { action: 'alarm.close', actor: 'id-officer', subject: id, region: villages[0], outcome: 'ok' },
  ])
})

test.each(['', '   ', 'x'.repeat(201), 'line\u0000break', 'right\u202eleft', 5, null, ['x'], {}])(
  'the cause %j is refused',
  async (cause) => {
    await using web = await webApp()
    const { id } = web.county.raise(villages[0])
    await acknowledge(web, 'officer', id)
    const answer = await close(web, 'officer', id, cause)
    expect(answer.statusCode).toBe(400)
    expect(web.county.alarms.get(id)).toMatchObject({ state: 'ack-active' })
  },
)

test('an alarm outside the scope and one that never was answer alike', async () => {
  await using web = await webApp()
  const { id } = web.county.raise(villages[2])
  for (const foreign of [id, '01ARZ3NDEKTSV4RRFFQ69G5FAV']) {
    const answer = await acknowledge(web, 'clerk', foreign)
    expect(answer.statusCode).toBe(404)
    expect(answer.json()).toEqual({
      code: 'ALARM_NOT_FOUND',
      message: `No alarm '${foreign}'`,
    })
  }
  expect(web.county.alarms.get(id)).toMatchObject({ state: 'unack-active' })
})

test('pages follow each other without a gap or a repeat, also where times are equal', async () => {
  await using web = await webApp()
  const raised = Array.from({ length: 7 }, () => web.county.raise(villages[0]).id)
  const seen: string[] = []
  let next: string | null = ''
  while (next !== null) {
    const page: { items: { id: string }[]; next: string | null } = (
      await web.ask('clerk', `/api/v1/alarms?limit=3${next && `&before=${next}`}`)
    ).json()
    seen.push(...page.items.map(({ id }) => id))
    ;({ next } = page)
  }
  expect(seen.toSorted()).toEqual(raised.toSorted())
  expect(new Set(seen).size).toBe(7)
})

test('alarms are filtered by open and by state', async () => {
  await using web = await webApp()
  const [first, second] = [web.county.raise(villages[0]), web.county.raise(villages[0])]
  await acknowledge(web, 'officer', first.id)
  await close(web, 'officer', first.id)
  const ids = async (query: string) =>
    (await web.ask('officer', `/api/v1/alarms?${query}`))
      .json()
      .items.map(({ id }: { id: string }) => id)
  expect(await ids('open=true')).toEqual([second.id])
  expect(await ids('open=false')).toEqual([first.id])
  expect(await ids('state=closed')).toEqual([first.id])
  expect(await ids('state=shelved')).toEqual([])
})

test.each([
  'before=x',
  'before=W10',
  'before=WzEsMl0',
  'limit=0',
  'limit=501',
  'open=maybe',
  'region=1',
])('the query %s is a 400', async (query) => {
  await using web = await webApp()
  const answer = await web.ask('officer', `/api/v1/alarms?${query}`)
  expect(answer.statusCode).toBe(400)
  expect(answer.json().code).toBe('BAD_REQUEST')
})

test('a change by one role is counted at once in the summary', async () => {
  await using web = await webApp()
  const { id } = web.county.raise(villages[0])
  web.deps.world.poll()
  const counts = async () => {
    const { open, unack, oldestUnackAt } = (
      await web.ask('officer', '/api/v1/regions/339901001/summary')
    ).json()
    return { open, unack, oldestUnackAt }
  }
  expect(await counts()).toEqual({ open: 1, unack: 1, oldestUnackAt: web.county.clock.now() })
  await acknowledge(web, 'clerk', id)
  expect(await counts()).toEqual({ open: 1, unack: 0, oldestUnackAt: null })
  await close(web, 'officer', id)
  expect(await counts()).toEqual({ open: 0, unack: 0, oldestUnackAt: null })
})
