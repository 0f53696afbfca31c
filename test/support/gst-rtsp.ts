import { spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'

export interface GstOptions {
  user?: string
  password?: string
  auth?: 'digest' | 'basic'
  /** 0 = a free one. */
  port?: number
  width?: number
  height?: number
  fps?: number
  kbps?: number
  /** Frames between two key pictures. */
  gop?: number
  codec?: 'h264' | 'h265' | 'audio'
  mounts?: number
}

const script = fileURLToPath(new URL('./gst-rtsp.py', import.meta.url))
// Debian's interpreter: only it sees Debian's gi module.
const python = '/usr/bin/python3'

/** True where gst-rtsp-server and its Python binding are installed. */
export const hasGst = () =>
  existsSync(python) &&
  ['x86_64-linux-gnu', 'aarch64-linux-gnu'].some((triple) =>
    existsSync(`/usr/lib/${triple}/girepository-1.0/GstRtspServer-1.0.typelib`),
  )

/** Starts gst-rtsp-server on loopback; the camera is `rtsp://127.0.0.1:<port>/cam0`. */
export async function gstRtsp(options: GstOptions = {}) {
  const child = spawn(python, [script, JSON.stringify(options)], {
    stdio: ['pipe', 'pipe', 'pipe'],
  })
  let noise = ''
  child.stderr.on('data', (chunk: Buffer) => {
    noise = (noise + chunk.toString()).slice(-2000)
  })
  const gone = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const port = await new Promise<number>((resolve, reject) => {
    createInterface({ input: child.stdout }).on('line', (line) => {
      const match = /^port (\d+)$/.exec(line)
      if (match) resolve(Number(match[1]))
    })
    child.once('exit', () => reject(new Error(`gst-rtsp-server did not start: ${noise}`)))
  })
  return {
    port,
    url: `rtsp://127.0.0.1:${port}/cam0`,
    pid: child.pid,
    /** As if somebody pulled the camera's plug. */
    async kill() {
      child.kill('SIGKILL')
      await gone
    },
    /** Freezes the camera: the connection stays, nothing comes. */
    freeze: () => child.kill('SIGSTOP'),
    thaw: () => child.kill('SIGCONT'),
  }
}
