import { readFileSync } from 'node:fs'

/** NAL unit types of ITU-T H.264 table 7-1 that the simulator meets. */
export const nalType = { slice: 1, idr: 5, sei: 6, sps: 7, pps: 8, filler: 12 } as const

/** Type of a NAL unit, 1..31. */
export const typeOf = (nal: Uint8Array) => (nal[0] ?? 0) & 0x1f

/** One picture: its NAL units in order, the parameter sets of an IDR included. */
export interface ClipFrame {
  nals: readonly Buffer[]
  key: boolean
}

/** A clip in memory, shared by every camera that plays it. */
export interface Clip {
  frames: readonly ClipFrame[]
  /** Frames from one IDR to the next. */
  gop: number
  fps: number
  sps: Buffer
  pps: Buffer
}

/** The NAL units of a byte stream (annex B), without start codes; they are views of `bytes`. */
export function splitAnnexB(bytes: Buffer): Buffer[] {
  const nals: Buffer[] = []
  let start = -1
  for (let at = bytes.indexOf('\0\0\x01'); at >= 0; at = bytes.indexOf('\0\0\x01', at + 3)) {
    // Zeros before a start code belong to it (7.3.1, B.1.1).
    if (start >= 0) nals.push(trimmed(bytes.subarray(start, at)))
    start = at + 3
  }
  if (start >= 0) nals.push(trimmed(bytes.subarray(start)))
  return nals
}

function trimmed(nal: Buffer) {
  let end = nal.length
  while (end > 0 && nal[end - 1] === 0) end--
  return nal.subarray(0, end)
}

/**
 * Groups NAL units into pictures; each picture is one slice, as our clips are made.
 * @throws Error when the stream does not begin with SPS, PPS and an IDR, or its groups differ in length
 */
export function clipOf(bytes: Buffer, fps = 25): Clip {
  const frames: ClipFrame[] = []
  let pending: Buffer[] = []
  for (const nal of splitAnnexB(bytes)) {
    pending.push(nal)
    const type = typeOf(nal)
    if (type !== nalType.slice && type !== nalType.idr) continue
    frames.push({ nals: pending, key: type === nalType.idr })
    pending = []
  }
  const find = (type: number) => frames[0]?.nals.find((nal) => typeOf(nal) === type)
  const [sps, pps] = [find(nalType.sps), find(nalType.pps)]
  if (!sps || !pps || !frames[0]?.key) throw new Error('a clip begins with SPS, PPS and an IDR')
  const second = frames.findIndex((frame, at) => at > 0 && frame.key)
  const gop = second > 0 ? second : frames.length
  if (frames.some((frame, at) => frame.key !== (at % gop === 0)))
    throw new Error('the groups of pictures of a clip are equally long')
  return { frames, gop, fps, sps, pps }
}

/** The shipped clips and the pictures that hold what was shown before (`clips/make-clip.sh`). */
export interface ClipShelf {
  clips: readonly Clip[]
  /** By position in the group: P pictures that change nothing; the first entry stands for the IDR. */
  holds: readonly ClipFrame[]
}

/** Reads the shipped clips once. */
export function openClips(folder = new URL('clips/', import.meta.url)): ClipShelf {
  const open = (name: string) => clipOf(readFileSync(new URL(name, folder)))
  return {
    clips: [open('counter-640x360.h264'), open('counter-dusk-640x360.h264')],
    holds: open('still-640x360.h264').frames,
  }
}
