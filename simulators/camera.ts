import type { Behaviour } from './device.ts'
import { between, normal, type Random } from './random.ts'

/** What a camera tells of itself; the picture itself comes from `rtsp-camera.ts`. */
export interface CameraFigures {
  /** Frames per second the encoder gives now. */
  fps: () => number
  /** kbit/s of the stream at that rate. */
  bitrateKbps: number
}

/** Camera on mains: frames and bit rate of its encoder and its case temperature (Cel). */
export function camera(random: Random, figures: CameraFigures): Behaviour {
  const baseC = between(random, 24, 41)
  return {
    mains: true,
    caps: ['video'],
    readings() {
      const fps = figures.fps()
      const rate = (figures.bitrateKbps * fps) / 25
      return {
        fps,
        // The dialect has no capitals in names: kbit/s all the same.
        bitrate: Math.round(Math.max(0, rate * (1 + normal(random) * 0.03))),
        temperature: Math.round((baseC + normal(random) * 0.6) * 10) / 10,
      }
    },
    happen: () => undefined,
  }
}
