import type { Nal } from '../rtp/h264.ts'

export interface FragmentInput {
  nals: readonly Nal[]
  /** Counts fragments from 1 (mfhd). */
  sequence: number
  /** Decode time and expected duration, ticks. */
  time: number
  duration: number
  key: boolean
  /** Bytes left free in front, for the carrier's own header. */
  reserve: number
}

// Sizes are fixed because each fragment holds one sample: moof 100 = 8 + mfhd 16 + traf 76.
const moofSize = 100
const trafSize = 76

// sample_depends_on = 2 (none) for key pictures; 1 and is_non_sync_sample for the rest (14496-12 8.8.3.1).
const keyFlags = 0x02000000
const deltaFlags = 0x01010000

/** One picture as `moof` + `mdat`: the only copy of its bytes the hub makes. */
export function fragment(input: FragmentInput): Buffer {
  const { nals, reserve } = input
  let size = 0
  for (const nal of nals) size += 4 + nal.length
  const out = Buffer.allocUnsafeSlow(reserve + moofSize + 8 + size)
  out.fill(0, 0, reserve)
  writeMoof(out, reserve, input, size)
  let at = reserve + moofSize
  out.writeUInt32BE(8 + size, at)
  out.write('mdat', at + 4, 'latin1')
  at += 8
  for (const nal of nals) {
    out.writeUInt32BE(nal.length, at)
    at += 4
    for (const part of nal.parts) at += part.copy(out, at)
  }
  return out
}

function writeMoof(out: Buffer, start: number, input: FragmentInput, size: number) {
  let at = start
  const u32 = (value: number) => {
    at = out.writeUInt32BE(value >>> 0, at)
  }
  const box = (length: number, type: string) => {
    u32(length)
    at += out.write(type, at, 'latin1')
  }
  box(moofSize, 'moof')
  box(16, 'mfhd')
  u32(0)
  u32(input.sequence)
  box(trafSize, 'traf')
  box(16, 'tfhd')
  // default-base-is-moof, 8.8.7.1
  u32(0x020000)
  u32(1)
  box(20, 'tfdt')
  u32(0x01000000)
  at = out.writeBigUInt64BE(BigInt(input.time), at)
  box(32, 'trun')
  // data-offset, sample-duration, sample-size, sample-flags present, 8.8.8.1
  u32(0x000701)
  u32(1)
  u32(moofSize + 8)
  u32(input.duration)
  u32(size)
  u32(input.key ? keyFlags : deltaFlags)
}
