import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest'
import { StreamFault, faultCodes } from '../../hub/media/fault.ts'
import { groupOfPictures } from '../../hub/media/live/gop.ts'
import { liveMessage } from '../../hub/media/live/message.ts'
import { liveSource, type SourceNotice, type Viewer } from '../../hub/media/live/source.ts'
import { pictureState, retryMs } from '../../hub/media/live/state.ts'
import type { RtspListener } from '../../hub/media/rtsp/client.ts'
import { liveFrame } from '../../hub/schema/live.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { h264Sample } from '../support/h264-sample.ts'
import { packetize } from '../support/rtsp-packets.ts'
import { keptLog } from '../support/store-log.ts'

const pictures = h264Sample({ frames: 10, gop: 5 })

/** A camera in the test's hand: each pull is a listener to speak to. */
function setUp() {
  const clock = fakeClock()
  const pulls: { listener: RtspListener; closed: boolean; url: string }[] = []
  let idle = 0
  const source = liveSource({
    camera: 'cam-1',
    target: { url: 'rtsp://10.0.0.1/a', credential: undefined },
    clock,
    random: () => 0.5,
    log: keptLog().log,
    idle: () => void idle++,
    pull: ({ url }, listener) => {
      const entry = { listener, closed: false, url }
      pulls.push(entry)
      return { report: () => undefined, close: () => void (entry.closed = true) }
    },
  })
  const state = { sequence: 0, timestamp: 0, ssrc: 1 }
  let sent = 0
  return {
    clock,
    pulls,
    source,
    idle: () => idle,
    track: () =>
      pulls.at(-1)?.listener.track({
        control: undefined,
        payloadType: 96,
        clockRate: 90_000,
        parameterSets: [],
        frameRate: undefined,
      }),
    /** Sends the next `count` pictures in one go. */
    send: (count: number) => {
      for (let each = 0; each < count; each++) {
        const picture = pictures[sent++ % pictures.length] ?? []
        for (const packet of packetize(picture, state)) pulls.at(-1)?.listener.rtp(packet)
        state.timestamp += 3_600
      }
    },
    /** Lets time pass, timers included. */
    pass: (ms: number) => {
      for (let each = 0; each < ms; each += 250) {
        clock.advance(250)
        vi.advanceTimersByTime(250)
      }
    },
  }
}

function viewer() {
  const notices: SourceNotice[] = []
  const frames: { key: boolean; burst: boolean }[] = []
  let inits = 0
  const self: Viewer = {
    notice: (notice) => void notices.push(notice),
    init: () => void inits++,
    frame: ({ key }, burst) => void frames.push({ key, burst }),
  }
  return { self, notices, frames, inits: () => inits }
}

describe('a camera that is watched', () => {
  beforeEach(() => void vi.useFakeTimers())
  afterEach(() => void vi.useRealTimers())

  test('nothing is pulled before somebody watches, and one pull serves all', () => {
    const { pulls, source } = setUp()
    expect(pulls.length).toBe(0)
    source.join(viewer().self)
    source.join(viewer().self)
    expect(pulls.length).toBe(1)
  })

  test('who joins a running camera gets the group of pictures at once, key picture first', () => {
    const { source, track, send } = setUp()
    source.join(viewer().self)
    track()
    send(8)
    const late = viewer()
    source.join(late.self)
    expect(late.inits()).toBe(1)
    expect(late.notices.map((notice) => notice.state)).toEqual(['live'])
    expect(late.frames).toEqual([
      { key: true, burst: true },
      { key: false, burst: true },
      { key: false, burst: true },
    ])
  })

  test('it says connecting, live, stalled at 3.5 s, offline at 8 s with the cause, then live again', () => {
    const { source, clock, pulls, track, send, pass } = setUp()
    const one = viewer()
    source.join(one.self)
    track()
    send(3)
    const lastFrameAt = clock.now()
    pass(3_250)
    expect(one.notices.at(-1)?.state).toBe('live')
    pass(250)
    expect(one.notices.at(-1)).toMatchObject({ state: 'stalled', lastFrameAt })
    pass(4_500)
    expect(one.notices.at(-1)).toMatchObject({ state: 'offline', message: 'timeout', lastFrameAt })
    expect(pulls[0]?.closed).toBe(true)
    pass(1_000)
    expect(pulls.length).toBe(2)
    track()
    send(5)
    expect(one.notices.at(-1)?.state).toBe('live')
    expect(one.notices.map((notice) => notice.state)).toEqual([
      'connecting',
      'connecting',
      'live',
      'stalled',
      'offline',
      'live',
    ])
  })

  test('packets that never become a picture do not count as life', () => {
    const { source, pulls, track, pass } = setUp()
    const one = viewer()
    source.join(one.self)
    track()
    for (let second = 0; second < 8; second++) {
      pulls[0]?.listener.rtp(Buffer.alloc(1_400, 0x80))
      pulls[0]?.listener.rtp(Buffer.alloc(65_000, second))
      pass(1_000)
    }
    expect(pulls[0]?.closed).toBe(true)
    expect(one.notices.at(-1)).toMatchObject({ state: 'offline', message: 'timeout' })
  })

  test('the pull ends 30 s after the last viewer left, not before', () => {
    const { source, pulls, idle, track, send, pass } = setUp()
    const leave = source.join(viewer().self)
    track()
    leave()
    for (let second = 0; second < 29; second++) {
      send(1)
      pass(1_000)
    }
    expect(pulls[0]?.closed).toBe(false)
    pass(1_000)
    expect(pulls[0]?.closed).toBe(true)
    expect(idle()).toBe(1)
  })

  test('a viewer who comes back within 30 s keeps the pull', () => {
    const { source, pulls, track, send, pass } = setUp()
    source.join(viewer().self)()
    track()
    pass(7_000)
    send(5)
    source.join(viewer().self)
    for (let second = 0; second < 40; second++) {
      send(1)
      pass(1_000)
    }
    expect(pulls.length).toBe(1)
    expect(pulls[0]?.closed).toBe(false)
  })

  test('a new password is tried at once, an old one at most once a minute', () => {
    const { source, pulls, pass } = setUp()
    const one = viewer()
    source.join(one.self)
    pulls[0]?.listener.ended(new StreamFault('wrong-password', 'x'))
    expect(one.notices.at(-1)).toMatchObject({ state: 'offline', message: 'wrong-password' })
    pass(59_000)
    expect(pulls.length).toBe(1)
    source.retarget({ url: 'rtsp://10.0.0.1/b', credential: { user: 'a', password: 'b' } })
    expect(pulls.map((pull) => pull.url)).toEqual(['rtsp://10.0.0.1/a', 'rtsp://10.0.0.1/b'])
  })

  test('a camera whose codec no browser plays says so', () => {
    const { source, pulls } = setUp()
    const one = viewer()
    source.join(one.self)
    pulls[0]?.listener.ended(new StreamFault('codec-unsupported', 'H265'))
    expect(one.notices.at(-1)).toMatchObject({ state: 'codec', message: 'codec-unsupported' })
  })

  test('a camera that left the registry is told to its viewers and pulled no more', () => {
    const { source, pulls, pass, idle } = setUp()
    const one = viewer()
    const leave = source.join(one.self)
    source.remove()
    expect(one.notices.at(-1)).toMatchObject({ state: 'offline', message: 'no-such-channel' })
    leave()
    pass(60_000)
    expect(pulls).toEqual([expect.objectContaining({ closed: true })])
    expect(idle()).toBe(1)
  })

  test('what was received is counted over reconnects', () => {
    const { source, pulls, track, send, pass } = setUp()
    source.join(viewer().self)
    track()
    send(5)
    pulls[0]?.listener.ended(new StreamFault('unreachable', 'x'))
    pass(1_000)
    track()
    send(5)
    expect(source.stats()).toMatchObject({ frames: 10, reconnects: 1, viewers: 1, state: 'live' })
  })
})

describe('verdicts and waits', () => {
  const fault = new StreamFault('unreachable', 'x')
  test.each([
    [undefined, undefined, 'connecting'],
    [undefined, fault, 'offline'],
    [0, undefined, 'live'],
    [3_499, fault, 'live'],
    [3_500, undefined, 'stalled'],
    [7_999, fault, 'stalled'],
    [8_000, fault, 'offline'],
    [9_000, undefined, 'stalled'],
    [0, new StreamFault('codec-unsupported', 'x'), 'codec'],
  ])('age %s, fault %s: %s', (ageMs, cause, state) => {
    expect(pictureState({ ageMs, fault: cause })).toBe(state)
  })

  test.each(faultCodes)('waits after %s grow, stay bounded and are jittered', (code) => {
    const waits = [0, 1, 2, 5, 20, 1_000].map((tries) =>
      retryMs(new StreamFault(code, ''), tries, 0.5),
    )
    expect(waits).toEqual(waits.toSorted((a, b) => a - b))
    expect(waits.at(-1)).toBeLessThanOrEqual(750_000)
    expect(retryMs(new StreamFault(code, ''), 3, 0)).toBeLessThan(
      retryMs(new StreamFault(code, ''), 3, 1),
    )
  })

  test('a wrong password is never tried twice within a minute', () => {
    expect(retryMs(new StreamFault('wrong-password', ''), 0, 0)).toBeGreaterThanOrEqual(60_000)
  })
})

describe('what is kept and shared', () => {
  const message = (key: boolean, size = 100) =>
    liveMessage(Buffer.alloc(size), key ? liveFrame.key : liveFrame.delta, 1_700_000_000_123.5)

  test('every viewer of one tile number gets the same Buffer, another number one copy', () => {
    const made = message(true)
    expect(made.bytes(3)).toBe(made.bytes(3))
    expect(made.bytes(4)).toBe(made.bytes(4))
    expect(made.bytes(4)).not.toBe(made.bytes(3))
    expect([made.bytes(3)[0], made.bytes(4)[0]]).toEqual([3, 4])
    expect(made.bytes(4).readDoubleBE(2)).toBe(1_700_000_000_123.5)
    expect(made.bytes(4)[1]).toBe(liveFrame.key)
  })

  test('a group that outgrows its limit is let go until the next key picture', () => {
    const gop = groupOfPictures({ bytes: 1_000, frames: 5 })
    gop.add(message(false))
    expect(gop.frames().length).toBe(0)
    for (const key of [true, false, false, false, false]) gop.add(message(key))
    expect(gop.frames().length).toBe(5)
    gop.add(message(false))
    gop.add(message(false))
    expect(gop.frames().length).toBe(0)
    gop.add(message(true, 900))
    gop.add(message(false, 200))
    expect(gop.bytes()).toBe(0)
  })
})
