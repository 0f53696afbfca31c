import { describe, expect, test } from 'vitest'
import { liveMessage } from '../../hub/media/live/message.ts'
import type { Viewer } from '../../hub/media/live/source.ts'
import { liveWall, queueCap, type WallCounts } from '../../hub/media/live/wall.ts'
import { grantLifeMs, grantRunMs, makeGrant } from '../../hub/rules/grant.ts'
import { liveFrame, type LiveNotice } from '../../hub/schema/live.ts'
import { fakeClock } from '../support/fake-clock.ts'

function setUp() {
  const clock = fakeClock()
  const counts: WallCounts = { sentBytes: 0, sentFrames: 0, skippedFrames: 0, refused: 0 }
  const sent: Buffer[] = []
  const notices: LiveNotice[] = []
  const watched: { camera: string; viewer: Viewer; left: boolean }[] = []
  const socket = {
    bufferedAmount: 0,
    closed: 0,
    send(data: unknown) {
      if (typeof data === 'string') notices.push(JSON.parse(data) as LiveNotice)
      else if (Buffer.isBuffer(data)) sent.push(data)
    },
    close: (code?: number) => void (socket.closed = code ?? 1000),
  }
  const wall = liveWall({
    socket,
    session: 's',
    grantSecret: 'k',
    clock,
    counts,
    watch(camera, viewer) {
      if (camera === 'gone') return undefined
      const entry = { camera, viewer, left: false }
      watched.push(entry)
      return () => void (entry.left = true)
    },
  })
  const grant = (camera: string) =>
    makeGrant({ camera, session: 's', from: clock.now(), exp: clock.now() + grantLifeMs }, 'k')
  const play = (tile: number, camera: string, token = grant(camera)) =>
    wall.asked(JSON.stringify({ op: 'play', tile, camera, grant: token }))
  return { clock, counts, sent, notices, watched, socket, wall, grant, play }
}

const frame = (key: boolean) =>
  liveMessage(Buffer.alloc(1_000), key ? liveFrame.key : liveFrame.delta, 1)

describe("a page's wall", () => {
  test('a page that does not read costs its cap and then nothing, and goes on at a key picture', () => {
    const { watched, socket, sent, counts, play } = setUp()
    play(0, 'a')
    const viewer = watched[0]?.viewer
    viewer?.frame(frame(true), false)
    socket.bufferedAmount = queueCap.base + queueCap.perTile
    for (let each = 0; each < 1_000; each++) viewer?.frame(frame(each % 50 === 49), false)
    expect(sent.length).toBe(1)
    expect(counts.skippedFrames).toBe(1_000)
    socket.bufferedAmount = queueCap.base
    viewer?.frame(frame(true), false)
    expect(sent.length).toBe(1)
    socket.bufferedAmount = 0
    viewer?.frame(frame(false), false)
    expect(sent.length).toBe(1)
    viewer?.frame(frame(true), false)
    viewer?.frame(frame(false), false)
    expect(sent.length).toBe(3)
  })

  test('a change of picture size waits for its key picture', () => {
    const { watched, sent, play } = setUp()
    play(0, 'a')
    watched[0]?.viewer.init(liveMessage(Buffer.alloc(100), liveFrame.init, 1))
    watched[0]?.viewer.frame(frame(false), false)
    expect(sent.length).toBe(1)
  })

  test('a fresh grant for the same camera renews the tile and the picture goes on', () => {
    const { clock, watched, notices, wall, play } = setUp()
    play(5, 'a')
    clock.advance(grantRunMs - 1_000)
    play(5, 'a')
    clock.advance(2_000)
    wall.expire()
    expect(watched.length).toBe(1)
    expect(watched[0]?.left).toBe(false)
    expect(notices).toEqual([])
  })

  test('a tile that shows no fresh grant within 8 h ends and says why', () => {
    const { clock, watched, notices, wall, play } = setUp()
    play(5, 'a')
    clock.advance(grantRunMs)
    wall.expire()
    expect(watched[0]?.left).toBe(true)
    expect(notices).toEqual([
      expect.objectContaining({ tile: 5, state: 'refused', message: 'grant-expired' }),
    ])
    expect(wall.tiles()).toBe(0)
  })

  test('a grant older than a minute starts nothing', () => {
    const { clock, watched, notices, grant, play } = setUp()
    const token = grant('a')
    clock.advance(grantLifeMs)
    play(0, 'a', token)
    expect(watched).toEqual([])
    expect(notices.at(-1)).toMatchObject({ state: 'refused', message: 'grant-expired' })
  })

  test('a refused renewal ends the picture that ran', () => {
    const { watched, play } = setUp()
    play(0, 'a')
    play(0, 'a', 'forged.grant')
    expect(watched[0]?.left).toBe(true)
  })

  test('another camera in the same tile leaves the first', () => {
    const { watched, wall, play } = setUp()
    play(0, 'a')
    play(0, 'b')
    expect(watched.map(({ camera, left }) => [camera, left])).toEqual([
      ['a', true],
      ['b', false],
    ])
    expect(wall.tiles()).toBe(1)
  })

  test('an unknown camera is refused', () => {
    const { notices, wall, play } = setUp()
    play(0, 'gone')
    expect(notices.at(-1)).toMatchObject({ state: 'refused', message: 'unknown-camera' })
    expect(wall.tiles()).toBe(0)
  })

  test.each(['', '{', '{"op":"play"}', '{"op":"stop","tile":64}', '{"op":"exec","tile":1}', '[]'])(
    'the request %j closes the socket',
    (text) => {
      const { socket, wall } = setUp()
      wall.asked(text)
      expect(socket.closed).toBe(1008)
    },
  )

  test('a page that floods requests is closed', () => {
    const { socket, wall } = setUp()
    for (let each = 0; each < 200; each++) wall.asked('{"op":"stop","tile":1}')
    expect(socket.closed).toBe(0)
    wall.asked('{"op":"stop","tile":1}')
    expect(socket.closed).toBe(1008)
  })

  test('a page that goes away leaves every camera', () => {
    const { watched, wall, play } = setUp()
    play(0, 'a')
    play(1, 'b')
    wall.close()
    expect(watched.every(({ left }) => left)).toBe(true)
  })
})
