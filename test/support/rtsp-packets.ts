/** Where a packetized stream stands. */
export interface PacketState {
  sequence: number
  timestamp: number
  ssrc: number
}

export interface PacketOptions {
  payloadType?: number
  /** Longest RTP payload. */
  mtu?: number
  /** Set the marker on every NAL unit, as some cameras do. */
  markerPerNal?: boolean
}

export function rtpPacket(
  state: PacketState,
  payload: Buffer,
  { marker, payloadType = 96 }: { marker: boolean; payloadType?: number },
): Buffer {
  const head = Buffer.alloc(12)
  head.writeUInt8(0x80, 0)
  head.writeUInt8((marker ? 0x80 : 0) | payloadType, 1)
  head.writeUInt16BE(state.sequence, 2)
  head.writeUInt32BE(state.timestamp >>> 0, 4)
  head.writeUInt32BE(state.ssrc >>> 0, 8)
  state.sequence = (state.sequence + 1) & 0xffff
  return Buffer.concat([head, payload])
}

/** RTP packets of one picture (RFC 6184): parameter sets as STAP-A, big slices as FU-A. */
export function packetize(
  nals: readonly Buffer[],
  state: PacketState,
  { payloadType = 96, mtu = 1400, markerPerNal = false }: PacketOptions = {},
): Buffer[] {
  const small = nals.filter((nal) => isParameter(nal))
  const rest = nals.filter((nal) => !isParameter(nal))
  const packets: Buffer[] = []
  const add = (payload: Buffer, marker: boolean) =>
    packets.push(rtpPacket(state, payload, { marker, payloadType }))
  if (small.length > 0) add(stapA(small), false)
  rest.forEach((nal, index) => {
    const last = index === rest.length - 1 || markerPerNal
    if (nal.length <= mtu) add(nal, last)
    for (let at = 1; nal.length > mtu && at < nal.length; at += mtu - 2) {
      const end = at + mtu - 2 >= nal.length
      const header = (at === 1 ? 0x80 : 0) | (end ? 0x40 : 0) | ((nal[0] ?? 0) & 0x1f)
      const body = nal.subarray(at, at + mtu - 2)
      add(Buffer.concat([Buffer.from([((nal[0] ?? 0) & 0xe0) | 28, header]), body]), end && last)
    }
  })
  return packets
}

const isParameter = (nal: Buffer) => [6, 7, 8].includes((nal[0] ?? 0) & 0x1f) && nal.length < 600

function stapA(nals: readonly Buffer[]): Buffer {
  const parts = nals.flatMap((nal) => {
    const size = Buffer.alloc(2)
    size.writeUInt16BE(nal.length)
    return [size, nal]
  })
  return Buffer.concat([Buffer.from([0x78]), ...parts])
}

/** `$`, channel, length, data (RFC 2326 section 10.12). */
export function interleaved(channel: number, data: Buffer): Buffer {
  const head = Buffer.from([0x24, channel, data.length >> 8, data.length & 255])
  return Buffer.concat([head, data])
}
