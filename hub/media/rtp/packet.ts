/** One RTP packet (RFC 3550 section 5.1); the payload is a view of what was received. */
export interface RtpPacket {
  payloadType: number
  marker: boolean
  /** 16 bits. */
  sequence: number
  /** 32 bits, ticks of the track's clock. */
  timestamp: number
  ssrc: number
  payload: Buffer
}

/** Reads a packet; undefined for anything that is not RTP version 2 with a payload. */
export function readRtp(data: Buffer): RtpPacket | undefined {
  if (data.length < 13) return undefined
  const first = data[0] ?? 0
  if (first >> 6 !== 2) return undefined
  let start = 12 + (first & 0x0f) * 4
  if (first & 0x10) {
    if (data.length < start + 4) return undefined
    start += 4 + data.readUInt16BE(start + 2) * 4
  }
  const end = first & 0x20 ? data.length - (data[data.length - 1] ?? 0) : data.length
  if (end <= start) return undefined
  const second = data[1] ?? 0
  return {
    payloadType: second & 0x7f,
    marker: second >= 0x80,
    sequence: data.readUInt16BE(2),
    timestamp: data.readUInt32BE(4),
    ssrc: data.readUInt32BE(8),
    payload: data.subarray(start, end),
  }
}
