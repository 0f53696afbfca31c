import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { nalType, splitAnnexB, typeOf } from '../../simulators/h264-clip.ts'
import type { RtspServer } from '../../simulators/rtsp-camera.ts'
import { readSei } from '../../simulators/sei.ts'
import { hasFfmpeg, rtspServer } from '../support/sim-rtsp.ts'

/** Clients nobody here wrote: FFmpeg's RTSP, RTP and H.264 code. */
const run = promisify(execFile)
const without = !hasFfmpeg()
let server: RtspServer
beforeAll(async () => {
  server = await rtspServer()
})
afterAll(() => server.close())

const url = (camera: string, password = 'secret') =>
  `rtsp://viewer:${password}@127.0.0.1:${server.port}/${camera}`
const input = (camera: string) => ['-v', 'error', '-rtsp_transport', 'tcp', '-i', url(camera)]

/** Runs ffmpeg to its end and returns what it wrote. */
async function output(child: ChildProcess): Promise<Buffer> {
  const chunks: Buffer[] = []
  child.stdout?.on('data', (chunk: Buffer) => chunks.push(chunk))
  await once(child, 'close')
  return Buffer.concat(chunks)
}
const ffmpeg = (args: string[]) => spawn('ffmpeg', args, { stdio: ['ignore', 'pipe', 'inherit'] })

test.skipIf(without)('ffprobe finds H.264 constrained baseline, 640x360, 25 fps', async () => {
  const { stdout } = await run(
    'ffprobe',
    ['-v', 'error', '-rtsp_transport', 'tcp', '-show_streams', '-of', 'json', url('cam-1')],
    { timeout: 15_000 },
  )
  expect(JSON.parse(stdout)).toMatchObject({
    streams: [
      {
        codec_name: 'h264',
        profile: 'Constrained Baseline',
        width: 640,
        height: 360,
        r_frame_rate: '25/1',
      },
    ],
  })
})

test.skipIf(without)('ffprobe with a wrong password gets 401', async () => {
  const args = ['-v', 'error', '-rtsp_transport', 'tcp', url('cam-1', 'wrong')]
  await expect(run('ffprobe', args, { timeout: 15_000 })).rejects.toMatchObject({
    stderr: expect.stringContaining('401 Unauthorized'),
  })
})

test.skipIf(without)('id and clock come through a stream that ffmpeg took and wrote', async () => {
  const before = Date.now()
  const bytes = await output(
    ffmpeg([...input('cam-2'), '-frames:v', '40', '-c', 'copy', '-f', 'h264', '-']),
  )
  const nals = splitAnnexB(bytes)
  const slices = nals.filter((nal) => [nalType.slice, nalType.idr].some((t) => t === typeOf(nal)))
  const marks = nals.map(readSei).filter((mark) => mark !== undefined)
  expect(slices.length).toBeGreaterThanOrEqual(40)
  expect(marks.length).toBeGreaterThanOrEqual(40)
  expect(new Set(marks.map(({ deviceId }) => deviceId))).toEqual(new Set(['cam-2']))
  const times = marks.map(({ at }) => at)
  expect(Math.min(...times)).toBeGreaterThanOrEqual(before)
  expect(Math.max(...times)).toBeLessThanOrEqual(Date.now())
  // 39 steps of 40 ms, with the lateness of a busy machine.
  const span = (times[39] ?? 0) - (times[0] ?? 0)
  expect(span).toBeGreaterThan(1_400)
  expect(span).toBeLessThan(2_600)
})

const width = 160
const height = 90

const distinct = (pictures: Buffer[]) => new Set(pictures.map((one) => one.toString('base64'))).size

/** Decodes pictures to grey as they come; calls back with each one's pixels. */
function watch(camera: string, onPicture: (pixels: Buffer, stop: () => void) => void) {
  const child = ffmpeg([
    ...input(camera),
    '-vf',
    `scale=${width}:${height}:flags=area,format=gray`,
    '-f',
    'rawvideo',
    '-',
  ])
  let held: Buffer = Buffer.alloc(0)
  child.stdout.on('data', (chunk: Buffer) => {
    held = Buffer.concat([held, chunk])
    for (; held.length >= width * height; held = held.subarray(width * height))
      onPicture(Buffer.from(held.subarray(0, width * height)), () => child.kill('SIGKILL'))
  })
  return once(child, 'close')
}

test.skipIf(without)(
  'decoded pictures all differ, and all are equal once the camera freezes',
  async () => {
    const running: Buffer[] = []
    const frozen: Buffer[] = []
    let sinceFault = 0
    await watch('cam-3', (pixels, stop) => {
      if (running.length < 50) {
        running.push(pixels)
        if (running.length === 50) server.fault('cam-3', 'freeze')
        return
      }
      sinceFault++
      // It freezes at the next IDR, 25 pictures on at most; some are still on their way.
      if (sinceFault > 45) frozen.push(pixels)
      if (frozen.length === 30) stop()
    })
    expect(distinct(running)).toBe(50)
    expect(distinct(frozen)).toBe(1)
  },
)
