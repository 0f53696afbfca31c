import type { RtpPacket } from './packet.ts'
import { sequenceTracker } from './sequence.ts'

/** One NAL unit as the pieces it arrived in: they are copied once, into the fragment. */
export interface Nal {
  /** nal_unit_type, table 7-1 of ITU-T H.264. */
  type: number
  length: number
  parts: Buffer[]
}

/** All NAL units of one picture. */
export interface AccessUnit {
  nals: Nal[]
  /** RTP timestamp, 32 bits. */
  timestamp: number
  /** An IDR picture: decoding can begin here. */
  key: boolean
}

/** What one picture may cost before it is dropped. */
export const unitLimits = { bytes: 4 * 1024 * 1024, nals: 512, parts: 8192 } as const

export const nalType = { slice: 1, idr: 5, sei: 6, sps: 7, pps: 8, delimiter: 9 } as const
const stapA = 24
const fuA = 28

interface Building extends AccessUnit {
  bytes: number
  parts: number
  /** Holds at least one slice. */
  picture: boolean
  damaged: boolean
  /** The FU-A that is still open. */
  open: Nal | undefined
}

export interface H264Events {
  unit: (unit: AccessUnit) => void
}

/**
 * Joins RTP packets into whole pictures (RFC 6184: single NAL, STAP-A, FU-A). After a loss nothing is
 * passed on until the next IDR picture: half a picture would be shown as grey smear.
 */
export function h264Depacketizer({ unit }: H264Events) {
  const sequence = sequenceTracker()
  let building: Building | undefined
  let needKey = true
  let afterGap = true
  let lastDone: number | undefined
  let markerPerSlice = false
  let dropped = 0

  function lose() {
    needKey = true
    afterGap = true
    if (building) building.damaged = true
  }

  function finish() {
    const done = building
    building = undefined
    if (!done || done.nals.length === 0) return
    if (!done.picture) return passParameters(done)
    // A second part with the same time: this camera sets the marker on every slice.
    if (done.timestamp === lastDone && !markerPerSlice) {
      markerPerSlice = true
      done.damaged = true
    }
    lastDone = done.timestamp
    if (done.damaged || done.open) {
      needKey = true
      dropped++
    } else if (needKey && !done.key) dropped++
    else {
      needKey = false
      unit({ nals: done.nals, timestamp: done.timestamp, key: done.key })
    }
  }

  /** Parameter sets sent alone, as a group of their own time, belong to the picture that follows. */
  function passParameters(done: Building) {
    if (!done.damaged) carried = done.nals.filter(isParameter).slice(0, 32)
  }
  let carried: Nal[] = []

  function start(timestamp: number): Building {
    const nals = carried
    carried = []
    return {
      nals,
      timestamp,
      key: false,
      bytes: nals.reduce((sum, nal) => sum + nal.length, 0),
      parts: nals.length,
      picture: false,
      damaged: false,
      open: undefined,
    }
  }

  function add(into: Building, nal: Nal, first: Buffer) {
    if (afterGap) {
      afterGap = false
      if (!beginsPicture(nal.type, first)) into.damaged = true
    }
    if (nal.type >= 1 && nal.type <= 5) into.picture = true
    if (nal.type === nalType.idr) into.key = true
    into.nals.push(nal)
    grow(into, nal.length)
  }

  function grow(into: Building, bytes: number) {
    into.bytes += bytes
    into.parts++
    const over = into.bytes > unitLimits.bytes || into.parts > unitLimits.parts
    if (!over && into.nals.length <= unitLimits.nals) return
    into.damaged = true
    into.nals = into.nals.slice(0, 1)
    into.open = undefined
    into.bytes = 0
    into.parts = 0
  }

  function single(into: Building, data: Buffer) {
    const type = (data[0] ?? 0) & 0x1f
    if (type < 1 || type > 23 || (data[0] ?? 0) >= 0x80) return
    add(into, { type, length: data.length, parts: [data] }, data)
  }

  function aggregate(into: Building, data: Buffer) {
    let at = 1
    while (at + 2 < data.length) {
      const length = data.readUInt16BE(at)
      at += 2
      if (length === 0 || at + length > data.length) {
        into.damaged = true
        return
      }
      single(into, data.subarray(at, at + length))
      at += length
    }
  }

  function fragment(into: Building, data: Buffer) {
    if (data.length < 3) return
    const indicator = data[0] ?? 0
    const header = data[1] ?? 0
    const body = data.subarray(2)
    const type = header & 0x1f
    if (header & 0x80) {
      if (into.open) into.damaged = true
      const head = Buffer.from([(indicator & 0xe0) | type])
      const nal: Nal = { type, length: 1 + body.length, parts: [head, body] }
      add(into, nal, data.subarray(1))
      into.open = into.damaged ? undefined : nal
    } else if (into.open?.type === type) {
      into.open.parts.push(body)
      into.open.length += body.length
      grow(into, body.length)
    } else {
      afterGap = false
      into.picture = true
      into.damaged = true
    }
    if (header & 0x40) into.open = undefined
  }

  return {
    push(packet: RtpPacket) {
      const verdict = sequence.check(packet.sequence)
      if (verdict === 'old') return
      if (verdict === 'gap') lose()
      if (building && building.timestamp !== packet.timestamp) finish()
      building ??= start(packet.timestamp)
      const kind = (packet.payload[0] ?? 0) & 0x1f
      if (kind === fuA) fragment(building, packet.payload)
      else if (kind === stapA) aggregate(building, packet.payload)
      else single(building, packet.payload)
      if (packet.marker && building.picture && !markerPerSlice) finish()
    },
    highest: sequence.highest,
    received: sequence.received,
    /** RTP packets missing so far. */
    lost: sequence.lost,
    /** Pictures not passed on so far. */
    dropped: () => dropped,
    /** Bytes of the picture being joined. */
    held: () => building?.bytes ?? 0,
  }
}

const isParameter = (nal: Nal) => nal.type === nalType.sps || nal.type === nalType.pps

/** True for what may open a picture: a delimiter, SEI, parameter set, or the slice with macroblock 0. */
function beginsPicture(type: number, first: Buffer) {
  if (type >= nalType.sei && type <= nalType.delimiter) return true
  // first_mb_in_slice is ue(v): a leading 1 bit means 0 (clause 7.3.3, 9.1).
  return (type === nalType.slice || type === nalType.idr) && (first[1] ?? 0) >= 0x80
}
