import { highProfiles, type Sps } from './sps.ts'

const box = (type: string, ...content: Buffer[]): Buffer => {
  const head = Buffer.alloc(8)
  const size = content.reduce((sum, each) => sum + each.length, 8)
  head.writeUInt32BE(size, 0)
  head.write(type, 4, 'latin1')
  return Buffer.concat([head, ...content], size)
}

const fullBox = (type: string, flags: number, ...content: Buffer[]) =>
  box(type, u32(flags), ...content)

const u8 = (...values: number[]) => Buffer.from(values)
const u16 = (...values: number[]) => {
  const buffer = Buffer.alloc(values.length * 2)
  values.forEach((value, index) => buffer.writeUInt16BE(value, index * 2))
  return buffer
}
const u32 = (...values: number[]) => {
  const buffer = Buffer.alloc(values.length * 4)
  values.forEach((value, index) => buffer.writeUInt32BE(value >>> 0, index * 4))
  return buffer
}
const text = (value: string) => Buffer.from(value, 'latin1')

// ISO/IEC 14496-12 clause 8.2.2.3: the unity matrix.
const matrix = u32(0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)

export interface InitInput {
  sps: Buffer
  pps: readonly Buffer[]
  parsed: Sps
  /** Ticks per second of the fragments. */
  timescale: number
}

/** Initialisation segment of one H.264 track (ISO/IEC 14496-12 with `mvex`, 14496-15 `avcC`). */
export function initSegment(input: InitInput): Buffer {
  const { width, height } = input.parsed
  const { timescale } = input
  const movieHeader = fullBox(
    'mvhd',
    0,
    u32(0, 0, 1000, 0, 0x10000),
    u16(0x0100, 0),
    u32(0, 0),
    matrix,
    Buffer.alloc(24),
    u32(2),
  )
  const trackHeader = fullBox(
    'tkhd',
    3,
    u32(0, 0, 1, 0, 0, 0, 0),
    u16(0, 0, 0, 0),
    matrix,
    u32(width << 16, height << 16),
  )
  const media = box(
    'mdia',
    fullBox('mdhd', 0, u32(0, 0, timescale, 0), u16(0x55c4, 0)),
    fullBox('hdlr', 0, u32(0), text('vide'), u32(0, 0, 0), text('video\0')),
    box(
      'minf',
      fullBox('vmhd', 1, u16(0, 0, 0, 0)),
      box('dinf', fullBox('dref', 0, u32(1), fullBox('url ', 1))),
      sampleTable(input),
    ),
  )
  const fragmented = box('mvex', fullBox('trex', 0, u32(1, 1, 0, 0, 0)))
  return Buffer.concat([
    box('ftyp', text('iso6'), u32(1), text('iso6mp41avc1')),
    box('moov', movieHeader, box('trak', trackHeader, media), fragmented),
  ])
}

function sampleTable({ sps, pps, parsed }: InitInput) {
  const entry = box(
    'avc1',
    u8(0, 0, 0, 0, 0, 0),
    u16(1, 0, 0),
    u32(0, 0, 0),
    u16(parsed.width, parsed.height),
    u32(0x480000, 0x480000, 0),
    u16(1),
    Buffer.alloc(32),
    u16(0x18, 0xffff),
    box('avcC', avcConfiguration(sps, pps, parsed)),
  )
  return box(
    'stbl',
    fullBox('stsd', 0, u32(1), entry),
    fullBox('stts', 0, u32(0)),
    fullBox('stsc', 0, u32(0)),
    fullBox('stsz', 0, u32(0, 0)),
    fullBox('stco', 0, u32(0)),
  )
}

/** AVCDecoderConfigurationRecord, ISO/IEC 14496-15 clause 5.3.3.1; NAL lengths are 4 bytes. */
function avcConfiguration(sps: Buffer, pps: readonly Buffer[], parsed: Sps) {
  const sets = pps.slice(0, 31).flatMap((each) => [u16(each.length), each])
  const parts = [
    u8(1, parsed.profile, parsed.constraints, parsed.level, 0xff, 0xe1),
    u16(sps.length),
    sps,
    u8(Math.min(pps.length, 31)),
    ...sets,
  ]
  if (highProfiles.has(parsed.profile))
    parts.push(
      u8(
        0xfc | parsed.chromaFormat,
        0xf8 | (parsed.bitDepthLuma - 8),
        0xf8 | (parsed.bitDepthChroma - 8),
        0,
      ),
    )
  return Buffer.concat(parts)
}
