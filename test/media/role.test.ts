import { spawnSync } from 'node:child_process'
import { request } from 'node:http'
import { connect } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { mediaDoorKey, mediaHeaders } from '../../hub/rules/grant.ts'
import { liveFrame } from '../../hub/schema/live.ts'
import { h264Sample } from '../support/h264-sample.ts'
import {
  grantFor,
  grantSecret,
  livePage,
  mediaRole,
  sessionA,
  sessionB,
  type TestCamera,
} from '../support/media-role.ts'
import { probe } from '../support/mux-sample.ts'
import { faultyRtsp, type FaultyOptions } from '../support/rtsp-faulty.ts'
import { until } from '../support/until.ts'

const pictures = h264Sample({ frames: 50, gop: 10 })
const other = h264Sample({ width: 640, height: 360, frames: 50, gop: 10 })
const ends: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

async function camera(options: FaultyOptions = {}) {
  const faulty = await faultyRtsp({ pictures, fps: 50, ...options })
  ends.push(faulty.close)
  return faulty
}

async function hub(cameras: Record<string, TestCamera>, networks?: string) {
  const media = await mediaRole(cameras, networks)
  ends.unshift(() => media.role.close())
  return media
}

async function page(port: number, session?: string) {
  const opened = await livePage(port, session)
  ends.unshift(() => opened.socket.terminate())
  return opened
}

describe('the live door', () => {
  test('keeps nothing of a stranger who does not end his side', async () => {
    const { port } = await hub({})
    const stranger = connect({ port, host: '127.0.0.1', allowHalfOpen: true })
    ends.unshift(() => void stranger.destroy())
    let text = ''
    stranger.on('data', (part) => (text += part.toString('latin1')))
    stranger.on('error', () => undefined)
    stranger.write(
      'GET /media/live HTTP/1.1\r\nhost: x\r\nconnection: Upgrade\r\nupgrade: websocket\r\n\r\n',
    )
    await until('the refusal', () => text.includes('403 Forbidden'))
    // A closed socket answers the next byte with a reset; one that is half open takes it.
    await until('the end', () => stranger.destroyed || (stranger.write('x'), false))
  })

  const upgrade = (port: number, path: string, headers: Record<string, string>) =>
    new Promise<number>((resolve, reject) => {
      const asked = request({ port, path, host: '127.0.0.1' })
      const all = {
        connection: 'Upgrade',
        upgrade: 'websocket',
        'sec-websocket-key': 'dGhlIHNhbXBsZSBub25jZQ==',
        'sec-websocket-version': '13',
        ...headers,
      }
      for (const [name, value] of Object.entries(all)) asked.setHeader(name, value)
      asked.on('response', (response) => resolve(response.statusCode ?? 0))
      asked.on('upgrade', (_response, socket) => {
        socket.destroy()
        resolve(101)
      })
      asked.on('error', reject)
      asked.end()
    })
  const key = mediaDoorKey(grantSecret)

  test.each([
    [
      'web, with a session',
      '/media/live',
      { [mediaHeaders.key]: key, [mediaHeaders.session]: 's' },
      101,
    ],
    ['web, without a session', '/media/live', { [mediaHeaders.key]: key }, 403],
    ['another program', '/media/live', { [mediaHeaders.session]: 's' }, 403],
    [
      'another program that guesses',
      '/media/live',
      { [mediaHeaders.key]: key.replace(/^./, 'x'), [mediaHeaders.session]: 's' },
      403,
    ],
    ['another path', '/media/other', { [mediaHeaders.key]: key, [mediaHeaders.session]: 's' }, 404],
  ])('%s at %s gets %j: %i', async (_who, path, headers, status) => {
    const { port } = await hub({})
    expect(await upgrade(port, path, headers)).toBe(status)
  })

  test('it listens on loopback only', async () => {
    const { port } = await hub({})
    const listening = spawnSync('sh', ['-c', 'cat /proc/net/tcp /proc/net/tcp6']).stdout.toString()
    const hex = port.toString(16).toUpperCase().padStart(4, '0')
    const found = [...listening.matchAll(new RegExp(`([0-9A-F]+):${hex} [0-9A-F]+:0000 0A`, 'g'))]
    expect(found.map((each) => each[1])).toEqual(['0100007F'])
  })
})

describe('watching', () => {
  test('one socket carries several tiles, one pull serves every page', async () => {
    const one = await camera()
    const two = await camera({ pictures: other })
    const { port, role } = await hub({ a: { url: one.url }, b: { url: two.url } })
    const first = await page(port)
    const second = await page(port, sessionB)
    first.play(0, 'a')
    first.play(7, 'b')
    second.play(3, 'a')
    await Promise.all([first.live(0), first.live(7), second.live(3)])
    expect(one.connections()).toBe(1)
    expect(first.lastOf(7)).toMatchObject({ state: 'live', message: null })
    expect(first.lastOf(7)?.codec).toMatch(/^avc1\.42c0/)
    expect(role.metrics()).toMatchObject({ media_sources: 2, media_sockets: 2, media_tiles: 3 })
  })

  test('what a tile receives is a file ffmpeg decodes without an error', async () => {
    const one = await camera()
    const { port } = await hub({ a: { url: one.url } })
    const viewer = await page(port)
    const sentAt = Date.now()
    viewer.play(9, 'a')
    await until('60 pictures', () => viewer.messages.length > 60)
    const file = Buffer.concat(viewer.messages.slice(0, 51).map((message) => message.subarray(10)))
    expect(probe(file)).toMatchObject({ frames: 50, errors: '' })
    expect(viewer.messages[0]?.[1]).toBe(liveFrame.init)
    expect(viewer.messages[1]?.[1]).toBe(liveFrame.key)
    expect(viewer.messages[1]?.readDoubleBE(2)).toBeGreaterThanOrEqual(sentAt)
  })

  test('who stops gets nothing more', async () => {
    const one = await camera()
    const { port } = await hub({ a: { url: one.url } })
    const [first, second] = [await page(port), await page(port)]
    first.play(0, 'a')
    second.play(0, 'a')
    await Promise.all([first.live(0), second.live(0)])
    first.stop(0)
    first.play(1, 'none')
    await until('the refusal behind the stop', () => first.lastOf(1)?.state === 'refused')
    const had = first.messages.length
    const others = second.messages.length
    await until('more for the other page', () => second.messages.length > others + 20)
    expect(first.messages.length).toBe(had)
  })

  test('each active camera leaves a stream point with its rates', async () => {
    const one = await camera()
    const { port, points } = await hub({ a: { url: one.url } })
    const viewer = await page(port)
    viewer.play(0, 'a')
    await until('three points', () => points.length >= 3)
    const [point] = points.slice(-1)
    expect(point).toMatchObject({ series: 'stream', deviceId: 'a', kind: 'camera' })
    expect(point?.fields).toMatchObject({ lost: 0, viewers: 1, state: 'live' })
    expect(point?.fields['fps']).toBeGreaterThan(30)
    expect(point?.fields['fps']).toBeLessThan(60)
    expect(point?.fields['bitrateKbps']).toBeGreaterThan(100)
  })

  test('a camera that drops comes back by itself', async () => {
    const one = await camera()
    const { port } = await hub({ a: { url: one.url } })
    const viewer = await page(port)
    viewer.play(0, 'a')
    await viewer.live(0)
    one.cut()
    await until('a second connection', () => one.connections() === 2)
    const had = viewer.messages.length
    await until('more pictures', () => viewer.messages.length > had + 10)
    expect(viewer.notices.some((notice) => notice.state === 'offline')).toBe(false)
  })

  test('a wrong password is said in a code and stands in no log', async () => {
    const digest = { user: 'admin', password: 'right', algorithm: 'SHA-256' as const }
    const one = await camera({ digest })
    const media = await hub({ a: { url: one.url, user: 'admin', password: 'canary-4711' } })
    const viewer = await page(media.port)
    viewer.play(0, 'a')
    await until('offline', () => viewer.lastOf(0)?.message === 'wrong-password')
    expect(JSON.stringify(media.lines)).not.toContain('canary-4711')
    const view = media.cameras['a']
    if (view) view.password = 'right'
    media.hint('registry')
    await viewer.live(0)
  })

  test('a camera that moved is pulled at its new address, even when the hint was lost', async () => {
    const [one, two] = [await camera(), await camera({ pictures: other })]
    const media = await hub({ a: { url: one.url } })
    const viewer = await page(media.port)
    viewer.play(0, 'a')
    await viewer.live(0)
    media.cameras['a'] = { url: two.url }
    await until('the other camera', () => viewer.of(0, liveFrame.init).length === 2)
    await until('the first left', () => one.requests.at(-1)?.method === 'TEARDOWN')
    expect(two.connections()).toBe(1)
  })

  test('a camera at a closed address is refused without one packet', async () => {
    const one = await camera()
    const { port } = await hub({ a: { url: one.url } }, '')
    const viewer = await page(port)
    viewer.play(0, 'a')
    await until('offline', () => viewer.lastOf(0)?.message === 'not-allowed-address')
    expect(one.connections()).toBe(0)
  })

  test('a bad list of networks stops the start and is named', async () => {
    await expect(mediaRole({}, '10.0.0.0/8,cameras')).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      message: expect.stringContaining("'cameras'"),
    })
  })
})

describe('leave to watch', () => {
  test('a grant copied into another session is refused, and no picture comes', async () => {
    const one = await camera()
    const { port, role } = await hub({ a: { url: one.url } })
    const thief = await page(port, sessionB)
    thief.play(0, 'a', grantFor('a', sessionA))
    await until('refused', () => thief.lastOf(0)?.state === 'refused')
    expect(thief.lastOf(0)?.message).toBe('grant-foreign')
    expect(thief.messages).toEqual([])
    expect(one.connections()).toBe(0)
    expect(role.metrics().media_refused_total).toBe(1)
  })

  test.each([
    ['named in the hint', sessionA, false],
    ['gone from the store', '', true],
  ])('a session %s loses its sockets, the others stay', async (_name, body, remove) => {
    const one = await camera()
    const { port, hint, sessions } = await hub({ a: { url: one.url } })
    const [ended, stays] = [await page(port, sessionA), await page(port, sessionB)]
    ended.play(0, 'a')
    stays.play(0, 'a')
    await Promise.all([ended.live(0), stays.live(0)])
    if (remove) sessions.delete(sessionA)
    hint('sessions', body)
    await until('closed', () => ended.closed() === 4401)
    const had = stays.messages.length
    await until('more for the other', () => stays.messages.length > had + 5)
    expect(stays.closed()).toBeUndefined()
  })
})
