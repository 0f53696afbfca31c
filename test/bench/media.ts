import { fork, spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { parseArgs } from 'node:util'
import type { WebSocket } from 'ws'
import { liveFrame } from '../../hub/schema/live.ts'
import { h264Sample, typeOf } from '../support/h264-sample.ts'
import { livePage } from '../support/media-role.ts'
import { faultyRtsp, plainSdp } from '../support/rtsp-faulty.ts'

/** One figure beside the peer's in the same run; ratio = value / peer. */
interface Figure {
  name: string
  value: number
  unit: string
  peer: number
  ratio: number
}

const ticksPerS = 100

/** CPU seconds a process used so far. */
function cpuS(pid = 0): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / ticksPerS
}

/** Proportional memory of a process, MB. */
function pssMb(pid = 0): number {
  const line = /^Pss:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))
  return Number(line?.[1] ?? Number.NaN) / 1024
}

const median = (values: readonly number[]) =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? Number.NaN

interface Measured {
  cpuPercent: number
  pss: number
  coldMs: number
  warmMs: number
}

async function measure(children: readonly ChildProcess[], seconds: number) {
  const before = children.reduce((sum, { pid }) => sum + cpuS(pid), 0)
  const from = performance.now()
  await delay(seconds * 1000)
  const used = children.reduce((sum, { pid }) => sum + cpuS(pid), 0) - before
  return {
    cpuPercent: (used / ((performance.now() - from) / 1000)) * 100,
    pss: children.reduce((sum, { pid }) => sum + pssMb(pid), 0),
  }
}

/** With the parameter sets in it, so that the peer need not wait for them. */
function sdpOf(pictures: readonly Buffer[][]): string {
  const sets = pictures[0]?.filter((nal) => typeOf(nal) === 7 || typeOf(nal) === 8) ?? []
  const sprop = sets.map((nal) => nal.toString('base64')).join(',')
  return plainSdp.replace(
    'packetization-mode=1',
    `packetization-mode=1;sprop-parameter-sets=${sprop}`,
  )
}

/** The first key picture of a tile. */
function firstKey(socket: WebSocket, tile: number): Promise<void> {
  return new Promise((resolve) => {
    socket.on('message', (data: Buffer, binary) => {
      if (binary && data[0] === tile && data[1] === liveFrame.key) resolve()
    })
  })
}

/** The hub's media role, each camera watched by one tile of one page. */
async function relay(urls: readonly string[], seconds: number): Promise<Measured> {
  const child = fork(fileURLToPath(new URL('./media-relay.ts', import.meta.url)), [...urls])
  const [{ port }] = (await once(child, 'message')) as [{ port: number }]
  const page = await livePage(port)
  page.socket.setMaxListeners(200)
  const from = performance.now()
  const cold = urls.map(async (_, tile) => {
    page.play(tile, `cam-${tile}`)
    await firstKey(page.socket, tile)
    return performance.now() - from
  })
  const coldMs = median(await Promise.all(cold))
  const steady = await measure([child], seconds)
  const joins: number[] = []
  for (let each = 0; each < 10; each++) {
    const late = await livePage(port)
    const asked = performance.now()
    late.play(0, 'cam-0')
    await firstKey(late.socket, 0)
    joins.push(performance.now() - asked)
    late.socket.terminate()
  }
  page.socket.terminate()
  child.disconnect()
  await once(child, 'exit')
  return { ...steady, coldMs, warmMs: median(joins) }
}

/** The usual way: one ffmpeg per camera, copied into fragmented MP4 on a pipe. */
async function ffmpegs(urls: readonly string[], seconds: number): Promise<Measured> {
  const started = urls.map((url) => {
    const from = performance.now()
    const withUser = url.replace('rtsp://', 'rtsp://hub:bench@')
    const child = spawn(
      'ffmpeg',
      [
        [
          '-v',
          'error',
          '-nostdin',
          '-analyzeduration',
          '0',
          '-rtsp_transport',
          'tcp',
          '-i',
          withUser,
          '-c',
          'copy',
        ],
        ['-f', 'mp4', '-movflags', 'empty_moov+default_base_moof+frag_every_frame', 'pipe:1'],
      ].flat(),
      { stdio: ['ignore', 'pipe', 'inherit'] },
    )
    const media = new Promise<number>((resolve) => {
      child.stdout.on('data', (chunk: Buffer) => {
        if (chunk.includes('mdat')) resolve(performance.now() - from)
      })
    })
    return { child, media }
  })
  const coldMs = median(await Promise.all(started.map(({ media }) => media)))
  const children = started.map(({ child }) => child)
  const steady = await measure(children, seconds)
  for (const child of children) child.kill('SIGKILL')
  // Without a relay each further viewer is a further cold pull.
  return { ...steady, coldMs, warmMs: coldMs }
}

/**
 * Live relay of many cameras, beside one ffmpeg per camera in the same run. Options: `--cameras 10`,
 * `--seconds 20`, `--kbps 800`, `--size 640x360` (25 frames a second, a key picture each second).
 */
export async function run(args: readonly string[], print: (figure: Figure) => void): Promise<void> {
  const { values } = parseArgs({
    args: [...args],
    options: {
      cameras: { type: 'string', default: '10' },
      seconds: { type: 'string', default: '20' },
      kbps: { type: 'string', default: '800' },
      size: { type: 'string', default: '640x360' },
    },
  })
  const count = Number(values.cameras)
  const [width = 640, height = 360] = values.size.split('x').map(Number)
  const pictures = h264Sample({ width, height, kbps: Number(values.kbps), frames: 100, gop: 25 })
  const digest = { user: 'hub', password: 'bench', algorithm: 'MD5' as const }
  const cameras = await Promise.all(
    Array.from({ length: count }, () => faultyRtsp({ pictures, digest, sdp: sdpOf(pictures) })),
  )
  const urls = cameras.map(({ url }) => url)
  const ours = await relay(urls, Number(values.seconds))
  const peer = await ffmpegs(urls, Number(values.seconds))
  await Promise.all(cameras.map((camera) => camera.close()))
  const figure = (name: string, unit: string, value: number, other: number): Figure => ({
    name: `media ${count} x ${values.size} ${values.kbps} kbit/s: ${name}`,
    value: Math.round(value * 10) / 10,
    unit,
    peer: Math.round(other * 10) / 10,
    ratio: Math.round((value / other) * 1000) / 1000,
  })
  print(figure('CPU', '% of a core', ours.cpuPercent, peer.cpuPercent))
  print(figure('memory, PSS', 'MB', ours.pss, peer.pss))
  print(figure('first picture, cold', 'ms', ours.coldMs, peer.coldMs))
  print(figure('first picture, running camera', 'ms', ours.warmMs, peer.warmMs))
}
