import fc from 'fast-check'
import mqttPacket from 'mqtt-packet'
import { describe, expect, test } from 'vitest'
import {
  frameGuard,
  freshAllowance,
  guardLimits,
  type GuardReason,
  guardReasons,
} from '../../hub/intake/guard.ts'

const limits = { ...guardLimits, connectBytes: 100, frameBytes: 1000 }
const connect = Uint8Array.from(
  mqttPacket.generate({
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 4,
    clean: true,
    clientId: 'dev-1',
    keepalive: 30,
  }),
)
const publish = (size: number) =>
  Uint8Array.from(
    mqttPacket.generate({
      cmd: 'publish',
      topic: 't',
      payload: Buffer.alloc(size),
      qos: 0,
      dup: false,
      retain: false,
    }),
  )
const joined = (...parts: readonly Uint8Array[]) => Uint8Array.from(Buffer.concat(parts))

describe('frames', () => {
  test.each<[string, Uint8Array, GuardReason | undefined]>([
    ['a CONNECT passes', connect, undefined],
    ['CONNECT and PUBLISH in one chunk pass', joined(connect, publish(900)), undefined],
    ['a first packet that is no CONNECT', publish(1), 'first-not-connect'],
    ['a CONNECT with reserved flags', Uint8Array.of(0x11, 2, 0, 0), 'first-not-connect'],
    [
      'a CONNECT of 200 MB is refused by its header alone',
      Uint8Array.of(0x10, 0x80, 0x84, 0xaf, 0x5f),
      'connect-too-long',
    ],
    ['a CONNECT one byte too long', Uint8Array.of(0x10, 101), 'connect-too-long'],
    ['a later packet one byte too long', joined(connect, publish(998)), 'frame-too-long'],
    // [MQTT-2.2.3] The remaining length has at most four bytes.
    ['a remaining length of five bytes', Uint8Array.of(0x10, 0xff, 0xff, 0xff, 0xff), 'bad-length'],
    ['packet type 0', joined(connect, Uint8Array.of(0x00, 0)), 'bad-type'],
    ['packet type 15', joined(connect, Uint8Array.of(0xf0, 0)), 'bad-type'],
  ])('%s', (_, bytes, reason) => {
    expect(frameGuard(limits).push(bytes, 0)).toBe(reason)
  })

  test('however a stream is cut into chunks, the verdict is the same', () => {
    const packets = fc.array(fc.integer({ min: 0, max: 1100 }), { maxLength: 12 })
    fc.assert(
      fc.property(packets, fc.infiniteStream(fc.integer({ min: 1, max: 700 })), (sizes, cuts) => {
        const stream = joined(connect, ...sizes.map(publish))
        const whole = frameGuard(limits).push(stream, 0)
        const guard = frameGuard(limits)
        let inPieces: GuardReason | undefined
        for (let at = 0; at < stream.length && inPieces === undefined;) {
          const size = cuts.next().value ?? 1
          inPieces = guard.push(stream.subarray(at, at + size), 0)
          at += size
        }
        expect(inPieces).toBe(whole)
        const tooLong = sizes.some((size) => size + 3 > limits.frameBytes)
        expect(whole).toBe(tooLong ? 'frame-too-long' : undefined)
      }),
    )
  })

  test('any bytes at all are judged without a throw', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }), (chunks) => {
        const guard = frameGuard(limits)
        for (const chunk of chunks) {
          const verdict = guard.push(chunk, 0)
          if (verdict === undefined) continue
          expect(guardReasons).toContain(verdict)
          break
        }
      }),
      { numRuns: 2000 },
    )
  })
})

describe('rates', () => {
  const ping = Uint8Array.of(0xc0, 0)
  const pings = (count: number) => joined(...Array.from({ length: count }, () => ping))
  const slow = { ...limits, packetsPerS: 10, burstPackets: 20, bytesPerS: 1000, burstBytes: 2000 }

  test('a burst passes, the packet after it ends the connection', () => {
    const guard = frameGuard(slow)
    expect(guard.push(connect, 0)).toBeUndefined()
    expect(guard.push(pings(19), 0)).toBeUndefined()
    expect(guard.push(pings(1), 0)).toBe('packet-rate')
  })

  test('at its rate a client may go on for ever', () => {
    const guard = frameGuard(slow)
    guard.push(connect, 0)
    for (let second = 1; second <= 600; second++)
      expect(guard.push(pings(10), second * 1000)).toBeUndefined()
  })

  test('bytes are counted, too', () => {
    const guard = frameGuard(slow)
    expect(guard.push(joined(connect, publish(900), publish(900)), 0)).toBeUndefined()
    expect(guard.push(publish(300), 0)).toBe('byte-rate')
  })

  test('a clock that stands still or steps back refills nothing', () => {
    const guard = frameGuard(slow)
    guard.push(connect, 1000)
    expect(guard.push(pings(19), 500)).toBeUndefined()
    expect(guard.push(pings(1), 100)).toBe('packet-rate')
  })

  test('who comes back has what is left of his allowance, not a new burst', () => {
    const own = freshAllowance(slow)
    const first = frameGuard(slow)
    first.push(connect, 0)
    expect(first.spend(own, 0)).toBe(true)
    expect(first.push(pings(15), 0)).toBeUndefined()
    const second = frameGuard(slow)
    second.push(connect, 0)
    expect(second.spend(own, 0)).toBe(true)
    expect(second.push(pings(3), 0)).toBeUndefined()
    expect(second.push(pings(1), 0)).toBe('packet-rate')
  })

  test('who has nothing left is not admitted until it is refilled', () => {
    const own = { ...freshAllowance(slow), packets: 0, refilledAt: 0 }
    const early = frameGuard(slow)
    early.push(connect, 50)
    expect(early.spend(own, 50)).toBe(false)
    const later = frameGuard(slow)
    later.push(connect, 1000)
    expect(later.spend(own, 1000)).toBe(true)
  })

  test('packets that rode along with the CONNECT are paid for, too', () => {
    const own = freshAllowance(slow)
    for (const rest of [10, 0]) {
      const guard = frameGuard(slow)
      guard.push(joined(connect, pings(9)), 0)
      expect(guard.spend(own, 0)).toBe(true)
      expect(own.packets).toBe(rest)
    }
    expect(frameGuard(slow).spend(own, 0)).toBe(false)
  })
})
