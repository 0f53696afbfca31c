import { once } from 'node:events'
import pino from 'pino'
import { expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { startMedia } from '../../hub/media/role.ts'
import { CameraGrant } from '../../hub/schema/api.ts'
import { LiveNotice } from '../../hub/schema/live.ts'
import { until } from '../support/until.ts'
import { deviceIn, villages } from '../support/web-county.ts'
import { webRole, type WebRole } from '../support/web-role.ts'

/** The real media role behind the real web role, over the same stores. */
async function mediaBehind(web: WebRole) {
  const { county, peers } = web
  const media = await startMedia({
    ...county,
    start: { settings: county.settings, grantSecret: county.grantSecret },
    metrics: { append: () => 0 },
    log: pino({ level: 'silent' }),
    // Nobody answers for the camera's address: this is about who may ask, not about pictures.
    lookup: () => Promise.reject(new Error('no such host')),
  })
  peers.mediaPort = media.ports.media ?? 0
  return {
    port: peers.mediaPort,
    metrics: () => media.metrics(),
    [Symbol.asyncDispose]: () => media.close(),
  }
}

async function livePage(web: WebRole, cookie: string) {
  const socket = new WebSocket(`ws://127.0.0.1:${web.port}/media/live`, { headers: { cookie } })
  const notices: LiveNotice[] = []
  socket.on('message', (data: Buffer) =>
    notices.push(LiveNotice.parse(JSON.parse(data.toString()))),
  )
  await once(socket, 'open')
  return {
    socket,
    notices,
    play: (tile: number, camera: string, grant: string) =>
      socket.send(JSON.stringify({ op: 'play', tile, camera, grant })),
  }
}

async function grantOf(web: WebRole, cookie: string, camera: string): Promise<string> {
  const url = `${web.url}/api/v1/cameras/${camera}/grant`
  const answer = await fetch(url, { method: 'POST', headers: { cookie } })
  return CameraGrant.parse(await answer.json()).grant
}

const camera = deviceIn(villages[0], 'camera')

test('a grant of the API opens a tile on the page of the same session', async () => {
  await using web = await webRole()
  await using media = await mediaBehind(web)
  const cookie = web.cookieOf('clerk')
  const page = await livePage(web, cookie)
  page.play(3, camera, await grantOf(web, cookie, camera))
  const first = await until('a notice', () => page.notices[0])
  expect(first).toMatchObject({ tile: 3, state: 'connecting' })
  expect(media.metrics()).toMatchObject({ media_sockets: 1, media_refused_total: 0 })
  page.socket.terminate()
})

test('the same grant is refused on the page of another session, also of the same person', async () => {
  await using web = await webRole()
  await using media = await mediaBehind(web)
  const grant = await grantOf(web, web.cookieOf('clerk'), camera)
  for (const name of ['clerk', 'officer', 'supervisor']) {
    const page = await livePage(web, web.cookieOf(name))
    page.play(0, camera, grant)
    expect(await until('a notice', () => page.notices[0])).toMatchObject({ state: 'refused' })
    page.socket.terminate()
  }
  expect(media.metrics()).toMatchObject({ media_sources: 0, media_refused_total: 3 })
})

test('a grant for one camera opens no other', async () => {
  await using web = await webRole()
  await using media = await mediaBehind(web)
  const cookie = web.cookieOf('officer')
  const page = await livePage(web, cookie)
  page.play(0, deviceIn(villages[1], 'camera'), await grantOf(web, cookie, camera))
  expect(await until('a notice', () => page.notices[0])).toMatchObject({ state: 'refused' })
  expect(media.metrics()).toMatchObject({ media_sources: 0 })
  page.socket.terminate()
})

test('signing out closes the page’s pictures', async () => {
  await using web = await webRole()
  await using media = await mediaBehind(web)
  const cookie = web.cookieOf('clerk')
  const page = await livePage(web, cookie)
  const closed = once(page.socket, 'close')
  await fetch(`${web.url}/api/v1/session`, { method: 'DELETE', headers: { cookie } })
  await closed
  await until('media let go', () => media.metrics()['media_sockets'] === 0)
  expect(page.socket.readyState).toBe(WebSocket.CLOSED)
})

test('who knocks at media’s own port without web’s key is refused', async () => {
  await using web = await webRole()
  await using media = await mediaBehind(web)
  const session = 'a'.repeat(64)
  const socket = new WebSocket(`ws://127.0.0.1:${media.port}/media/live`, {
    headers: { cookie: web.cookieOf('clerk'), 'x-hub-session': session, 'x-hub-key': 'guess' },
  })
  const error = new Promise<Error>((resolve) => socket.once('error', resolve))
  expect((await error).message).toContain('403')
})
