import { createServer, type Server } from 'node:http'
import { connect, type AddressInfo } from 'node:net'
import { fileURLToPath } from 'node:url'
import { chromium, type Browser, type Page } from 'playwright-core'
import { build } from 'vite'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { TileState } from '../../console/src/lib/media/player.ts'
import { mediaDoorKey, mediaHeaders } from '../../hub/rules/grant.ts'
import { gstRtsp } from '../support/gst-rtsp.ts'
import { grantFor, grantSecret, mediaRole, sessionA } from '../support/media-role.ts'
import { until } from '../support/until.ts'

const flags = [
  '--headless --no-sandbox --disable-gpu --disable-background-networking',
  '--disable-component-update --disable-sync',
].flatMap((line) => line.split(' '))

/** The player as the console ships it, for a bare page. */
async function bundlePlayer(): Promise<string> {
  const entry = fileURLToPath(new URL('../../console/src/lib/media/player.ts', import.meta.url))
  const built = await build({
    configFile: false,
    logLevel: 'error',
    build: {
      write: false,
      target: 'chrome109',
      lib: { entry, formats: ['es'], fileName: 'player' },
    },
  })
  const [output] = Array.isArray(built) ? built : [built]
  if (!output || !('output' in output)) throw new Error('no bundle')
  return output.output[0].code
}

const html = `<!doctype html><meta charset="utf-8"><title>wall</title><body>
<script type="module">
import { livePlayer } from '/player.js'
const grants = (camera) => fetch('/grant/' + camera).then((answer) => answer.text())
const player = livePlayer({ url: 'ws://' + location.host + '/media/live', getGrant: grants })
window.tiles = new Map()
window.show = (camera) => {
  const video = document.createElement('video')
  video.width = 160
  document.body.append(video)
  const tile = { video, states: [], since: performance.now(), firstMs: undefined, sockets: 0 }
  video.requestVideoFrameCallback(() => (tile.firstMs = performance.now() - tile.since))
  tile.playing = player.play({ camera, video, onState: (state) => tile.states.push({ ...state, at: performance.now() }) })
  window.tiles.set(camera, tile)
}
window.pixels = (camera) => {
  const { video } = window.tiles.get(camera)
  const canvas = new OffscreenCanvas(64, 48)
  const context = canvas.getContext('2d')
  context.drawImage(video, 0, 0, 64, 48)
  const { data } = context.getImageData(0, 0, 64, 48)
  let hash = 0
  let bright = 0
  for (const value of data) {
    hash = (hash * 31 + value) | 0
    if (value > 200) bright++
  }
  return { hash, bright, time: video.currentTime }
}
window.ready = true
</script>`

/** What web does for media: the page, grants, and the upgrade passed on with the two headers. */
async function frontDoor(mediaPort: number, player: string): Promise<Server> {
  const server = createServer((request, response) => {
    const camera = /^\/grant\/(.+)$/.exec(request.url ?? '')?.[1]
    if (camera) return void response.end(grantFor(camera))
    const script = request.url === '/player.js'
    response.setHeader('content-type', script ? 'text/javascript' : 'text/html')
    response.end(script ? player : html)
  })
  server.on('upgrade', (request, socket, head) => {
    const upstream = connect(mediaPort, '127.0.0.1', () => {
      const lines = Object.entries(request.headers).map(
        ([name, value]) => `${name}: ${String(value)}`,
      )
      lines.push(
        `${mediaHeaders.key}: ${mediaDoorKey(grantSecret)}`,
        `${mediaHeaders.session}: ${sessionA}`,
      )
      upstream.write(`GET /media/live HTTP/1.1\r\n${lines.join('\r\n')}\r\n\r\n`)
      upstream.write(head)
      upstream.pipe(socket).pipe(upstream)
    })
    upstream.on('error', () => socket.destroy())
    socket.on('error', () => upstream.destroy())
    socket.on('close', () => upstream.destroy())
  })
  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  return server
}

interface TestTile {
  states: (TileState & { at: number })[]
  firstMs?: number
}
declare global {
  interface Window {
    ready?: boolean
    tiles: Map<string, TestTile>
    show: (camera: string) => void
    pixels: (camera: string) => { hash: number; bright: number; time: number }
  }
}

const lastState = (page: Page, camera: string) =>
  page.evaluate((id) => window.tiles.get(id)?.states.at(-1), camera)
const pixels = (page: Page, camera: string) => page.evaluate((id) => window.pixels(id), camera)

/** Waits until two looks at a tile differ and neither is empty. */
async function moving(page: Page, camera: string) {
  const first = await until(`${camera} shows something`, async () => {
    const seen = await pixels(page, camera)
    return seen.bright > 0 && seen.time > 0 ? seen : undefined
  })
  return until(`${camera} moves`, async () => (await pixels(page, camera)).hash !== first.hash)
}

describe('a wall in Chromium, over cameras nobody here wrote', () => {
  let browser: Browser
  let page: Page
  let media: Awaited<ReturnType<typeof mediaRole>>
  let door: Server
  let one: Awaited<ReturnType<typeof gstRtsp>>
  let two: Awaited<ReturnType<typeof gstRtsp>>
  let sockets = 0

  beforeAll(async () => {
    const secured = { user: 'admin', password: 'ca"nary\\9' }
    one = await gstRtsp({ ...secured, auth: 'digest', gop: 25 })
    two = await gstRtsp({ gop: 25, mounts: 16 })
    const many = Array.from({ length: 16 }, (_, index) => [
      `wall-${index}`,
      { url: two.url.replace('cam0', `cam${index}`) },
    ])
    media = await mediaRole({ secured: { url: one.url, ...secured }, ...Object.fromEntries(many) })
    door = await frontDoor(media.port, await bundlePlayer())
    browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: flags })
    page = await browser.newPage()
    page.on('websocket', () => sockets++)
    await page.goto(`http://127.0.0.1:${(door.address() as AddressInfo).port}/`)
    await page.waitForFunction(() => window.ready)
  })

  afterAll(async () => {
    await browser.close()
    door.closeAllConnections()
    door.close()
    await media.role.close()
    await Promise.all([one.kill(), two.kill()])
  })

  test('decoded pixels change, and the latency shown is below 1.5 s', async () => {
    await page.evaluate(() => window.show('secured'))
    await moving(page, 'secured')
    const state = await until('live with a latency', async () => {
      const now = await lastState(page, 'secured')
      return now?.state === 'live' && now.latencyMs !== null ? now : undefined
    })
    expect(state.codec).toMatch(/^avc1\.42c0/)
    expect(state.latencyMs).toBeLessThan(1_500)
    const first = await page.evaluate(() => window.tiles.get('secured')?.firstMs)
    process.stdout.write(`first picture, cold pull: ${first?.toFixed(0)} ms\n`)
  })

  test('a frozen camera is marked stalled with its age within 5 s, though its socket stays open', async () => {
    one.freeze()
    const frozenAt = performance.now()
    const state = await until('stalled', async () => {
      const now = await lastState(page, 'secured')
      return now?.state === 'stalled' && now
    })
    const afterMs = performance.now() - frozenAt
    one.thaw()
    expect(afterMs).toBeGreaterThan(3_300)
    expect(afterMs).toBeLessThan(5_000)
    expect(state.ageMs).toBeGreaterThanOrEqual(3_400)
    await until('live again', async () => (await lastState(page, 'secured'))?.state === 'live')
    await moving(page, 'secured')
  })

  test('a killed camera is stalled within 5 s, then offline, and live when it returns', async () => {
    await one.kill()
    const killedAt = performance.now()
    const state = await until('stalled', async () => {
      const now = await lastState(page, 'secured')
      return now?.state === 'stalled' && now
    })
    expect(performance.now() - killedAt).toBeLessThan(5_000)
    expect(state.ageMs).toBeGreaterThanOrEqual(3_400)
    const offline = await until('offline', async () => {
      const now = await lastState(page, 'secured')
      return now?.state === 'offline' && now
    })
    expect(offline.message).toBe('unreachable')
    expect(offline.ageMs).toBeGreaterThanOrEqual(7_900)
    one = await gstRtsp({ user: 'admin', password: 'ca"nary\\9', port: one.port })
    await until(
      'live again',
      async () => (await lastState(page, 'secured'))?.state === 'live',
      40_000,
    )
    await moving(page, 'secured')
  })

  test('16 tiles move over the same one connection', async () => {
    const cameras = Array.from({ length: 16 }, (_, index) => `wall-${index}`)
    await page.evaluate((ids) => ids.forEach((id) => window.show(id)), cameras)
    for (const camera of cameras) await moving(page, camera)
    const firsts = await page.evaluate(() =>
      [...window.tiles.values()].slice(1).map((tile) => tile.firstMs ?? Number.NaN),
    )
    const sorted = firsts.toSorted((a, b) => a - b)
    process.stdout.write(`first picture, 16 tiles at once: median ${sorted[8]?.toFixed(0)} ms\n`)
    expect(sockets).toBe(1)
    expect(media.role.metrics().media_sockets).toBe(1)
  })

  test('a hidden tab stops its tiles and shows them again within 1 s', async () => {
    const hide = (hidden: boolean) =>
      page.evaluate((value) => {
        Object.defineProperty(document, 'hidden', { value, configurable: true })
        document.dispatchEvent(new Event('visibilitychange'))
      }, hidden)
    await hide(true)
    await until('no tile watched', () => media.role.metrics().media_tiles === 0)
    // What was buffered still plays; then the picture stands.
    let before = await pixels(page, 'wall-3')
    await until('the picture stands', async () => {
      await page.waitForTimeout(200)
      const now = await pixels(page, 'wall-3')
      const stands = now.hash === before.hash
      before = now
      return stands
    })
    await hide(false)
    const shownAt = performance.now()
    await until('a new picture', async () => {
      const now = await pixels(page, 'wall-3')
      return now.bright > 0 && now.hash !== before.hash
    })
    expect(performance.now() - shownAt).toBeLessThan(1_000)
  })

  test("the camera's password stands in no log line", () => {
    expect(JSON.stringify(media.lines)).not.toContain('nary')
  })
})
