import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  frameHeader,
  readInit,
  readSegment,
  readTime,
} from '../../console/src/lib/media/segment.ts'
import { verdict, type Evidence } from '../../console/src/lib/media/verdict.ts'
import { fragment } from '../../hub/media/fmp4/fragment.ts'
import { liveMessage } from '../../hub/media/live/message.ts'
import { liveFrame, type LiveNotice } from '../../hub/schema/live.ts'
import { h264Sample } from '../support/h264-sample.ts'
import { muxing } from '../support/mux-sample.ts'
import { packetize } from '../support/rtsp-packets.ts'

const copyOf = (data: Uint8Array) => Uint8Array.from(data)

describe("the player's reading", () => {
  test("it knows the schema's header", () => {
    expect(frameHeader).toEqual({
      length: liveFrame.header,
      init: liveFrame.init,
      key: liveFrame.key,
      delta: liveFrame.delta,
    })
  })

  test('it reads what the hub writes', () => {
    const nals = [{ type: 5, length: 3, parts: [Buffer.from([0x65, 1, 2])] }]
    const input = { sequence: 1, duration: 3_600, key: true, reserve: liveFrame.header, nals }
    const bytes = fragment({ ...input, time: 2 ** 33 + 5 })
    const sent = liveMessage(bytes, liveFrame.key, 1_700_000_000_000.25).bytes(42)
    const segment = readSegment(copyOf(sent).buffer)
    expect(segment).toMatchObject({
      tile: 42,
      type: frameHeader.key,
      receivedAt: 1_700_000_000_000.25,
    })
    expect(segment && readTime(segment.data)).toBe(2 ** 33 + 5)
  })

  test('codec and clock come out of the initialisation segment', () => {
    const mux = muxing()
    mux.push(packetize(h264Sample({ frames: 1 })[0] ?? [], { sequence: 0, timestamp: 0, ssrc: 1 }))
    expect(readInit(copyOf(mux.file().subarray(liveFrame.header)))).toEqual({
      codec: mux.inits[0]?.codec,
      timescale: 90_000,
    })
  })

  test('no bytes make it throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const data = copyOf(bytes)
        const segment = readSegment(data.buffer)
        expect(segment === undefined).toBe(data.length <= liveFrame.header)
        for (const part of [data, segment?.data ?? data])
          expect(() => [readInit(part), readTime(part)]).not.toThrow()
      }),
    )
  })
})

describe("the page's verdict", () => {
  const notice = (state: LiveNotice['state'], message: string | null = null): LiveNotice => ({
    tile: 0,
    state,
    lastFrameAt: 999_000,
    codec: 'avc1.42e01e',
    message,
  })
  const playing: Evidence = {
    now: 10_000,
    framedAt: 9_960,
    movedAt: 9_990,
    waitingSince: 1_000,
    notice: notice('live'),
    noticedAt: 5_000,
    linkUp: true,
    hubNow: 1_000_000,
    shownAt: 999_700,
  }
  test.each<[string, Partial<Evidence>, object]>([
    ['pictures come and move', {}, { state: 'live', ageMs: 40, latencyMs: 300, message: null }],
    [
      'nothing came yet',
      { framedAt: undefined, notice: undefined },
      { state: 'connecting', ageMs: null },
    ],
    ['the last came 3.4 s ago', { framedAt: 6_501 }, { state: 'live', ageMs: 3_499 }],
    [
      'the last came 3.5 s ago, the hub says live and the socket is open',
      { framedAt: 6_500 },
      { state: 'stalled', ageMs: 3_500, latencyMs: null },
    ],
    [
      'the hub is gone',
      { framedAt: 5_000, linkUp: false },
      { state: 'stalled', message: 'hub-unreachable' },
    ],
    [
      'the hub says why nothing comes',
      { framedAt: 1_000, notice: notice('offline', 'timeout') },
      { state: 'offline', message: 'timeout', ageMs: 9_000 },
    ],
    [
      'the hub says stalled after the last picture',
      { noticedAt: 9_980, notice: notice('stalled', 'unreachable') },
      { state: 'stalled', message: 'unreachable' },
    ],
    [
      'a picture came after the hub said offline',
      { noticedAt: 9_000, notice: notice('offline', 'timeout') },
      { state: 'live', message: null },
    ],
    [
      'pictures come and none is shown',
      { movedAt: 6_000 },
      { state: 'stalled', message: 'decoder', ageMs: 4_000 },
    ],
    [
      'the first pictures come and none is shown yet',
      { movedAt: undefined, waitingSince: 9_000 },
      { state: 'connecting', message: null },
    ],
    [
      'pictures came for 4 s and none was ever shown',
      { movedAt: undefined, waitingSince: 6_000 },
      { state: 'stalled', message: 'decoder', ageMs: null },
    ],
    [
      'pictures come again after a pause and the first is not yet shown',
      { movedAt: 2_000, waitingSince: 9_900 },
      { state: 'live' },
    ],
    [
      'a camera that was already dead when the page came',
      { framedAt: undefined, notice: notice('offline', 'no-such-channel') },
      { state: 'offline', message: 'no-such-channel', ageMs: 1_000 },
    ],
    [
      'leave was refused',
      { notice: notice('refused', 'grant-foreign') },
      { state: 'refused', message: 'grant-foreign' },
    ],
    [
      'the codec is none of this browser',
      { notice: notice('codec', 'codec-unsupported') },
      { state: 'codec', codec: 'avc1.42e01e' },
    ],
  ])('%s', (_name, change, expected) => {
    expect(verdict({ ...playing, ...change })).toMatchObject(expected)
  })
})
