import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readSps } from '../../hub/media/fmp4/sps.ts'
import { receiverReport, senderReportTime } from '../../hub/media/rtp/receiver-report.ts'
import { timeline } from '../../hub/media/rtp/timeline.ts'
import { h264Sample, typeOf } from '../support/h264-sample.ts'
import { muxing, probe } from '../support/mux-sample.ts'
import { packetize } from '../support/rtsp-packets.ts'

const small = h264Sample({ frames: 50, gop: 25 })
const big = h264Sample({ width: 640, height: 360, frames: 25, gop: 25, slices: 4 })
const spsOf = (pictures: readonly Buffer[][]) =>
  pictures[0]?.find((nal) => typeOf(nal) === 7) ?? Buffer.alloc(0)

/** Sends pictures at 25 a second; `timestamp` may stand anywhere. */
function send(mux: ReturnType<typeof muxing>, pictures: readonly Buffer[][], state = newState()) {
  for (const picture of pictures) {
    mux.push(packetize(picture, state))
    state.timestamp = (state.timestamp + 3_600) >>> 0
  }
  return state
}
const newState = (timestamp = 0) => ({ sequence: 0, timestamp, ssrc: 1 })

describe('fragments', () => {
  test('ffprobe counts every frame, evenly spaced, without an error', () => {
    const mux = muxing()
    send(mux, small)
    const { stream, frames, packets, errors } = probe(mux.file())
    expect(errors).toBe('')
    expect(stream).toMatchObject({ codec_name: 'h264', width: 320, height: 240 })
    expect(frames).toBe(50)
    expect(packets.map((packet) => packet.dts)).toEqual(small.map((_, index) => index * 3_600))
    expect(packets.every((packet) => packet.duration === 3_600)).toBe(true)
    expect(mux.keys.filter(Boolean).length).toBe(2)
  })

  test('a picture of several slices is one frame', () => {
    const mux = muxing()
    send(mux, big)
    const { stream, frames, errors } = probe(mux.file())
    expect(errors).toBe('')
    expect(stream).toMatchObject({ width: 640, height: 360 })
    expect(frames).toBe(25)
  })

  test('parameter sets that come only with the description are enough', () => {
    const sets = small[0]?.filter((nal) => typeOf(nal) === 7 || typeOf(nal) === 8) ?? []
    const bare = small.map((picture) => picture.filter((nal) => typeOf(nal) < 7))
    const mux = muxing(sets)
    send(mux, bare)
    expect(probe(mux.file())).toMatchObject({ frames: 50, errors: '' })
  })

  test('without any parameter sets nothing is made up', () => {
    const mux = muxing()
    send(
      mux,
      small.map((picture) => picture.filter((nal) => typeOf(nal) < 7)),
    )
    expect(mux.file().length).toBe(0)
  })

  test('the 32-bit wrap of timestamps does not show', () => {
    const mux = muxing()
    send(mux, small, newState(2 ** 32 - 10 * 3_600))
    const { packets, frames, errors } = probe(mux.file())
    expect(errors).toBe('')
    expect(frames).toBe(50)
    expect(packets.at(-1)?.dts).toBe(49 * 3_600)
  })

  test('a jump back in time counts as one ordinary frame', () => {
    const mux = muxing()
    const state = send(mux, small, newState(3_000_000))
    state.timestamp = 100
    send(mux, small, state)
    const { packets, frames, errors } = probe(mux.file())
    expect(errors).toBe('')
    expect(frames).toBe(100)
    expect(packets.at(-1)?.dts).toBe(99 * 3_600)
    expect(mux.time.jumps()).toBe(1)
  })

  test('a change of size begins a new initialisation segment, and both parts decode', () => {
    const mux = muxing()
    const state = send(mux, small)
    send(mux, big, state)
    expect(mux.inits.map((sps) => [sps.width, sps.height])).toEqual([
      [320, 240],
      [640, 360],
    ])
    expect(probe(mux.file())).toMatchObject({ frames: 75 })
  })

  test('a broken parameter set in the middle does not end the picture', () => {
    const mux = muxing()
    const state = send(mux, small)
    mux.push(packetize([Buffer.from([0x67, 0x42]), ...(small[0] ?? [])], state))
    state.timestamp += 3_600
    send(mux, small.slice(1), state)
    expect(mux.inits.length).toBe(1)
    expect(probe(mux.file())).toMatchObject({ frames: 100, errors: '' })
  })
})

describe('sequence parameter sets (ITU-T H.264 clause 7.3.2.1)', () => {
  test.each([
    [spsOf(small), 320, 240],
    [spsOf(big), 640, 360],
    // High profile at two sizes (the second cropped from 1088 rows), and a set from a description.
    [Buffer.from('6764001facd9405005bb011000000300100000030320f162d960', 'hex'), 1280, 720],
    [
      Buffer.from('67640028acd940780227e5c05a808080a0000003002000000781e30632c0', 'hex'),
      1920,
      1080,
    ],
    [Buffer.from('Z0LAHtkDxWhAAAADAEAAAAwDxYuS', 'base64'), 240, 160],
  ])('%#: %i gives its size', (nal, width, height) => {
    expect(readSps(nal)).toMatchObject({ width, height })
  })

  test('every prefix and every changed byte is read or refused, never thrown', () => {
    const nal = spsOf(big)
    const prefixes = Array.from(nal, (_, length) => readSps(nal.subarray(0, length)))
    expect(prefixes.slice(0, 8).every((each) => each === undefined)).toBe(true)
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat({ max: nal.length - 1 }), fc.nat({ max: 255 }))),
        (list) => {
          const changed = Buffer.from(nal)
          for (const [at, value] of list) changed[at] = value
          const { width = 16, height = 16 } = readSps(changed) ?? {}
          expect(Math.min(width, height)).toBeGreaterThanOrEqual(16)
          expect(Math.max(width, height)).toBeLessThanOrEqual(8192)
        },
      ),
      { numRuns: 2_000 },
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), (data) => void readSps(Buffer.from(data))),
    )
  })
})

describe('time', () => {
  test('a reconnect moves on by the time it took', () => {
    const time = timeline(90_000)
    time.next(5_000)
    time.next(8_600)
    time.restart(2_000)
    expect(time.next(123)).toEqual({ time: 3_600 + 180_000, duration: 3_600 })
  })

  test('decode time only grows, whatever the camera says', () => {
    fc.assert(
      fc.property(fc.array(fc.nat({ max: 2 ** 32 - 1 })), (stamps) => {
        const time = timeline(90_000)
        let last = -1
        for (const stamp of stamps) {
          const next = time.next(stamp)
          expect(next.time).toBeGreaterThan(last)
          expect(next.duration).toBeGreaterThan(0)
          last = next.time
        }
      }),
    )
  })
})

describe('receiver reports (RFC 3550 section 6.4.2)', () => {
  test('a report carries what a camera needs to go on', () => {
    const report = receiverReport({
      ssrc: 1,
      source: 2,
      highest: 65_540,
      lost: 3,
      lostShare: 0.5,
      lastReport: 0x01020304,
      delay: 65_536,
    })
    expect(report.toString('hex')).toBe(
      '81c9000700000001000000028000000300010004000000000102030400010000',
    )
  })

  test("the sender's time is read from a sender report only", () => {
    const sender = Buffer.from(`80c8000600000001aaaabbbbccccdddd${'00'.repeat(12)}`, 'hex')
    expect(senderReportTime(sender)).toBe(0xbbbbcccc)
    expect(senderReportTime(sender.subarray(0, 20))).toBeUndefined()
    expect(senderReportTime(Buffer.alloc(28, 0x81))).toBeUndefined()
  })
})
