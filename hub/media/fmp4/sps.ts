/** What the hub needs of a sequence parameter set (ITU-T H.264 clause 7.3.2.1.1). */
export interface Sps {
  profile: number
  constraints: number
  level: number
  width: number
  height: number
  chromaFormat: number
  bitDepthLuma: number
  bitDepthChroma: number
  /** RFC 6381, e.g. `avc1.42e01e`. */
  codec: string
}

/** Profiles whose parameter set and avcC carry the chroma fields. */
export const highProfiles: ReadonlySet<number> = new Set([
  100, 110, 122, 244, 44, 83, 86, 118, 128, 138, 139, 134, 135,
])

const longestSps = 1024

/** Reads a parameter set (NAL header included); undefined when it is cut, broken or absurd. */
export function readSps(nal: Buffer): Sps | undefined {
  if (nal.length < 5 || nal.length > longestSps || ((nal[0] ?? 0) & 0x1f) !== 7) return undefined
  const [profile = 0, constraints = 0, level = 0] = nal.subarray(1, 4)
  const bits = bitReader(withoutEmulation(nal.subarray(4)))
  bits.ue()
  let chromaFormat = 1
  let bitDepthLuma = 8
  let bitDepthChroma = 8
  let separatePlanes = 0
  if (highProfiles.has(profile)) {
    chromaFormat = bits.ue()
    if (chromaFormat === 3) separatePlanes = bits.u(1)
    bitDepthLuma = 8 + bits.ue()
    bitDepthChroma = 8 + bits.ue()
    bits.u(1)
    if (bits.u(1)) skipScalingLists(bits, chromaFormat === 3 ? 12 : 8)
  }
  bits.ue()
  skipPictureOrder(bits)
  bits.ue()
  bits.u(1)
  const columns = bits.ue() + 1
  const mapRows = bits.ue() + 1
  const framesOnly = bits.u(1)
  if (!framesOnly) bits.u(1)
  bits.u(1)
  const crop = bits.u(1) ? [bits.ue(), bits.ue(), bits.ue(), bits.ue()] : [0, 0, 0, 0]
  if (bits.failed() || chromaFormat > 3 || bitDepthLuma > 14 || bitDepthChroma > 14)
    return undefined
  const [left = 0, right = 0, top = 0, bottom = 0] = crop
  // Table 6-1 and equations 7-19 to 7-22.
  const chroma = separatePlanes ? 0 : chromaFormat
  const unitX = chroma === 1 || chroma === 2 ? 2 : 1
  const unitY = (chroma === 1 ? 2 : 1) * (2 - framesOnly)
  const width = columns * 16 - (left + right) * unitX
  const height = mapRows * 16 * (2 - framesOnly) - (top + bottom) * unitY
  if (width < 16 || width > 8192 || height < 16 || height > 8192) return undefined
  const hex = [profile, constraints, level].map((byte) => byte.toString(16).padStart(2, '0'))
  const codec = `avc1.${hex.join('')}`
  return {
    profile,
    constraints,
    level,
    width,
    height,
    chromaFormat,
    bitDepthLuma,
    bitDepthChroma,
    codec,
  }
}

type Bits = ReturnType<typeof bitReader>

function skipScalingLists(bits: Bits, count: number) {
  for (let list = 0; list < count && !bits.failed(); list++) {
    if (!bits.u(1)) continue
    let last = 8
    let next = 8
    for (let each = 0; each < (list < 6 ? 16 : 64) && !bits.failed(); each++) {
      if (next !== 0) next = (last + bits.se() + 256) & 255
      if (next !== 0) last = next
    }
  }
}

function skipPictureOrder(bits: Bits) {
  const kind = bits.ue()
  if (kind === 0) bits.ue()
  else if (kind === 1) {
    bits.u(1)
    bits.se()
    bits.se()
    const cycle = bits.ue()
    for (let each = 0; each < cycle && each < 256 && !bits.failed(); each++) bits.se()
  }
}

/** Removes emulation prevention bytes (clause 7.4.1). */
function withoutEmulation(data: Buffer): Buffer {
  const out = Buffer.alloc(data.length)
  let length = 0
  let zeros = 0
  for (const byte of data) {
    if (zeros >= 2 && byte === 3) {
      zeros = 0
      continue
    }
    out[length++] = byte
    zeros = byte === 0 ? zeros + 1 : 0
  }
  return out.subarray(0, length)
}

/** Reads bits and Exp-Golomb codes (clause 9.1); past the end it answers 0 and `failed()`. */
function bitReader(data: Buffer) {
  let at = 0
  let bad = false
  const end = data.length * 8
  function u(count: number): number {
    let value = 0
    for (let each = 0; each < count; each++, at++) {
      if (at >= end) {
        bad = true
        return 0
      }
      value = value * 2 + (((data[at >> 3] ?? 0) >> (7 - (at & 7))) & 1)
    }
    return value
  }
  function ue(): number {
    let zeros = 0
    while (!bad && u(1) === 0) if (++zeros > 31) bad = true
    return bad ? 0 : 2 ** zeros - 1 + u(zeros)
  }
  return {
    u,
    ue,
    se() {
      const code = ue()
      return code % 2 === 1 ? (code + 1) / 2 : -code / 2
    },
    failed: () => bad,
  }
}
