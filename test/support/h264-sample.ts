import { spawnSync } from 'node:child_process'

export interface SampleOptions {
  width?: number
  height?: number
  frames?: number
  /** Frames between two key pictures. */
  gop?: number
  slices?: number
  /** Steady rate, reached by noise; absent: what the plain test picture needs. */
  kbps?: number
}

/** A short real H.264 stream made by ffmpeg (x264): pictures, each a list of NAL units. */
export function h264Sample(options: SampleOptions = {}): Buffer[][] {
  const { width = 320, height = 240, frames = 50, gop = 25, slices = 1, kbps } = options
  const rate =
    kbps === undefined
      ? []
      : [
          '-vf',
          'noise=alls=40:allf=t',
          '-b:v',
          `${kbps}k`,
          '-maxrate',
          `${kbps}k`,
          '-bufsize',
          `${kbps}k`,
        ]
  const made = spawnSync(
    'ffmpeg',
    [
      ['-v', 'error', '-nostdin', '-f', 'lavfi', '-i', `testsrc2=size=${width}x${height}:rate=25`],
      ['-frames:v', String(frames), '-pix_fmt', 'yuv420p', '-c:v', 'libx264'],
      ['-preset', 'ultrafast', '-tune', 'zerolatency', '-profile:v', 'baseline'],
      rate,
      ['-x264-params', `keyint=${gop}:min-keyint=${gop}:scenecut=0:slices=${slices}:aud=1`],
      ['-f', 'h264', '-'],
    ].flat(),
    { maxBuffer: 64 * 1024 * 1024 },
  )
  if (made.status !== 0) throw new Error(`ffmpeg made no sample: ${made.stderr.toString()}`)
  return pictures(splitNals(made.stdout))
}

/** NAL units of an Annex B stream. */
export function splitNals(stream: Buffer): Buffer[] {
  const nals: Buffer[] = []
  let start = stream.indexOf('000001', 0, 'hex')
  while (start >= 0) {
    const next = stream.indexOf('000001', start + 3, 'hex')
    const end = next < 0 ? stream.length : next
    let stop = end
    while (stop > start + 3 && stream[stop - 1] === 0) stop--
    nals.push(stream.subarray(start + 3, stop))
    start = next
  }
  return nals
}

/** Groups NAL units by their access unit delimiters, which are left out. */
function pictures(nals: readonly Buffer[]): Buffer[][] {
  const units: Buffer[][] = []
  for (const nal of nals) {
    if (typeOf(nal) === 9) units.push([])
    else units.at(-1)?.push(nal)
  }
  return units
}

export const typeOf = (nal: Buffer) => (nal[0] ?? 0) & 0x1f
