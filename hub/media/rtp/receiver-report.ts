/** What a report says of the stream so far. */
export interface ReportInput {
  /** The hub's own SSRC. */
  ssrc: number
  source: number
  highest: number
  lost: number
  /** Share of packets lost since the last report, 0..1. */
  lostShare: number
  /** Middle 32 bits of the newest sender report's NTP time, 0 = none. */
  lastReport: number
  /** Since that report, 1/65536 s. */
  delay: number
}

/** RTCP receiver report with one block (RFC 3550 section 6.4.2); some cameras stop without it. */
export function receiverReport(input: ReportInput): Buffer {
  const packet = Buffer.alloc(32)
  packet.writeUInt32BE(0x81c90007, 0)
  packet.writeUInt32BE(input.ssrc >>> 0, 4)
  packet.writeUInt32BE(input.source >>> 0, 8)
  packet.writeUInt8(Math.min(255, Math.floor(Math.max(0, input.lostShare) * 256)), 12)
  packet.writeUIntBE(Math.min(input.lost, 0x7fffff), 13, 3)
  packet.writeUInt32BE(input.highest >>> 0, 16)
  packet.writeUInt32BE(input.lastReport >>> 0, 24)
  packet.writeUInt32BE(Math.min(Math.max(0, Math.floor(input.delay)), 0xffffffff), 28)
  return packet
}

/** Middle 32 bits of the NTP time of a sender report (RFC 3550 section 6.4.1), undefined for other RTCP. */
export function senderReportTime(data: Buffer): number | undefined {
  if (data.length < 28 || (data[0] ?? 0) >> 6 !== 2 || data[1] !== 200) return undefined
  return data.readUInt32BE(10)
}
