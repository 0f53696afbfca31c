import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { expect, test } from 'vitest'
import { mediaDoorKey } from '../../hub/rules/grant.ts'
import { until } from '../support/until.ts'
import { webRole, type WebRole } from '../support/web-role.ts'

interface Reply {
  socket: Socket
  text: () => string
  ended: Promise<unknown>
}

/** Sends an upgrade request word for word. */
async function upgrade(
  web: WebRole,
  path: string,
  headers: Record<string, string>,
): Promise<Reply> {
  const socket = connect({ port: web.port, host: '127.0.0.1' })
  await once(socket, 'connect')
  let text = ''
  socket.setEncoding('latin1')
  socket.on('data', (part: string) => (text += part))
  socket.on('error', () => undefined)
  const lines = Object.entries({
    host: `127.0.0.1:${web.port}`,
    connection: 'Upgrade',
    upgrade: 'websocket',
    'sec-websocket-version': '13',
    'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
    ...headers,
  }).map(([name, value]) => `${name}: ${value}`)
  socket.write(`GET ${path} HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
  return { socket, text: () => text, ended: once(socket, 'close') }
}

/** A server in media's place that keeps what it is asked, answers 101 and echoes. */
async function mediaDouble() {
  const heads: string[] = []
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('error', () => undefined)
    socket.once('data', (head) => {
      heads.push(head.toString('latin1'))
      socket.write('HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\nhello')
      socket.on('data', (part) => socket.write(part))
    })
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port was given')
  return {
    port: address.port,
    heads,
    sockets,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy()
      server.close()
      await once(server, 'close')
    },
  }
}

test('a signed-in person’s media socket is passed on as raw bytes, both ways', async () => {
  await using web = await webRole()
  await using media = await mediaDouble()
  web.peers.mediaPort = media.port
  const page = await upgrade(web, '/media/live?x=1', { cookie: web.cookieOf('clerk') })
  await until('greeting', () => page.text().endsWith('hello'))
  expect(page.text()).toMatch(/^HTTP\/1.1 101 /)
  page.socket.write('\u0001\u0002ping')
  await until('echo', () => page.text().endsWith('\u0001\u0002ping'))
  expect(media.heads[0]).toMatch(/^GET \/media\/live\?x=1 HTTP\/1.1\r\n/)
  page.socket.destroy()
  await until('media hung up', () => media.sockets[0]?.destroyed)
})

test('media is told the session by its hash and the hub’s key; the cookie and forged headers stay out', async () => {
  await using web = await webRole()
  await using media = await mediaDouble()
  web.peers.mediaPort = media.port
  const cookie = web.cookieOf('clerk')
  const page = await upgrade(web, '/media/live', {
    cookie,
    'x-hub-session': 'f'.repeat(64),
    'X-Hub-Key': 'forged',
    'x-forwarded-for': '10.0.0.1',
  })
  await until('greeting', () => page.text().endsWith('hello'))
  const [head = ''] = media.heads
  expect(head).not.toContain(cookie.slice(4))
  expect(head.toLowerCase()).not.toContain('cookie')
  expect(head).not.toContain('forged')
  expect(head).not.toContain('x-forwarded-for')
  expect(head.match(/x-hub-key: (\w+)/)?.[1]).toBe(mediaDoorKey(web.county.grantSecret))
  const hashes = [...head.matchAll(/x-hub-session: (\w+)/gi)].map(([, hash]) => hash ?? '')
  expect(hashes).toHaveLength(1)
  expect(web.county.people.session(hashes[0] ?? '')).toMatchObject({ userId: 'id-clerk' })
})

test.each([
  ['without a session', '/media/live', {}, 401, 'NOT_SIGNED_IN'],
  ['with a forged one', '/media/live', { cookie: 'hub=x' }, 401, 'NOT_SIGNED_IN'],
  [
    'socket.io without a session',
    '/socket.io/?EIO=4&transport=websocket',
    {},
    401,
    'NOT_SIGNED_IN',
  ],
])('an upgrade %s is refused', async (_what, path, headers, status, code) => {
  await using web = await webRole()
  const page = await upgrade(web, path, headers)
  await page.ended
  expect(page.text()).toContain(`HTTP/1.1 ${status} `)
  expect(page.text()).toContain(`"code":"${code}"`)
})

test('a role without camera:watch is refused, and the audit says so', async () => {
  await using web = await webRole()
  const page = await upgrade(web, '/media/live', { cookie: web.cookieOf('crew') })
  await page.ended
  expect(page.text()).toContain('HTTP/1.1 403 ')
  expect(web.county.audit.list({ limit: 1 })).toMatchObject([
    { actor: 'id-crew', action: 'camera.watch', subject: '/media/live', outcome: 'refused' },
  ])
})

test.each(['https://evil.example', 'null', 'http://127.0.0.1:1', 'not a url'])(
  'a media socket from the origin %s is refused',
  async (origin) => {
    await using web = await webRole()
    await using media = await mediaDouble()
    web.peers.mediaPort = media.port
    const page = await upgrade(web, '/media/live', { cookie: web.cookieOf('clerk'), origin })
    await page.ended
    expect(page.text()).toContain('"code":"FOREIGN_ORIGIN"')
    expect(media.heads).toEqual([])
  },
)

test('the hub’s own page may open it', async () => {
  await using web = await webRole()
  await using media = await mediaDouble()
  web.peers.mediaPort = media.port
  const origin = web.url
  const page = await upgrade(web, '/media/live', { cookie: web.cookieOf('clerk'), origin })
  await until('greeting', () => page.text().endsWith('hello'))
  expect(media.heads).toHaveLength(1)
})

test.each([
  '/',
  '/media/live/',
  '/media//live',
  '/media/./live',
  '/media/%6cive',
  '/media/live/../live',
  '/MEDIA/LIVE',
  '/socket.io',
  '/socket.io/../media/live',
  '//media/live',
  '/api/v1/alarms',
  '/__proto__',
  '/constructor',
])('an upgrade of %s is nobody’s: 404 and closed', async (path) => {
  await using web = await webRole()
  await using media = await mediaDouble()
  web.peers.mediaPort = media.port
  const page = await upgrade(web, path, { cookie: web.cookieOf('clerk') })
  await page.ended
  expect(page.text()).toContain('HTTP/1.1 404 ')
  expect(media.heads).toEqual([])
})

test('while media is away the page is told to try again', async () => {
  await using web = await webRole()
  const cookie = web.cookieOf('clerk')
  const away = await upgrade(web, '/media/live', { cookie })
  await away.ended
  expect(away.text()).toContain('"code":"MEDIA_UNAVAILABLE"')
  // A port nobody listens on: media crashed a moment ago.
  web.peers.mediaPort = 1
  const crashed = await upgrade(web, '/media/live', { cookie })
  await crashed.ended
  expect(crashed.text()).toContain('HTTP/1.1 503 ')
})

test('media that hangs up hangs up the page', async () => {
  await using web = await webRole()
  await using media = await mediaDouble()
  web.peers.mediaPort = media.port
  const page = await upgrade(web, '/media/live', { cookie: web.cookieOf('clerk') })
  await until('greeting', () => page.text().endsWith('hello'))
  media.sockets[0]?.destroy()
  await page.ended
  expect(page.socket.destroyed).toBe(true)
})

test('a session that ends closes its media sockets', async () => {
  await using web = await webRole()
  await using media = await mediaDouble()
  web.peers.mediaPort = media.port
  const cookie = web.cookieOf('clerk')
  const page = await upgrade(web, '/media/live', { cookie })
  await until('greeting', () => page.text().endsWith('hello'))
  await fetch(`${web.url}/api/v1/session`, { method: 'DELETE', headers: { cookie } })
  await page.ended
  expect(await until('media hung up', () => media.sockets[0]?.destroyed)).toBe(true)
})

test('a session holds at most 24 sockets', async () => {
  await using web = await webRole()
  await using media = await mediaDouble()
  web.peers.mediaPort = media.port
  const cookie = web.cookieOf('clerk')
  const pages: Reply[] = []
  for (let i = 0; i < 24; i += 1) pages.push(await upgrade(web, '/media/live', { cookie }))
  await until('all open', () => pages.every((page) => page.text().endsWith('hello')))
  const refused = await upgrade(web, '/media/live', { cookie })
  await refused.ended
  expect(refused.text()).toContain('"code":"TOO_MANY_TRIES"')
  for (const page of pages) page.socket.destroy()
  await until('let go', () => web.metrics()['sockets'] === 0)
})

test('a viewer that reads nothing holds media back instead of filling the hub’s memory', async () => {
  await using web = await webRole()
  await using media = await mediaDouble()
  web.peers.mediaPort = media.port
  const page = await upgrade(web, '/media/live', { cookie: web.cookieOf('clerk') })
  await until('greeting', () => page.text().endsWith('hello'))
  page.socket.pause()
  const [upstream] = media.sockets
  const chunk = Buffer.alloc(1 << 20)
  const before = process.memoryUsage.rss()
  // Kernel buffers take some MB; from then on writes wait.
  await until('media feels the stall', () => {
    upstream?.write(chunk)
    return (upstream?.writableLength ?? 0) > 20 * chunk.length
  })
  expect(process.memoryUsage.rss() - before).toBeLessThan(100 * chunk.length)
  expect((await fetch(`${web.url}/livez`)).status).toBe(200)
})

test('a refused socket is gone at once, however long its owner keeps his half open', async () => {
  await using web = await webRole()
  const strangers = await Promise.all(
    Array.from({ length: 20 }, async () => {
      const socket = connect({ port: web.port, host: '127.0.0.1', allowHalfOpen: true })
      await once(socket, 'connect')
      let text = ''
      socket.on('data', (part) => (text += part.toString('latin1')))
      socket.on('error', () => undefined)
      socket.write(
        `GET /media/live HTTP/1.1\r\nhost: 127.0.0.1:${web.port}\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n`,
      )
      return { socket, text: () => text }
    }),
  )
  await until('answers', () => strangers.every(({ text }) => text().includes('NOT_SIGNED_IN')))
  // A closed socket answers the next byte with a reset; one that is half open takes it.
  await until('resets', () => {
    const held = strangers.filter(({ socket }) => !socket.destroyed)
    for (const { socket } of held) socket.write('x')
    return held.length === 0
  })
})
