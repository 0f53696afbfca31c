import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readerLimits, rtspReader, type RtspMessage } from '../../hub/media/rtsp/reader.ts'
import { interleaved, rtpPacket } from '../support/rtsp-packets.ts'

function collect() {
  const messages: RtspMessage[] = []
  const packets: { channel: number; data: Buffer }[] = []
  const broken: string[] = []
  const reader = rtspReader({
    message: (message) => void messages.push(message),
    packet: (channel, data) => void packets.push({ channel, data }),
    broken: (why) => void broken.push(why),
  })
  return { reader, messages, packets, broken }
}

const response = 'RTSP/1.0 200 OK\r\nCSeq: 3\r\nContent-Length: 5\r\n\r\nhello'
const rtp = (length = 100, sequence = 1) =>
  rtpPacket({ sequence, timestamp: 0, ssrc: 1 }, Buffer.alloc(length, 0x41), { marker: true })

describe('the RTSP reader', () => {
  test('cut into any pieces, the same messages come out', () => {
    const stream = Buffer.concat([
      Buffer.from(response),
      interleaved(0, rtp()),
      Buffer.from('OPTIONS rtsp://x RTSP/1.0\r\nCSeq: 9\r\n\r\n'),
      interleaved(1, Buffer.alloc(28, 0x81)),
    ])
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1 }), (sizes) => {
        const { reader, messages, packets, broken } = collect()
        for (let at = 0, turn = 0; at < stream.length; turn++) {
          const size = sizes[turn % sizes.length] ?? 1
          reader.feed(stream.subarray(at, at + size))
          at += size
        }
        expect(messages.map((each) => each.status ?? each.method)).toEqual([200, 'OPTIONS'])
        expect(messages[0]?.body.toString()).toBe('hello')
        expect(packets.map((each) => each.channel)).toEqual([0, 1])
        expect(broken).toEqual([])
        expect(reader.held()).toBe(0)
      }),
    )
  })

  test('bytes between frames that are no RTSP are passed over', () => {
    const { reader, packets, broken } = collect()
    reader.feed(interleaved(0, rtp()))
    reader.feed(Buffer.concat([Buffer.alloc(3_000, 0x01), interleaved(0, rtp())]))
    reader.feed(Buffer.concat([Buffer.from('\r\n$$$$HELLO'), interleaved(0, rtp())]))
    expect(packets.length).toBe(3)
    expect(broken).toEqual([])
  })

  test('after a slip a $ of chance is not taken for a frame', () => {
    const { reader, packets } = collect()
    // Channel 0x41, and channel 0 with a first byte that is not RTP version 2.
    reader.feed(
      Buffer.concat([Buffer.from([1, 0x24, 0x41, 0xff, 0xff, 0, 0x24, 0, 0xff, 0xff, 7])]),
    )
    reader.feed(interleaved(0, rtp()))
    expect(packets.length).toBe(1)
  })

  test('a stream of garbage ends the connection within its allowance', () => {
    const { reader, broken } = collect()
    const chunk = Buffer.alloc(16 * 1024, 0x02)
    let fed = 0
    while (broken.length === 0 && fed < 10 * readerLimits.skipped) {
      reader.feed(chunk)
      fed += chunk.length
      expect(reader.held()).toBeLessThan(70_000)
    }
    expect(broken).toEqual(['bytes that are no RTSP'])
    expect(fed).toBeLessThanOrEqual(readerLimits.skipped + 2 * chunk.length)
  })

  test.each([
    ['an endless header', `RTSP/1.0 200 OK\r\nX: ${'a'.repeat(20_000)}`, 'header too long'],
    [
      'a thousand headers',
      `RTSP/1.0 200 OK\r\n${'a: b\r\n'.repeat(1_000)}\r\n`,
      'too many header lines',
    ],
    ['a huge body', 'RTSP/1.0 200 OK\r\nContent-Length: 9999999\r\n\r\n', 'body too long'],
    [
      'a length that is no number',
      'RTSP/1.0 200 OK\r\nContent-Length: -1\r\n\r\n',
      'body too long',
    ],
  ])('%s ends the connection', (_name, text, why) => {
    const { reader, broken } = collect()
    reader.feed(Buffer.from(text))
    expect(broken).toEqual([why])
  })

  test('random bytes never throw and never hold more than one message', () => {
    const piece = fc.oneof(
      fc.uint8Array({ maxLength: 300 }),
      fc
        .constantFrom(response, 'RTSP/1.0 ', '$\0', 'GET / HTTP/1.1\r\n\r\n', '\r\n\r\n')
        .map((text) => Buffer.from(text)),
      fc.constant(interleaved(0, rtp())),
    )
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 60 }), (pieces) => {
        const { reader } = collect()
        for (const each of pieces) {
          reader.feed(Buffer.from(each))
          expect(reader.held()).toBeLessThanOrEqual(65_539 + 300 + 100)
        }
      }),
      { numRuns: 500 },
    )
  })
})
