import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { h264Depacketizer, unitLimits, type AccessUnit } from '../../hub/media/rtp/h264.ts'
import { readRtp } from '../../hub/media/rtp/packet.ts'
import { sequenceTracker } from '../../hub/media/rtp/sequence.ts'
import { h264Sample, typeOf } from '../support/h264-sample.ts'
import { packetize, rtpPacket, type PacketOptions } from '../support/rtsp-packets.ts'

const pictures = h264Sample({ frames: 20, gop: 5 })

function joining() {
  const units: AccessUnit[] = []
  const depacketizer = h264Depacketizer({ unit: (unit) => void units.push(unit) })
  const push = (packets: readonly Buffer[]) => {
    for (const data of packets) {
      const packet = readRtp(data)
      if (packet) depacketizer.push(packet)
    }
  }
  return { units, depacketizer, push }
}

const bytesOf = (unit: AccessUnit | undefined) =>
  unit?.nals.map((nal) => Buffer.concat(nal.parts).toString('hex'))

function stream(from = pictures, options: PacketOptions = {}, start = 0) {
  const state = { sequence: start, timestamp: 0, ssrc: 1 }
  return from.map((picture) => {
    const packets = packetize(picture, state, options)
    state.timestamp += 3_600
    return packets
  })
}

describe('joining RTP packets to pictures (RFC 6184)', () => {
  test.each([50, 300, 1_400, 60_000])('every byte comes back at %i bytes a packet', (mtu) => {
    const { units, push } = joining()
    for (const packets of stream(pictures, { mtu })) push(packets)
    expect(units.length).toBe(pictures.length)
    units.forEach((unit, index) => {
      const wanted = pictures[index]?.map((nal) => nal.toString('hex')).toSorted()
      expect(bytesOf(unit)?.toSorted()).toEqual(wanted)
    })
    expect(units.map((unit) => unit.key)).toEqual(pictures.map((_, index) => index % 5 === 0))
  })

  test('sequence numbers may wrap', () => {
    const { units, depacketizer, push } = joining()
    for (const packets of stream(pictures, {}, 65_530)) push(packets)
    expect(units.length).toBe(pictures.length)
    expect(depacketizer.lost()).toBe(0)
  })

  test('after any lost packet nothing comes until the next key picture', () => {
    const flat = stream().flatMap((each, picture) => each.map((data) => ({ data, picture })))
    fc.assert(
      fc.property(fc.nat({ max: flat.length - 1 }), (gone) => {
        const { units, depacketizer, push } = joining()
        push(flat.filter((_, index) => index !== gone).map((each) => each.data))
        const hit = flat[gone]?.picture ?? 0
        // Parameter sets alone: the key picture behind them is whole.
        const onlySets = ((flat[gone]?.data[12] ?? 0) & 0x1f) === 24
        const resumed = onlySets ? hit : Math.ceil((hit + 1) / 5) * 5
        const wanted = pictures.map((_, index) => index).filter((at) => at < hit || at >= resumed)
        // A loss of the very last packet is only seen by what follows, and nothing does.
        expect(units.map((unit) => unit.timestamp / 3_600)).toEqual(wanted)
        expect(depacketizer.lost()).toBe(gone > 0 && gone < flat.length - 1 ? 1 : 0)
      }),
    )
  })

  test('a repeated packet changes nothing', () => {
    const { units, push } = joining()
    for (const packets of stream()) for (const packet of packets) push([packet, packet])
    expect(units.length).toBe(pictures.length)
  })

  test('a camera that forgets the marker is followed by its timestamps', () => {
    const { units, push } = joining()
    const packets = stream().flat()
    packets.forEach((packet) => packet.writeUInt8((packet[1] ?? 0) & 0x7f, 1))
    push(packets)
    // The last picture is only known to be whole when the next begins.
    expect(units.length).toBe(pictures.length - 1)
  })

  test('a camera that marks every slice is understood after its first group', () => {
    const sliced = h264Sample({ frames: 20, gop: 5, slices: 4 })
    const { units, push } = joining()
    push(stream(sliced, { markerPerNal: true }).flat())
    const slices = sliced[7]?.length ?? 0
    expect(slices).toBeGreaterThan(1)
    const whole = units.filter((unit) => unit.timestamp >= 5 * 3_600)
    expect(whole.length).toBe(14)
    for (const unit of whole) expect(unit.nals.filter((nal) => nal.type <= 5).length).toBe(slices)
  })

  test('parameter sets sent alone, with a marker and a time of their own, join the next picture', () => {
    const { units, push } = joining()
    const state = { sequence: 0, timestamp: 0, ssrc: 1 }
    const [first = []] = pictures
    for (const nal of first.filter((each) => typeOf(each) >= 7))
      push([rtpPacket(state, nal, { marker: true })])
    state.timestamp = 3_600
    push(
      packetize(
        first.filter((each) => typeOf(each) < 7),
        state,
      ),
    )
    expect(units[0]?.nals.map((nal) => nal.type)).toEqual(expect.arrayContaining([7, 8, 5]))
  })

  test('a picture without end is dropped at its limit', () => {
    const { units, depacketizer, push } = joining()
    const state = { sequence: 0, timestamp: 0, ssrc: 1 }
    const body = Buffer.concat([Buffer.from([0x7c, 0x05]), Buffer.alloc(1_398, 1)])
    push([rtpPacket(state, Buffer.from([0x7c, 0x85, 0x88, 0]), { marker: false })])
    for (let sent = 0; sent < 3 * unitLimits.bytes; sent += body.length) {
      push([rtpPacket(state, body, { marker: false })])
      expect(depacketizer.held()).toBeLessThanOrEqual(unitLimits.bytes)
    }
    expect(units).toEqual([])
  })

  test('random and mutated packets never throw, hold a bounded amount, and yield only whole units', () => {
    const flat = stream().flat()
    const mutation = fc.record({
      at: fc.nat({ max: flat.length - 1 }),
      byte: fc.nat({ max: 60 }),
      value: fc.integer({ min: 0, max: 255 }),
      cut: fc.nat({ max: 1_400 }),
    })
    fc.assert(
      fc.property(
        fc.array(mutation, { maxLength: 30 }),
        fc.uint8Array({ maxLength: 64 }),
        (list, extra) => {
          const { depacketizer, push, units } = joining()
          const packets = flat.map((packet) => Buffer.from(packet))
          for (const { at, byte, value, cut } of list) {
            const packet = packets[at]
            if (!packet) continue
            if (byte < packet.length) packet[byte] = value
            if (cut % 3 === 0) packets[at] = packet.subarray(0, cut)
          }
          packets.splice(3, 0, Buffer.from(extra))
          push(packets)
          expect(depacketizer.held()).toBeLessThanOrEqual(unitLimits.bytes)
          for (const unit of units)
            for (const nal of unit.nals)
              expect(nal.length).toBe(nal.parts.reduce((sum, part) => sum + part.length, 0))
        },
      ),
      { numRuns: 300 },
    )
  })
})

describe('sequence numbers', () => {
  test.each([
    [[1, 2, 3], ['first', 'next', 'next'], 0],
    [[65_535, 0, 1], ['first', 'next', 'next'], 0],
    [[10, 13], ['first', 'gap'], 2],
    [[65_534, 1], ['first', 'gap'], 2],
    [[10, 9, 11], ['first', 'old', 'next'], 0],
    [[40_000, 100, 101], ['first', 'gap', 'next'], 25_635],
    [[30_000, 29_000], ['first', 'gap'], 1],
  ])('%j is judged %j with %i lost', (numbers, verdicts, lost) => {
    const tracker = sequenceTracker()
    expect(numbers.map((number) => tracker.check(number))).toEqual(verdicts)
    expect(tracker.lost()).toBe(lost)
  })

  test('the extended number grows over the wrap (RFC 3550 section 6.4.1)', () => {
    const tracker = sequenceTracker()
    for (const number of [65_534, 65_535]) tracker.check(number)
    expect(tracker.highest()).toBe(65_535)
    for (const number of [0, 1]) tracker.check(number)
    expect(tracker.highest()).toBe(65_537)
  })
})
