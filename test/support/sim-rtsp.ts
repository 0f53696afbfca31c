import { spawnSync } from 'node:child_process'
import { nalType, openClips, typeOf } from '../../simulators/h264-clip.ts'
import { type RtspServer, type RtspServerDeps, startRtsp } from '../../simulators/rtsp-camera.ts'
import { type RtspReader, rtspReader } from './sim-rtsp-reader.ts'
import { until } from './until.ts'

/** A server with cameras `cam-1`, `cam-2`, `cam-3` of user `viewer`, password `secret`, on a free port. */
export const rtspServer = (change: Partial<RtspServerDeps> = {}): Promise<RtspServer> =>
  startRtsp({
    cameras: ['cam-1', 'cam-2', 'cam-3'].map((deviceId) => ({
      deviceId,
      user: 'viewer',
      password: 'secret',
    })),
    shelf: openClips(),
    seed: 3,
    clock: Date.now,
    port: 0,
    ...change,
  })

/** True when ffmpeg and ffprobe are here; otherwise says on stderr what that leaves out. */
export function hasFfmpeg(): boolean {
  const here = ['ffmpeg', 'ffprobe'].every((tool) => !spawnSync(tool, ['-version']).error)
  if (!here)
    process.stderr.write('ffmpeg is not installed: its tests of the cameras are left out\n')
  return here
}

/** Servers and readers for one test file; `close` after each test ends all of them. */
export function rtspBench() {
  const closing: (() => unknown)[] = []
  async function server(change: Partial<RtspServerDeps> = {}): Promise<RtspServer> {
    const made = await rtspServer(change)
    closing.push(() => made.close())
    return made
  }
  async function reader(port: number, camera = 'cam-1', who = {}): Promise<RtspReader> {
    const made = await rtspReader(port, camera, who)
    closing.push(() => made.close())
    return made
  }
  /** A viewer of `cam-1` that has seen some pictures. */
  async function watching(change: Partial<RtspServerDeps> = fast(5)) {
    const made = await server(change)
    const client = await reader(made.port)
    await client.play()
    await until('pictures', () => client.units.length > 3)
    return { made, client }
  }
  async function close() {
    for (const end of closing.splice(0).toReversed()) await end()
  }
  return { server, reader, watching, close }
}

/**
 * Stream time runs `factor` times faster than the test's, but never more than 0.4 s at once, so that
 * a late test machine is not taken for a camera that slept.
 */
export function fast(factor: number) {
  let last = performance.now()
  let stream = 0
  return {
    now: () => {
      const here = performance.now()
      stream += Math.min(400, (here - last) * factor)
      last = here
      return stream
    },
  }
}

/** The slices of every picture a reader got. */
export const pictures = ({ units }: RtspReader) =>
  units.map(({ nals }) =>
    nals.filter((nal) => [nalType.slice, nalType.idr].some((type) => type === typeOf(nal))),
  )

export const isKey = (unit: { nals: Buffer[] } | undefined) =>
  unit?.nals.some((nal) => typeOf(nal) === nalType.idr) ?? false

/** Waits until the reader has got so many pictures more. */
export function more(client: RtspReader, count: number) {
  const wanted = client.units.length + count
  return until(`${count} more pictures`, () => client.units.length >= wanted)
}
