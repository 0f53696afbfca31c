import type { Socket } from 'node:net'
import type { Clip, ClipFrame, ClipShelf } from './h264-clip.ts'
import { nalType } from './h264-clip.ts'
import type { Random } from './random.ts'
import { packetize, type RtpSender, senderReport } from './rtp.ts'
import { makeSei } from './sei.ts'

/**
 * What can be wrong with a camera. `freeze`: the picture stands, the stream runs. `stall`: the
 * connection stands, nothing comes. `drops`: every connection ends after 3 s. `offline`: hangs up on
 * every request. `dark`: without power, answers nothing. `wrong-password`: refuses the right one, too.
 * `garbage`: bytes that are no video, some no RTP.
 */
export type CameraFault =
  | 'freeze'
  | 'stall'
  | 'drops'
  | 'offline'
  | 'dark'
  | 'wrong-password'
  | 'garbage'

/** RTP clock of video, per second. */
const rtpClock = 90_000
const reportEveryMs = 5_000
/** Unsent bytes after which a viewer gets nothing until the next IDR finds it caught up. */
export const viewerLimit = 512 * 1024
const stalledLimitMs = 10_000
const dropAfterMs = 3_000

/** One player of one camera. Times are `performance.now` milliseconds. */
export interface Viewer extends RtpSender {
  socket: Socket
  /** RTP timestamp of the camera's frame 0. */
  timestampBase: number
  since: number
  awaitsKey: boolean
  reportedAt: number
  blockedSince: number | undefined
}

/** Counts of one camera since the start. */
export interface CameraStats {
  viewers: number
  frames: number
  /** Pictures a slow viewer did not get. */
  skipped: number
}

export interface CameraStreamDeps {
  deviceId: string
  shelf: ClipShelf
  /** Which clip and where in it the camera begins: chance of the county, not of the run. */
  random: Random
  /** Epoch ms, for the SEI and the sender reports. */
  clock: () => number
  /** Filler added to reach this rate, kbit/s; 0 = the clip as it is. */
  fillKbps: number
}

/** One camera's encoder: begins with an IDR for its first viewer and does nothing without one. */
export class CameraStream {
  fault: CameraFault | undefined
  readonly stats: CameraStats = { viewers: 0, frames: 0, skipped: 0 }
  readonly #deps: CameraStreamDeps
  readonly #clip: Clip
  readonly #viewers = new Set<Viewer>()
  readonly #frameMs: number
  /** First frame of the clip the camera shows at time 0. */
  readonly #phase: number
  #anchorAt = 0
  /** Clip frame at the anchor, an IDR. */
  #anchorFrame = 0
  /** Newest frame sent since the anchor, counted from 0. */
  #sent = -1
  /** Clip frame of the IDR a frozen camera shows. */
  #frozenAt: number | undefined

  constructor(deps: CameraStreamDeps) {
    const { clips } = deps.shelf
    const clip = clips[Math.floor(deps.random() * clips.length)]
    if (!clip) throw new Error('a camera needs a clip')
    this.#deps = deps
    this.#clip = clip
    this.#frameMs = 1000 / clip.fps
    this.#phase = Math.floor((deps.random() * clip.frames.length) / clip.gop) * clip.gop
  }

  get clip() {
    return this.#clip
  }

  get idle() {
    return this.#viewers.size === 0
  }

  /** Frames per second it gives: what its heartbeat says. */
  get fps() {
    return this.fault === 'stall' || this.fault === 'dark' ? 0 : this.#clip.fps
  }

  /** Adds a viewer and returns the RTP timestamp its first frame will have. */
  join(viewer: Viewer, now: number): number {
    if (this.idle) {
      const shown = Math.floor(now / this.#frameMs) + this.#phase
      this.#anchorFrame = (shown - (shown % this.#clip.gop)) % this.#clip.frames.length
      this.#anchorAt = now
      this.#sent = -1
    }
    this.#viewers.add(viewer)
    this.stats.viewers = this.#viewers.size
    const nextKey = Math.ceil((this.#sent + 1) / this.#clip.gop) * this.#clip.gop
    return this.#timestamp(viewer, nextKey)
  }

  leave(viewer: Viewer) {
    this.#viewers.delete(viewer)
    this.stats.viewers = this.#viewers.size
  }

  /** Sets or clears a fault; connections that cannot outlive it end. */
  set(fault: CameraFault | undefined) {
    const before = this.fault
    this.fault = fault
    const ends = fault === 'offline' || fault === 'wrong-password' || fault === 'drops'
    // A camera whose power is back knows nothing of old connections; garbage leaves no framing.
    if (ends || before === 'dark' || before === 'garbage') this.hangUp()
  }

  hangUp() {
    for (const viewer of this.#viewers) viewer.socket.destroy()
  }

  /** Sends every frame that is due. */
  advance(now: number) {
    if (this.fault === 'drops')
      for (const viewer of this.#viewers)
        if (now - viewer.since >= dropAfterMs) viewer.socket.destroy()
    const due = Math.floor((now - this.#anchorAt) / this.#frameMs)
    const silent = this.fault === 'stall' || this.fault === 'dark'
    // Behind by more than a group (the process slept): a cut, as from a camera that dropped frames.
    if (silent || due - this.#sent > this.#clip.gop) {
      for (const viewer of this.#viewers) viewer.awaitsKey = true
      this.#sent = silent ? due : due - 1
    }
    while (this.#sent < due) {
      this.#sent++
      this.#send(this.#sent, now)
    }
  }

  #timestamp = (viewer: Viewer, frame: number) =>
    (viewer.timestampBase + frame * (rtpClock / this.#clip.fps)) % 2 ** 32

  /** The picture with this number, or what a frozen camera sends in its place. */
  #picture(number: number): ClipFrame | undefined {
    const clip = this.#clip
    const index = (this.#anchorFrame + number) % clip.frames.length
    const position = index % clip.gop
    // Both ways only at an IDR: the pictures between refer to the one before.
    if (position === 0)
      this.#frozenAt = this.fault === 'freeze' ? (this.#frozenAt ?? index) : undefined
    if (this.#frozenAt === undefined) return clip.frames[index]
    return position === 0 ? clip.frames[this.#frozenAt] : this.#deps.shelf.holds[position]
  }

  #send(number: number, now: number) {
    const frame = this.#picture(number)
    if (!frame) return
    const { deviceId, clock, fillKbps } = this.#deps
    const at = clock()
    const slice = frame.nals.length - 1
    const nals = [
      ...frame.nals.slice(0, slice),
      makeSei({ deviceId, at }),
      ...frame.nals.slice(slice),
      ...filler(frame, (fillKbps * 1000) / 8 / this.#clip.fps),
    ]
    this.stats.frames++
    for (const viewer of this.#viewers) {
      if (!this.#ready(viewer, frame.key, now)) continue
      const timestamp = this.#timestamp(viewer, number)
      if (this.fault === 'garbage') {
        viewer.socket.write(garbage(viewer, this.#deps.random, timestamp))
        continue
      }
      if (now - viewer.reportedAt >= reportEveryMs) {
        viewer.reportedAt = now
        viewer.socket.write(senderReport(viewer, at, timestamp))
      }
      viewer.socket.write(packetize(viewer, nals, timestamp))
    }
  }

  /** Whether this viewer gets this frame: a slow one is skipped to an IDR, a dead one hung up on. */
  #ready(viewer: Viewer, key: boolean, now: number): boolean {
    const unsent = viewer.socket.writableLength
    if (unsent > viewerLimit) {
      viewer.awaitsKey = true
      viewer.blockedSince ??= now
      if (now - viewer.blockedSince > stalledLimitMs) viewer.socket.destroy()
    }
    if (viewer.awaitsKey && key && unsent < viewerLimit / 4) {
      viewer.awaitsKey = false
      viewer.blockedSince = undefined
    }
    if (viewer.awaitsKey) this.stats.skipped++
    return !viewer.awaitsKey
  }
}

/** A filler data NAL unit (7.3.2.7) that brings the frame to `bytes`; it follows the slice. */
function filler(frame: ClipFrame, bytes: number): Buffer[] {
  const missing = Math.floor(bytes - frame.nals.reduce((sum, nal) => sum + nal.length, 0))
  if (missing < 3) return []
  const nal = Buffer.alloc(missing, 0xff)
  nal[0] = nalType.filler
  nal[missing - 1] = 0x80
  return [nal]
}

/** Bytes of chance: three in four framed as RTP, the rest not even that. */
function garbage(viewer: Viewer, random: Random, timestamp: number): Buffer {
  const noise = Buffer.from(Array.from({ length: 100 + random() * 900 }, () => random() * 256))
  return random() < 0.25 ? noise : packetize(viewer, [noise], timestamp)
}
