import { spawnSync } from 'node:child_process'
import { h264Muxer } from '../../hub/media/fmp4/muxer.ts'
import type { Sps } from '../../hub/media/fmp4/sps.ts'
import { h264Depacketizer } from '../../hub/media/rtp/h264.ts'
import { readRtp } from '../../hub/media/rtp/packet.ts'
import { timeline } from '../../hub/media/rtp/timeline.ts'

/** Depacketizer and muxer as the hub joins them, for packets of a test. */
export function muxing(parameterSets: readonly Buffer[] = []) {
  const inits: Sps[] = []
  const keys: boolean[] = []
  const bytes: Buffer[] = []
  const time = timeline(90_000)
  let count = 0
  const muxer = h264Muxer(
    { timeline: time, reserve: 10, parameterSets, sequence: () => ++count },
    {
      init(init) {
        inits.push(init.sps)
        bytes.push(init.bytes)
      },
      fragment(fragment) {
        keys.push(fragment.key)
        bytes.push(fragment.bytes.subarray(10))
      },
    },
  )
  const depacketizer = h264Depacketizer({ unit: (unit) => void muxer.unit(unit) })
  return {
    inits,
    /** One entry per fragment: was it a key picture. */
    keys,
    time,
    depacketizer,
    push(packets: readonly Buffer[]) {
      for (const data of packets) {
        const packet = readRtp(data)
        if (packet) depacketizer.push(packet)
      }
    },
    file: () => Buffer.concat(bytes),
  }
}

/** What ffprobe counts in an mp4, and every error ffmpeg finds while decoding it. */
export function probe(file: Buffer) {
  const shown = spawnSync(
    'ffprobe',
    [
      ['-v', 'error', '-count_frames', '-select_streams', 'v', '-of', 'json', '-show_entries'],
      ['stream=codec_name,width,height,nb_read_frames:packet=pts,dts,duration', '-i', 'pipe:0'],
    ].flat(),
    { input: file, maxBuffer: 64 * 1024 * 1024 },
  )
  const decoded = spawnSync(
    'ffmpeg',
    // The encoder's own clock would be 25 a second, whatever the stream's is.
    [
      ['-v', 'error', '-xerror', '-i', 'pipe:0', '-fps_mode', 'passthrough'],
      ['-enc_time_base', '1:90000', '-f', 'null', '-'],
    ].flat(),
    {
      input: file,
    },
  )
  const { streams, packets } = JSON.parse(shown.stdout.toString()) as {
    streams: { codec_name: string; width: number; height: number; nb_read_frames: string }[]
    packets: { pts: number; dts: number; duration: number }[]
  }
  return {
    stream: streams[0],
    packets,
    frames: Number(streams[0]?.nb_read_frames ?? 0),
    errors: shown.stderr.toString() + decoded.stderr.toString(),
  }
}
