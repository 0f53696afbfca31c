import { connect, type Socket } from 'node:net'
import { asFault, StreamFault } from '../fault.ts'
import { judgedAddress, type AddressJudge, type Lookup } from './address.ts'
import { rtspDialogue, type Dialogue } from './dialogue.ts'
import type { Credential } from './digest.ts'
import { rtspReader, type RtspMessage } from './reader.ts'
import { controlUrl, readSdp, withoutUser, type VideoTrack } from './sdp.ts'

export interface RtspDeps {
  lookup: Lookup
  judge: AddressJudge
  /** 16 random hex digits for Digest. */
  cnonce: () => string
}

export interface RtspTarget {
  /** `rtsp://host[:port]/path`, no user in it. */
  url: string
  credential: Credential | undefined
}

export interface RtspListener {
  /** The track is known; packets follow. */
  track(track: VideoTrack): void
  /** An RTP packet of the video track. */
  rtp(packet: Buffer): void
  /** An RTCP packet of the video track. */
  rtcp(packet: Buffer): void
  /** The session is over; called once, also when it never began. */
  ended: (fault: StreamFault) => void
}

export interface RtspLimits {
  connectTimeoutMs: number
  requestTimeoutMs: number
}

export const rtspLimits: RtspLimits = { connectTimeoutMs: 5_000, requestTimeoutMs: 5_000 }

export interface RtspSession {
  /** Sends an RTCP packet to the camera. */
  report(packet: Buffer): void
  /** Says TEARDOWN and closes; `ended` is not called. */
  close: () => void
}

/** Host, port and clean address of a camera. @throws StreamFault `not-allowed-address` for other schemes */
export function cameraAddress(url: string): { host: string; port: number; url: string } {
  const match = /^rtsp:\/\/(\[[0-9a-fA-F:.]+\]|[^/:?#@\s]+)(?::(\d{1,5}))?((?:[/?][\x21-\x7e]*)?)$/i
  const parts = match.exec(withoutUser(url))
  const port = Number(parts?.[2] ?? 554)
  if (!parts || url.length > 1024 || port < 1 || port > 65_535)
    throw new StreamFault('not-allowed-address', 'not an rtsp:// address')
  return { host: parts[1] ?? '', port, url: withoutUser(url) }
}

/**
 * Pulls one camera over one TCP connection (RFC 2326, interleaved). Starts at once; everything that
 * can go wrong arrives as one `ended`.
 */
export function pullRtsp(
  target: RtspTarget,
  listener: RtspListener,
  { lookup, judge, cnonce }: RtspDeps,
  limits: RtspLimits = rtspLimits,
): RtspSession {
  let socket: Socket | undefined
  let dialogue: Dialogue | undefined
  let keepAlive: NodeJS.Timeout | undefined
  let playing: Playing | undefined
  let over = false

  function finish(fault: StreamFault | undefined) {
    if (over) return
    over = true
    clearTimeout(keepAlive)
    dialogue?.end(fault ?? new StreamFault('unreachable', 'closed by the hub'))
    socket?.destroy()
    if (fault) listener.ended(fault)
  }

  function onMessage(message: RtspMessage) {
    if (message.method === undefined) dialogue?.answered(message)
    else if (message.method === 'REDIRECT')
      finish(new StreamFault('refused', 'the camera sent REDIRECT: not followed'))
    else dialogue?.asked(message)
  }

  function onPacket(channel: number, data: Buffer) {
    if (over || !playing) return
    if (channel === playing.rtpChannel) listener.rtp(data)
    else if (channel === playing.rtpChannel + 1) listener.rtcp(data)
  }

  async function run() {
    const { host, port, url } = cameraAddress(target.url)
    const address = await judgedAddress(host, { lookup, judge })
    if (over) return
    const reader = rtspReader({
      message: onMessage,
      packet: onPacket,
      broken: (why) => finish(new StreamFault('garbage', why)),
    })
    const feed = (chunk: Buffer) => reader.feed(chunk)
    const open = await openSocket(address, port, limits.connectTimeoutMs, feed)
    if (over) {
      open.destroy()
      return
    }
    socket = open
    open.on('error', (error) => finish(asFault(error)))
    open.on('close', () =>
      finish(new StreamFault('unreachable', 'the camera closed the connection')),
    )
    const talk = rtspDialogue({
      write: (text) => void (open.writable && open.write(text)),
      credential: target.credential,
      cnonce,
      requestTimeoutMs: limits.requestTimeoutMs,
    })
    dialogue = talk
    playing = await begin(talk, url, (setup) => {
      playing = setup
      listener.track(setup.track)
    })
    keepSessionAlive(talk, playing)
  }

  function keepSessionAlive(talk: Dialogue, setup: Playing) {
    if (over) return
    keepAlive = setTimeout(() => {
      // Unanswered keep-alives are no reason to end: whether frames come is judged elsewhere.
      talk
        .request(setup.keepAliveMethod, setup.base, [`Session: ${setup.session}`])
        .catch((error: unknown) => {
          const fault = asFault(error)
          if (fault.code === 'wrong-password' || fault.code === 'no-such-channel') finish(fault)
        })
        .finally(() => keepSessionAlive(talk, setup))
    }, setup.keepAliveMs)
  }

  run().catch((error: unknown) => finish(asFault(error)))

  return {
    report(packet) {
      if (over || !playing || !socket?.writable || socket.writableLength > 65_536) return
      const head = Buffer.from([
        0x24,
        playing.rtpChannel + 1,
        packet.length >> 8,
        packet.length & 255,
      ])
      socket.write(Buffer.concat([head, packet]))
    },
    close() {
      if (over) return
      const { base, session } = playing ?? {}
      if (base && socket?.writable) {
        dialogue?.request('TEARDOWN', base, [`Session: ${session}`]).catch(() => undefined)
        socket.end()
      }
      const last = socket
      socket = undefined
      finish(undefined)
      // A camera that never closes its side must not keep the descriptor.
      setTimeout(() => last?.destroy(), 1_000).unref()
    },
  }
}

const readSize = 64 * 1024
const slabSize = 256 * 1024

interface Playing {
  track: VideoTrack
  rtpChannel: number
  base: string
  session: string
  keepAliveMs: number
  keepAliveMethod: 'GET_PARAMETER' | 'OPTIONS'
}

async function begin(
  talk: Dialogue,
  url: string,
  onSetup: (playing: Playing) => void,
): Promise<Playing> {
  // Some cameras demand OPTIONS first, some refuse it: only a lost connection counts.
  const options = await talk.request('OPTIONS', url).catch((error: unknown) => {
    if (asFault(error).code === 'refused') return undefined
    throw error
  })
  const methods = options?.headers.get('public')?.join(',') ?? ''
  const described = await talk.request('DESCRIBE', url, ['Accept: application/sdp'])
  const { track, control } = readSdp(described.body.toString('utf8'))
  const header = (name: string) => described.headers.get(name)?.[0]
  const base = safeBase(header('content-base') ?? header('content-location')) ?? url
  const setup = await talk.request('SETUP', controlUrl(base, track.control), [
    'Transport: RTP/AVP/TCP;unicast;interleaved=0-1',
  ])
  const aggregate = controlUrl(base, control)
  const [session, timeoutS] = sessionOf(setup)
  const playing: Playing = {
    track,
    rtpChannel: interleavedChannel(setup),
    base: aggregate,
    session,
    keepAliveMs: Math.min(Math.max(timeoutS, 4) / 2, 30) * 1_000,
    keepAliveMethod: methods.includes('GET_PARAMETER') ? 'GET_PARAMETER' : 'OPTIONS',
  }
  // Before PLAY: the first packets may share a read with its answer.
  onSetup(playing)
  await talk.request('PLAY', aggregate, [`Session: ${session}`, 'Range: npt=0.000-'])
  return playing
}

function safeBase(text: string | undefined): string | undefined {
  if (text === undefined || text.length > 1024) return undefined
  return /^rtsps?:\/\/[\x21-\x7e]+$/i.test(text) ? withoutUser(text) : undefined
}

function sessionOf(setup: RtspMessage): [id: string, timeoutS: number] {
  const [id = '', ...parameters] = (setup.headers.get('session')?.[0] ?? '').split(';')
  if (!/^[\x21-\x7e]{1,256}$/.test(id)) throw new StreamFault('garbage', 'SETUP gave no session')
  const timeout = parameters
    .map((each) => /^\s*timeout\s*=\s*(\d{1,6})/i.exec(each)?.[1])
    .find(Boolean)
  return [id, timeout === undefined ? 60 : Number(timeout)]
}

function interleavedChannel(setup: RtspMessage): number {
  const transport = setup.headers.get('transport')?.[0] ?? ''
  if (!/RTP\/AVP\/TCP/i.test(transport))
    throw new StreamFault('refused', 'the camera does not send over TCP')
  const channel = /interleaved\s*=\s*(\d{1,3})/i.exec(transport)?.[1]
  return channel === undefined ? 0 : Math.min(Number(channel), 254)
}

/**
 * Reads into one buffer for the life of the connection and hands out copies cut from a slab. By
 * default the runtime takes 64 KiB anew for every read, most of it unused: a third of the relay's
 * time went into collecting them.
 */
function slabReader(onData: (chunk: Buffer) => void) {
  let slab = Buffer.allocUnsafeSlow(slabSize)
  let used = 0
  return {
    buffer: Buffer.allocUnsafeSlow(readSize),
    callback(length: number, read: Uint8Array) {
      if (used + length > slabSize) {
        slab = Buffer.allocUnsafeSlow(slabSize)
        used = 0
      }
      const chunk = slab.subarray(used, used + length)
      used += length
      chunk.set(read.subarray(0, length))
      onData(chunk)
      return true
    },
  }
}

function openSocket(
  address: string,
  port: number,
  timeoutMs: number,
  onData: (chunk: Buffer) => void,
): Promise<Socket> {
  const { promise, resolve, reject } = Promise.withResolvers<Socket>()
  const socket = connect({ host: address, port, noDelay: true, onread: slabReader(onData) })
  const timer = setTimeout(() => {
    socket.destroy()
    reject(new StreamFault('timeout', 'no connection in time'))
  }, timeoutMs)
  const failed = (error: Error) => {
    clearTimeout(timer)
    reject(asFault(error))
  }
  socket.once('error', failed)
  socket.once('connect', () => {
    clearTimeout(timer)
    socket.off('error', failed)
    resolve(socket)
  })
  return promise
}
