import { nalType, type AccessUnit, type Nal } from '../rtp/h264.ts'
import type { Timeline } from '../rtp/timeline.ts'
import { fragment } from './fragment.ts'
import { initSegment } from './init.ts'
import { readSps, type Sps } from './sps.ts'

export interface MuxerEvents {
  /** A new initialisation segment: the first, and again when the camera changes its parameters. */
  init(init: { bytes: Buffer; sps: Sps }): void
  /** `bytes` begins with `reserve` free bytes. */
  fragment: (fragment: { bytes: Buffer; key: boolean }) => void
}

export interface MuxerInput {
  timeline: Timeline
  reserve: number
  /** Parameter sets from the session description; those in the stream win. */
  parameterSets: readonly Buffer[]
  /** Fragment number to go on from. */
  sequence: () => number
}

const mostPps = 16
const longestPps = 1024

/** Turns pictures into initialisation segments and fragments, one per picture. */
export function h264Muxer(
  { timeline, reserve, parameterSets, sequence }: MuxerInput,
  out: MuxerEvents,
) {
  let sps: Buffer | undefined
  let parsed: Sps | undefined
  const pps = new Map<number, Buffer>()
  let changed = false
  let announced = false

  function learn(nal: Buffer) {
    const type = (nal[0] ?? 0) & 0x1f
    if (type === nalType.sps) learnSps(nal)
    else if (type === nalType.pps && nal.length <= longestPps && nal.length > 1) {
      const id = leadingUe(nal[1] ?? 0)
      if (pps.get(id)?.equals(nal) || (pps.size >= mostPps && !pps.has(id))) return
      pps.set(id, Buffer.from(nal))
      changed = true
    }
  }

  function learnSps(nal: Buffer) {
    if (sps?.equals(nal)) return
    const read = readSps(nal)
    // A broken set is passed over: the stream may go on with the one it had.
    if (!read) return
    sps = Buffer.from(nal)
    parsed = read
    pps.clear()
    changed = true
  }

  for (const nal of parameterSets) learn(nal)

  return {
    /** False when the picture cannot be shown because no valid parameter sets came yet. */
    unit({ nals, timestamp, key }: AccessUnit): boolean {
      const shown: Nal[] = []
      for (const nal of nals) {
        if (nal.type === nalType.sps || nal.type === nalType.pps) learn(Buffer.concat(nal.parts))
        else if (isShown(nal.type)) shown.push(nal)
      }
      const { time, duration } = timeline.next(timestamp)
      if (key && changed && sps && parsed && pps.size > 0) {
        const sets = { sps, pps: [...pps.values()], parsed, timescale: timeline.clockRate }
        out.init({ bytes: initSegment(sets), sps: parsed })
        changed = false
        announced = true
      }
      if (!announced) return false
      const input = { nals: shown, sequence: sequence(), time, duration, key, reserve }
      out.fragment({ bytes: fragment(input), key })
      return true
    },
  }
}

/** Slices and SEI; delimiters, filler and end codes have no place in a sample (14496-15 5.3.2). */
const isShown = (type: number) => type >= 1 && type <= nalType.sei

/** First Exp-Golomb code of a byte; 0 to 6 fit, larger ids share one slot. */
function leadingUe(byte: number): number {
  const zeros = Math.clz32(byte) - 24
  return zeros > 2 ? 7 : ((byte >> (7 - 2 * zeros)) & ((1 << (zeros + 1)) - 1)) - 1
}
