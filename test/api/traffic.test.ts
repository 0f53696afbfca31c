import { once } from 'node:events'
import { connect } from 'node:net'
import { expect, test } from 'vitest'
import { defaultLimits } from '../../hub/web/deps.ts'
import { until } from '../support/until.ts'
import { deviceIn, villages } from '../support/web-county.ts'
import { webApp } from '../support/web-app.ts'
import { webRole } from '../support/web-role.ts'

const foreign = [
  { origin: 'https://evil.example' },
  { origin: 'null' },
  { origin: 'http://localhost:81' },
  { origin: 'http://localhost.evil.example' },
  { 'sec-fetch-site': 'cross-site' },
  { 'sec-fetch-site': 'same-site' },
  { 'sec-fetch-site': 'cross-site', origin: 'http://localhost:80' },
]

test.each(foreign)(
  'a change asked for by %j is refused before anything happens',
  async (headers) => {
    await using web = await webApp()
    const { id } = web.county.raise(villages[0])
    const answer = await web.ask('clerk', {
      method: 'POST',
      url: `/api/v1/alarms/${id}/acknowledge`,
      headers,
    })
    expect(answer.statusCode).toBe(403)
    expect(answer.json().code).toBe('FOREIGN_ORIGIN')
    expect(web.county.alarms.get(id)?.state).toBe('unack-active')
  },
)

test.each([{}, { origin: 'http://localhost:80' }, { 'sec-fetch-site': 'same-origin' }])(
  'a change asked for by %j is done',
  async (headers) => {
    await using web = await webApp()
    const { id } = web.county.raise(villages[0])
    const url = `/api/v1/alarms/${id}/acknowledge`
    expect((await web.ask('clerk', { method: 'POST', url, headers })).statusCode).toBe(200)
  },
)

test('signing in from a foreign page is refused, too', async () => {
  await using web = await webApp()
  const answer = await web.ask(undefined, {
    method: 'POST',
    url: '/api/v1/session',
    payload: { name: 'clerk', password: 'x' },
    headers: { origin: 'https://evil.example' },
  })
  expect(answer.json().code).toBe('FOREIGN_ORIGIN')
})

test('a foreign page may still show a link: reading needs no origin', async () => {
  await using web = await webApp()
  const headers = { 'sec-fetch-site': 'cross-site' }
  expect((await web.ask('clerk', { url: '/api/v1/session', headers })).statusCode).toBe(200)
})

test('no answer lets another site read it', async () => {
  await using web = await webApp()
  const answer = await web.ask('clerk', {
    url: '/api/v1/session',
    headers: { origin: 'https://evil.example' },
  })
  expect(Object.keys(answer.headers).filter((name) => name.startsWith('access-control'))).toEqual(
    [],
  )
})

test('every answer carries the security headers, and data is never cached', async () => {
  await using web = await webApp()
  for (const url of ['/livez', '/api/v1/session', '/api/nothing', '/']) {
    const { headers } = await web.ask('clerk', url)
    expect(headers['content-security-policy']).toContain("default-src 'self'; script-src 'self';")
    expect(headers['content-security-policy']).toContain("frame-ancestors 'none'")
    expect(headers).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
    })
    const kept = url.startsWith('/api/') ? headers['cache-control'] : 'no-store'
    expect(kept).toBe('no-store')
  }
})

test('a Host that is no host does not get into the policy header', async () => {
  await using web = await webApp()
  const { headers } = await web.ask(undefined, {
    url: '/livez',
    headers: { host: "x; script-src 'unsafe-inline'" },
  })
  expect(headers['content-security-policy']).toMatch(/connect-src 'self'$/)
})

test('with TLS browsers are told to stay with it', async () => {
  await using web = await webApp({ secure: true })
  const { headers } = await web.ask(undefined, '/livez')
  expect(headers['strict-transport-security']).toContain('max-age=31536000')
})

test('an address that asks too much is told to wait', async () => {
  await using web = await webApp({ limits: { ...defaultLimits, requests: 5 } })
  const codes: number[] = []
  for (let i = 0; i < 7; i += 1) codes.push((await web.ask('clerk', '/api/v1/session')).statusCode)
  expect(codes).toEqual([200, 200, 200, 200, 200, 429, 429])
  const refused = await web.ask('clerk', '/api/v1/session')
  expect(refused.json()).toMatchObject({ code: 'TOO_MANY_TRIES' })
})

test.each([
  ['a body over 16 KiB', { 'content-type': 'application/json' }, `"${'x'.repeat(20_000)}"`, 413],
  ['a body that is no JSON', { 'content-type': 'application/json' }, '{', 400],
  ['plain text', { 'content-type': 'text/plain' }, '{"name":"a","password":"b"}', 415],
  ['a form', { 'content-type': 'application/x-www-form-urlencoded' }, 'name=a&password=b', 415],
  [
    'a type with a tail',
    { 'content-type': 'application/json\ta' },
    '{"name":"a","password":"b"}',
    415,
  ],
  ['a poisoned prototype', { 'content-type': 'application/json' }, '{"__proto__":{"x":1}}', 400],
  [
    'a poisoned constructor',
    { 'content-type': 'application/json' },
    '{"constructor":{"prototype":{"x":1}}}',
    400,
  ],
  [
    'a field nobody asked for',
    { 'content-type': 'application/json' },
    '{"name":"a","password":"b","role":"administrator"}',
    400,
  ],
])('%s is refused', async (_what, headers, payload, status) => {
  await using web = await webApp()
  const answer = await web.app.inject({
    method: 'POST',
    url: '/api/v1/session',
    headers,
    payload,
  })
  expect(answer.statusCode).toBe(status)
  expect(answer.json()).toEqual({ code: 'BAD_REQUEST', message: expect.any(String) })
  expect(({} as Record<string, unknown>)['x']).toBeUndefined()
})

const hostile = [
  '__proto__',
  'constructor',
  'toString',
  '..%2f..%2fetc%2fpasswd',
  '%00',
  '%0d%0aset-cookie:%20a=b',
  '%e2%80%ae',
  "'%20or%201=1--",
  '%F0%9F%98%80'.repeat(5),
  'x'.repeat(500),
  '-1',
  '1e9',
  '%ff',
]
const paths = [
  (word: string) => `/api/v1/devices/${word}`,
  (word: string) => `/api/v1/devices/${word}/timeline`,
  (word: string) => `/api/v1/alarms/${word}`,
  (word: string) => `/api/v1/regions/${word}/summary`,
  (word: string) => `/api/v1/regions/${word}/strips`,
  (word: string) => `/api/v1/regions/339901/strips?from=${word}`,
  (word: string) => `/api/v1/devices?text=${word}`,
  (word: string) => `/api/v1/devices?after=${word}`,
  (word: string) => `/api/v1/devices?${word}=1`,
  (word: string) => `/api/v1/alarms?before=${word}`,
  (word: string) => `/api/v1/audit?before=${word}`,
  (word: string) => `/${word}`,
]

test.each(hostile)(
  'the word %s anywhere in an address is answered, never a failure',
  async (word) => {
    await using web = await webApp()
    for (const path of paths)
      for (const name of ['supervisor', 'auditor']) {
        const answer = await web.ask(name, path(word))
        // 503 is the page that says the console is not built.
        const fine = answer.statusCode < 500 || answer.body.includes('npm run build')
        const known = answer.statusCode === 200 || answer.statusCode === 503
        const shape = known ? 'code,message' : Object.keys(answer.json()).join()
        const url = path(word)
        expect({ url, fine, shape }).toEqual({ url, fine: true, shape: 'code,message' })
        expect(answer.headers['set-cookie']).toBeUndefined()
      }
  },
)

test('camera addresses, users and passwords never leave through the API', async () => {
  await using web = await webApp()
  web.county.registry.setCameraPassword(deviceIn(villages[0], 'camera'), 'canary-password')
  const urls = [
    '/api/v1/devices',
    `/api/v1/devices/${deviceIn(villages[0], 'camera')}`,
    '/api/v1/regions/339901/snapshot',
    `/api/v1/regions/${villages[0]}/snapshot`,
    '/api/v1/system',
    '/metrics',
    '/api/openapi.json',
  ]
  for (const url of urls)
    expect((await web.ask('supervisor', url)).body).not.toMatch(/canary|rtsp:/)
})

test('a failure inside tells the log, not the caller', async () => {
  await using web = await webApp()
  web.county.alarms.get = () => {
    throw new Error('secret path /var/lib/hub/alarms.db')
  }
  const answer = await web.ask('clerk', '/api/v1/alarms/a1')
  expect(answer.statusCode).toBe(500)
  expect(answer.json()).toEqual({
    code: 'INTERNAL',
    message: 'Internal error: the log names the cause',
  })
})

test('an overloaded hub refuses history first, never an alarm', async () => {
  await using web = await webApp()
  const { id } = web.county.raise(villages[0])
  const strips = `/api/v1/regions/${villages[0]}/strips`
  expect((await web.ask('clerk', strips)).statusCode).toBe(200)
  const refused = await until('history is refused', async () => {
    const busyUntil = performance.now() + 1_500
    while (performance.now() < busyUntil);
    // The delay is measured once a second, so the first look may come too early.
    const answer = await web.ask('clerk', strips)
    return answer.statusCode === 503 && answer
  })
  expect(refused.json()).toMatchObject({ code: 'OVERLOADED' })
  const url = `/api/v1/alarms/${id}/acknowledge`
  expect((await web.ask('clerk', { method: 'POST', url })).statusCode).toBe(200)
})

/** Opens a socket and says `text`; resolves with the milliseconds until the hub hung up. */
async function dribble(port: number, text: string) {
  const socket = connect({ port, host: '127.0.0.1' })
  socket.on('error', () => undefined)
  await once(socket, 'connect')
  const start = performance.now()
  socket.write(text)
  socket.resume()
  await once(socket, 'close')
  return performance.now() - start
}

test('slow senders are cut within 10 s while others are served', async () => {
  await using web = await webRole()
  const slow = [
    '',
    'GET / HTTP/1.1\r\nhost: x\r\n',
    'POST /api/v1/session HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{"na',
  ]
  const cut = Promise.all(
    slow.flatMap((text) => Array.from({ length: 20 }, () => dribble(web.port, text))),
  )
  expect((await fetch(`${web.url}/livez`)).status).toBe(200)
  expect(Math.max(...(await cut))).toBeLessThan(11_000)
})

test.each(['/api/v1/session', '/%61pi/v1/session', '/a%70i/v1/devices', '/api/v1/nothing'])(
  'what %s answers is kept by nobody, however the address is written',
  async (url) => {
    await using web = await webApp()
    const answer = await web.ask('clerk', { url })
    expect(answer.headers['cache-control']).toBe('no-store')
  },
)
