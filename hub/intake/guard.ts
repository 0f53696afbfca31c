import type { Socket } from 'node:net'
import type { Clock } from '../rules/clock.ts'

/** What one socket may send before the broker's own parser sees a byte of it. */
export interface GuardLimits {
  /** Longest CONNECT, bytes after the fixed header. */
  connectBytes: number
  /** Longest later packet, bytes after the fixed header. */
  frameBytes: number
  /** From accept to an admitted CONNECT, ms. */
  connectTimeoutMs: number
  bytesPerS: number
  burstBytes: number
  packetsPerS: number
  burstPackets: number
}

/** A village gateway with 50 devices sends about 1 packet/s; a whole backlog fits into the burst. */
export const guardLimits: GuardLimits = {
  connectBytes: 4096,
  frameBytes: 65_536,
  connectTimeoutMs: 5000,
  bytesPerS: 262_144,
  burstBytes: 4 * 1024 * 1024,
  packetsPerS: 500,
  burstPackets: 5000,
}

export const guardReasons = [
  'first-not-connect',
  'connect-too-long',
  'frame-too-long',
  'bad-length',
  'bad-type',
  'byte-rate',
  'packet-rate',
  'connect-late',
] as const
export type GuardReason = (typeof guardReasons)[number]

/** What a sender may still send now: bytes and packets, refilled with time up to the burst. */
export interface Allowance {
  bytes: number
  packets: number
  /** Monotonic; undefined = never used. */
  refilledAt: number | undefined
}

export const freshAllowance = (limits: GuardLimits): Allowance => ({
  bytes: limits.burstBytes,
  packets: limits.burstPackets,
  refilledAt: undefined,
})

/** Walks the frames of one connection by their fixed headers alone; keeps no bytes. */
export interface FrameGuard {
  /** Says why the connection must end, or undefined. `monoMs` is monotonic. */
  push(chunk: Uint8Array, monoMs: number): GuardReason | undefined
  /**
   * The sender is known: from now on its own allowance is spent, which outlives the connection. What
   * this connection has used so far is taken from it. False when nothing was left.
   */
  spend(own: Allowance, monoMs: number): boolean
}

/**
 * Frame lengths and rates of one connection. aedes 1.2 by itself collects whatever the remaining
 * length announces: three unauthenticated CONNECTs of 200 MB took a process from 56 to 667 MB.
 */
export function frameGuard(limits: GuardLimits): FrameGuard {
  let first = true
  /** Bytes of the present frame still to come; 0 = a fixed header comes next. */
  let body = 0
  /** Length bytes read of the present header; -1 = its first byte comes next. */
  let lengthBytes = -1
  let length = 0
  let allowance = freshAllowance(limits)

  function refill(purse: Allowance, monoMs: number) {
    const spent = Math.max(0, monoMs - (purse.refilledAt ?? monoMs)) / 1000
    purse.refilledAt = monoMs
    purse.bytes = Math.min(limits.burstBytes, purse.bytes + spent * limits.bytesPerS)
    purse.packets = Math.min(limits.burstPackets, purse.packets + spent * limits.packetsPerS)
  }

  function rates(size: number, monoMs: number): GuardReason | undefined {
    refill(allowance, monoMs)
    allowance.bytes -= size
    return allowance.bytes < 0 ? 'byte-rate' : undefined
  }

  function begin(byte: number): GuardReason | undefined {
    const type = byte >> 4
    // [MQTT-3.1.0-1] The first packet from the client must be a CONNECT.
    if (first && byte !== 0x10) return 'first-not-connect'
    if (type === 0 || type === 15) return 'bad-type'
    if (--allowance.packets < 0) return 'packet-rate'
    lengthBytes = 0
    length = 0
    return undefined
  }

  function lengthByte(byte: number): GuardReason | undefined {
    length += (byte & 0x7f) * 128 ** lengthBytes
    lengthBytes++
    if ((byte & 0x80) !== 0) return lengthBytes === 4 ? 'bad-length' : undefined
    if (first && length > limits.connectBytes) return 'connect-too-long'
    if (length > limits.frameBytes) return 'frame-too-long'
    first = false
    body = length
    lengthBytes = -1
    return undefined
  }

  return {
    push(chunk, monoMs) {
      const over = rates(chunk.length, monoMs)
      if (over !== undefined) return over
      let at = 0
      while (at < chunk.length) {
        if (body > 0) {
          const step = Math.min(body, chunk.length - at)
          body -= step
          at += step
          continue
        }
        const byte = chunk[at++] ?? 0
        const bad = lengthBytes < 0 ? begin(byte) : lengthByte(byte)
        if (bad !== undefined) return bad
      }
      return undefined
    },
    spend(own, monoMs) {
      refill(own, monoMs)
      if (own.packets < 1 || own.bytes < 1) return false
      own.bytes -= limits.burstBytes - allowance.bytes
      own.packets -= limits.burstPackets - allowance.packets
      allowance = own
      return true
    },
  }
}

/**
 * Puts a guard before everything that reads `socket`: the bytes pass through its `read` untouched
 * until one breaks a rule, then the socket is destroyed and the reader sees nothing more.
 * Call `admitted` when the client is authenticated: until then a deadline runs. `own` is what this
 * client may still send, over all its connections; false: nothing, it must be refused.
 */
export function guardSocket(
  socket: Socket,
  deps: { limits: GuardLimits; clock: Clock; refused: (reason: GuardReason) => void },
): { admitted(own: Allowance): boolean } {
  const guard = frameGuard(deps.limits)
  const read = socket.read.bind(socket)
  let closed = false

  function refuse(reason: GuardReason) {
    if (closed) return
    closed = true
    deps.refused(reason)
    socket.destroy()
  }

  const deadline = setTimeout(() => refuse('connect-late'), deps.limits.connectTimeoutMs)
  socket.once('close', () => clearTimeout(deadline))
  socket.read = (size?: number): Buffer | null => {
    if (closed) return null
    const chunk: unknown = read(size)
    if (!Buffer.isBuffer(chunk)) return null
    const reason = guard.push(chunk, deps.clock.mono())
    if (reason === undefined) return chunk
    refuse(reason)
    return null
  }
  return {
    admitted(own) {
      clearTimeout(deadline)
      return guard.spend(own, deps.clock.mono())
    },
  }
}
