/** Largest RTP payload the simulated cameras send, bytes: an Ethernet frame without fragments. */
const payloadLimit = 1400
const rtpHeader = 12
/** `$`, channel, length: RFC 2326 10.12. */
const interleavedHeader = 4
const payloadType = 96

/** A sender's side of one RTP stream over an interleaved channel. */
export interface RtpSender {
  channel: number
  ssrc: number
  seq: number
  packets: number
  octets: number
}

/**
 * One picture as interleaved RTP packets in one buffer: single NAL unit packets, FU-A for what is
 * larger (RFC 6184 5.6, 5.8), marker on the last. Moves the sender's sequence and counters on.
 */
export function packetize(
  sender: RtpSender,
  nals: readonly Uint8Array[],
  timestamp: number,
): Buffer {
  const pieces = nals.flatMap(fragments)
  const total = pieces.reduce((sum, { head, body }) => sum + head.length + body.length, 0)
  const out = Buffer.allocUnsafe(total + pieces.length * (interleavedHeader + rtpHeader))
  let at = 0
  pieces.forEach(({ head, body }, index) => {
    const length = head.length + body.length
    out[at] = 0x24
    out[at + 1] = sender.channel
    out.writeUInt16BE(rtpHeader + length, at + 2)
    at += interleavedHeader
    out[at] = 0x80
    out[at + 1] = payloadType | (index === pieces.length - 1 ? 0x80 : 0)
    out.writeUInt16BE(sender.seq, at + 2)
    out.writeUInt32BE(timestamp >>> 0, at + 4)
    out.writeUInt32BE(sender.ssrc, at + 8)
    at += rtpHeader
    out.set(head, at)
    out.set(body, at + head.length)
    at += length
    sender.seq = (sender.seq + 1) & 0xffff
    sender.packets++
    sender.octets += length
  })
  return out
}

const nothing = new Uint8Array(0)

function fragments(nal: Uint8Array): { head: Uint8Array; body: Uint8Array }[] {
  if (nal.length <= payloadLimit) return [{ head: nothing, body: nal }]
  const first = nal[0] ?? 0
  const indicator = (first & 0xe0) | 28
  const room = payloadLimit - 2
  const out = []
  for (let at = 1; at < nal.length; at += room) {
    const start = at === 1 ? 0x80 : 0
    const end = at + room >= nal.length ? 0x40 : 0
    out.push({
      head: Uint8Array.of(indicator, start | end | (first & 0x1f)),
      body: nal.subarray(at, at + room),
    })
  }
  return out
}

/** Seconds from 1900 to 1970. */
const ntpEpochS = 2_208_988_800

/** A sender report and its name, interleaved on the channel behind (RFC 3550 6.4.1, 6.5). */
export function senderReport(sender: RtpSender, at: number, timestamp: number): Buffer {
  const name = Buffer.from('jifang-sim')
  // SDES items end with a zero and fill up to 32 bits.
  const sdes = Math.ceil((8 + 2 + name.length + 1) / 4) * 4
  const out = Buffer.alloc(interleavedHeader + 28 + sdes)
  out[0] = 0x24
  out[1] = sender.channel + 1
  out.writeUInt16BE(28 + sdes, 2)
  const report = out.subarray(interleavedHeader)
  report[0] = 0x80
  report[1] = 200
  report.writeUInt16BE(6, 2)
  report.writeUInt32BE(sender.ssrc, 4)
  report.writeUInt32BE(Math.floor(at / 1000) + ntpEpochS, 8)
  report.writeUInt32BE(Math.floor(((at % 1000) / 1000) * 2 ** 32), 12)
  report.writeUInt32BE(timestamp >>> 0, 16)
  report.writeUInt32BE(sender.packets >>> 0, 20)
  report.writeUInt32BE(sender.octets >>> 0, 24)
  const names = report.subarray(28)
  names[0] = 0x81
  names[1] = 202
  names.writeUInt16BE(sdes / 4 - 1, 2)
  names.writeUInt32BE(sender.ssrc, 4)
  names[8] = 1
  names[9] = name.length
  names.set(name, 10)
  return out
}
