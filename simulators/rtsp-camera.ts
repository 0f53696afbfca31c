import { createServer, type Socket } from 'node:net'
import { type CameraFault, type CameraStats, CameraStream } from './camera-stream.ts'
import type { ClipShelf } from './h264-clip.ts'
import { seeded, seedOf } from './random.ts'
import { serveRtsp, type ServedCamera } from './rtsp-connection.ts'

/** A camera the server plays. */
export interface RtspCamera {
  deviceId: string
  user: string
  password: string
}

export interface RtspServerDeps {
  cameras: readonly RtspCamera[]
  shelf: ClipShelf
  seed: number
  /** Epoch ms. */
  clock: () => number
  /** Milliseconds that never go back. */
  now?: (() => number) | undefined
  host?: string | undefined
  /** 0 takes a free one. */
  port: number
  /** Filler added to each stream to reach this rate, kbit/s: benchmarks at real rates. */
  fillKbps?: number | undefined
}

/** One TCP server for all cameras, a path each: `rtsp://host:port/<deviceId>`. */
export interface RtspServer {
  port: number
  fault(deviceId: string, fault: CameraFault | undefined): void
  faultOf(deviceId: string): CameraFault | undefined
  /** Frames per second the camera gives now. */
  fps(deviceId: string): number
  stats(deviceId: string): CameraStats | undefined
  close(): Promise<void>
}

const connectionLimit = 4_000
/** Half a frame: a frame leaves at most 20 ms late. */
const tickMs = 20

/**
 * Starts the cameras' RTSP 1.0 server: Digest, TCP interleaved, H.264 from shared clips, no ffmpeg.
 * Without viewers no timer runs.
 * @throws Error in one sentence when the port is taken
 */
export async function startRtsp(deps: RtspServerDeps): Promise<RtspServer> {
  const now = deps.now ?? (() => performance.now())
  const cameras = new Map<string, ServedCamera>(
    deps.cameras.map((camera) => [
      camera.deviceId,
      { ...camera, stream: streamOf(deps, camera.deviceId) },
    ]),
  )
  const sockets = new Set<Socket>()
  const active = new Set<CameraStream>()
  let ticker: NodeJS.Timeout | undefined

  function tick() {
    const at = now()
    for (const stream of active) {
      if (stream.idle) active.delete(stream)
      else stream.advance(at)
    }
    if (active.size > 0) return
    clearInterval(ticker)
    ticker = undefined
  }
  function wake(stream: CameraStream) {
    active.add(stream)
    ticker ??= setInterval(tick, tickMs)
  }

  const server = createServer((socket) => {
    if (sockets.size >= connectionLimit) {
      socket.destroy()
      return
    }
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    serveRtsp({ socket, camera: (id) => cameras.get(id), now, onPlay: wake })
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(inWords(error, deps.port)))
    server.listen(deps.port, deps.host ?? '127.0.0.1', resolve)
  })
  const address = server.address()

  return {
    port: typeof address === 'object' && address ? address.port : deps.port,
    fault: (deviceId, fault) => cameras.get(deviceId)?.stream.set(fault),
    faultOf: (deviceId) => cameras.get(deviceId)?.stream.fault,
    fps: (deviceId) => cameras.get(deviceId)?.stream.fps ?? 0,
    stats: (deviceId) => cameras.get(deviceId)?.stream.stats,
    close: () =>
      new Promise((resolve) => {
        clearInterval(ticker)
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

const inWords = (error: Error, port: number) =>
  'code' in error && error.code === 'EADDRINUSE'
    ? new Error(
        `port ${port} for the cameras is in use: stop the other program or choose another --rtsp-port`,
      )
    : error

const streamOf = ({ shelf, seed, clock, fillKbps = 0 }: RtspServerDeps, deviceId: string) =>
  new CameraStream({
    deviceId,
    shelf,
    random: seeded(seedOf(seed, `picture ${deviceId}`)),
    clock,
    fillKbps,
  })
