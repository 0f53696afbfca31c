import { readFileSync, statSync } from 'node:fs'
import { expect, test } from 'vitest'
import * as fc from 'fast-check'
import { clipOf, nalType, openClips, splitAnnexB, typeOf } from '../../simulators/h264-clip.ts'
import { packetize, type RtpSender, senderReport } from '../../simulators/rtp.ts'
import { makeSei, readSei } from '../../simulators/sei.ts'

const file = (name: string) => new URL(`../../simulators/clips/${name}`, import.meta.url)
const names = ['counter-640x360.h264', 'counter-dusk-640x360.h264', 'still-640x360.h264']

test('the shipped clips are 10 s of 25 fps, an IDR a second, and small', () => {
  const { clips, holds } = openClips()
  for (const clip of clips) expect([clip.frames.length, clip.gop, clip.fps]).toEqual([250, 25, 25])
  expect(holds).toHaveLength(25)
  const bytes = names.reduce((sum, name) => sum + statSync(file(name)).size, 0)
  expect(bytes).toBeLessThan(700_000)
})

test('all clips share SPS and PPS, so that the holding pictures fit behind any IDR', () => {
  const [one, ...others] = names.map((name) => clipOf(readFileSync(file(name))))
  // Profile 66 with constraint_set1: constrained baseline; level 3.0.
  expect(one?.sps.toString('hex', 1, 4)).toBe('42c01e')
  for (const other of others) {
    expect(other.sps).toEqual(one?.sps)
    expect(other.pps).toEqual(one?.pps)
  }
})

test('start codes of three and four bytes are cut, and zeros before them', () => {
  const stream = Buffer.from('0000000167aa00000168bb000000000165cc', 'hex')
  expect(splitAnnexB(stream).map((nal) => nal.toString('hex'))).toEqual(['67aa', '68bb', '65cc'])
})

test.each([
  ['no parameter sets', '00000165aa', /begins with SPS, PPS/],
  [
    'unequal groups',
    '0000016742000001680000016588000001410a0000016588000001410a000001410b',
    /equally long/,
  ],
])('a clip with %s is refused', (_name, hex, message) => {
  expect(() => clipOf(Buffer.from(hex, 'hex'))).toThrow(message)
})

// H.264 D.1.7 user_data_unregistered, 7.3.2.3.1 sizes above 255.
test('a mark comes back from its SEI, of any id and any time', () => {
  const ids = fc.stringMatching(/^[A-Za-z0-9_.:-]{1,64}$/)
  fc.assert(
    fc.property(ids, fc.integer({ min: 0, max: 4_102_444_800_000 }), (deviceId, at) => {
      const nal = makeSei({ deviceId, at })
      expect(typeOf(nal)).toBe(nalType.sei)
      // 7.4.1: no start code may appear inside.
      expect(nal.includes(Buffer.from([0, 0]))).toBe(false)
      expect(readSei(nal)).toEqual({ deviceId, at })
    }),
  )
  const long = { deviceId: 'x'.repeat(600), at: 1 }
  expect(readSei(makeSei(long))).toEqual(long)
})

test('foreign, cut and damaged messages are no mark', () => {
  const nal = makeSei({ deviceId: 'cam-1', at: 5 })
  expect(readSei(Buffer.of(0x65, 1, 2, 3))).toBeUndefined()
  expect(readSei(Buffer.from('0605040102030480', 'hex'))).toBeUndefined()
  for (let end = 0; end < nal.length - 2; end++)
    expect(readSei(nal.subarray(0, end))).toBeUndefined()
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 80 }), (bytes) => {
      expect(readSei(Buffer.from([6, ...bytes]))).toBeUndefined()
    }),
  )
})

const sender = (): RtpSender => ({
  channel: 2,
  ssrc: 0xdecafbad,
  seq: 65_534,
  packets: 0,
  octets: 0,
})

/** Cuts interleaved packets apart. */
function packetsOf(bytes: Buffer) {
  const packets: Buffer[] = []
  for (let at = 0; at < bytes.length; at += 4 + bytes.readUInt16BE(at + 2)) {
    expect([bytes[at], bytes[at + 1]]).toEqual([0x24, 2])
    packets.push(bytes.subarray(at + 4, at + 4 + bytes.readUInt16BE(at + 2)))
  }
  return packets
}

// RFC 6184 5.6 single NAL unit, 5.8 FU-A; RFC 3550 5.1.
test('a small unit is one packet, a large one FU-A; one timestamp, the marker on the last', () => {
  const small = Buffer.from([0x67, 1, 2])
  const large = Buffer.from([0x65, ...Array.from({ length: 3_000 }, (_, at) => at & 0xff)])
  const state = sender()
  const packets = packetsOf(packetize(state, [small, large], 2 ** 32 + 7))
  expect(packets.map((packet) => packet.readUInt16BE(2))).toEqual([65_534, 65_535, 0, 1])
  expect(packets.map((packet) => packet.readUInt32BE(4))).toEqual([7, 7, 7, 7])
  expect(packets.map((packet) => packet[1])).toEqual([96, 96, 96, 96 | 0x80])
  expect(packets[0]?.subarray(12)).toEqual(small)
  const parts = packets.slice(1).map((packet) => packet.subarray(12))
  expect(parts.map((part) => [part[0], part[1]])).toEqual([
    [0x7c, 0x85],
    [0x7c, 0x05],
    [0x7c, 0x45],
  ])
  expect(Buffer.concat([Buffer.of(0x65), ...parts.map((part) => part.subarray(2))])).toEqual(large)
  expect(state).toMatchObject({ seq: 2, packets: 4 })
})

test('no packet is larger than 1,412 bytes, whatever the units', () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 1, max: 9_000 }), { minLength: 1, maxLength: 5 }),
      (sizes) => {
        const nals = sizes.map((size) => Buffer.alloc(size, 0x41))
        const packets = packetsOf(packetize(sender(), nals, 0))
        for (const packet of packets) expect(packet.length).toBeLessThanOrEqual(1_412)
        const last = packets.map((packet) => ((packet[1] ?? 0) & 0x80) !== 0)
        expect(last.indexOf(true)).toBe(packets.length - 1)
      },
    ),
  )
})

// RFC 3550 6.4.1: NTP seconds since 1900 and their fraction.
test('a sender report ties the camera clock to the RTP clock', () => {
  const state = { ...sender(), packets: 9, octets: 900 }
  const bytes = senderReport(state, 1_700_000_000_500, 123_456)
  expect([bytes[0], bytes[1], bytes.readUInt16BE(2)]).toEqual([0x24, 3, bytes.length - 4])
  const report = bytes.subarray(4)
  expect([report[1], report.readUInt16BE(2)]).toEqual([200, 6])
  expect(report.readUInt32BE(4)).toBe(0xdecafbad)
  expect(report.readUInt32BE(8)).toBe(1_700_000_000 + 2_208_988_800)
  expect(report.readUInt32BE(12) / 2 ** 32).toBeCloseTo(0.5, 6)
  expect([16, 20, 24].map((at) => report.readUInt32BE(at))).toEqual([123_456, 9, 900])
  // RFC 3550 6.1: a compound packet holds a CNAME; lengths in 32-bit words.
  expect(report[29]).toBe(202)
  expect((report.readUInt16BE(30) + 1) * 4).toBe(report.length - 28)
})
