import { randomBytes } from 'node:crypto'
import type { Socket } from 'node:net'
import type { CameraStream, Viewer } from './camera-stream.ts'
import { proves } from './rtsp-digest.ts'
import { requestReader, response, type RtspRequest } from './rtsp-message.ts'

const realm = 'jifang-sim'
/** A connection that plays nothing and asks nothing is closed. */
const idleLimitMs = 60_000

/** A camera as the server knows it. */
export interface ServedCamera {
  stream: CameraStream
  user: string
  password: string
}

export interface ConnectionDeps {
  socket: Socket
  camera(deviceId: string): ServedCamera | undefined
  /** Milliseconds that never go back. */
  now: () => number
  /** Called when a camera got a viewer: time to begin sending. */
  onPlay(stream: CameraStream): void
}

/** Serves one RTSP connection until it closes. */
export function serveRtsp(deps: ConnectionDeps) {
  const connection = new RtspConnection(deps)
  connection.listen()
}

/** One RTSP connection: at most one camera, at most one stream, over TCP interleaved. */
class RtspConnection {
  readonly #deps: ConnectionDeps
  /** Only nonces we gave are good, each for its own connection. */
  readonly #nonce = randomBytes(16).toString('hex')
  readonly #session = randomBytes(8).toString('hex')
  #channel: number | undefined
  #playing: { stream: CameraStream; viewer: Viewer } | undefined

  constructor(deps: ConnectionDeps) {
    this.#deps = deps
  }

  listen() {
    const { socket } = this.#deps
    const read = requestReader((request) => this.#onRequest(request))
    socket.setNoDelay(true)
    socket.setTimeout(idleLimitMs)
    socket.on('timeout', () => socket.destroy())
    socket.on('error', () => socket.destroy())
    socket.on('close', () => this.#stop())
    socket.on('data', (chunk) => {
      try {
        read(chunk)
      } catch {
        socket.end(response('400 Bad Request', '0'))
      }
    })
  }

  #onRequest(request: RtspRequest) {
    const { socket } = this.#deps
    if (socket.destroyed) return
    const cseq = request.headers.get('cseq')
    if (!cseq || !/^\d{1,10}$/.test(cseq)) {
      socket.write(response('400 Bad Request', '0'))
      return
    }
    const camera = this.#deps.camera(deviceOf(request.uri))
    if (!camera) {
      const aboutServer = request.method === 'OPTIONS'
      socket.write(aboutServer ? options(cseq) : response('404 Not Found', cseq))
      return
    }
    const { fault } = camera.stream
    if (fault === 'dark') return
    if (fault === 'offline') socket.destroy()
    else if (request.method === 'OPTIONS') socket.write(options(cseq))
    else if (!this.#allowed(request, camera))
      socket.write(
        response('401 Unauthorized', cseq, {
          'WWW-Authenticate': `Digest realm="${realm}", nonce="${this.#nonce}"`,
        }),
      )
    else this.#answer(request, cseq, camera)
  }

  #allowed({ method, headers }: RtspRequest, { stream, user, password }: ServedCamera) {
    if (stream.fault === 'wrong-password') return false
    const header = headers.get('authorization')
    return proves(header, { user, realm, password, nonce: this.#nonce, method })
  }

  #answer(request: RtspRequest, cseq: string, camera: ServedCamera) {
    const { socket } = this.#deps
    const session = { Session: `${this.#session};timeout=60` }
    switch (request.method) {
      case 'DESCRIBE':
        socket.write(
          response(
            '200 OK',
            cseq,
            { 'Content-Type': 'application/sdp', 'Content-Base': `${baseOf(request.uri)}/` },
            describe(camera.stream),
          ),
        )
        return
      case 'SETUP':
        this.#setUp(request, cseq, session)
        return
      case 'PLAY':
        this.#play(request, cseq, camera)
        return
      case 'PAUSE':
        this.#stop()
        socket.write(response('200 OK', cseq, session))
        return
      case 'GET_PARAMETER':
      case 'SET_PARAMETER':
        socket.write(response('200 OK', cseq, session))
        return
      case 'TEARDOWN':
        this.#stop()
        socket.end(response('200 OK', cseq, session))
        return
      default:
        socket.write(response('405 Method Not Allowed', cseq, { Allow: methods }))
    }
  }

  #setUp({ headers }: RtspRequest, cseq: string, session: Record<string, string>) {
    const { socket } = this.#deps
    const transport = headers.get('transport') ?? ''
    const [, channel] = /RTP\/AVP\/TCP[^,]*interleaved=(\d{1,3})/i.exec(transport) ?? []
    if (channel === undefined || Number(channel) > 254) {
      socket.write(response('461 Unsupported Transport', cseq))
      return
    }
    this.#channel = Number(channel)
    const answer = `RTP/AVP/TCP;unicast;interleaved=${this.#channel}-${this.#channel + 1}`
    socket.write(response('200 OK', cseq, { ...session, Transport: answer }))
  }

  #play({ uri }: RtspRequest, cseq: string, { stream }: ServedCamera) {
    const { socket, now } = this.#deps
    if (this.#channel === undefined) {
      socket.write(response('455 Method Not Valid in This State', cseq))
      return
    }
    const session = { Session: this.#session }
    if (this.#playing) {
      socket.write(response('200 OK', cseq, session))
      return
    }
    const chance = randomBytes(10)
    const viewer: Viewer = {
      socket,
      channel: this.#channel,
      ssrc: chance.readUInt32BE(0),
      seq: chance.readUInt16BE(4),
      timestampBase: chance.readUInt32BE(6),
      packets: 0,
      octets: 0,
      since: now(),
      awaitsKey: true,
      reportedAt: Number.NEGATIVE_INFINITY,
      blockedSince: undefined,
    }
    // Media is a sign of life in itself; our own writes would reset the timer of an idle connection.
    socket.setTimeout(0)
    const timestamp = stream.join(viewer, now())
    this.#playing = { stream, viewer }
    const info = `url=${baseOf(uri)}/trackID=1;seq=${viewer.seq};rtptime=${timestamp}`
    socket.write(response('200 OK', cseq, { ...session, Range: 'npt=now-', 'RTP-Info': info }))
    this.#deps.onPlay(stream)
  }

  #stop() {
    if (!this.#playing) return
    this.#playing.stream.leave(this.#playing.viewer)
    this.#playing = undefined
    this.#deps.socket.setTimeout(idleLimitMs)
  }
}

const methods = 'OPTIONS, DESCRIBE, SETUP, PLAY, PAUSE, GET_PARAMETER, TEARDOWN'
const options = (cseq: string) => response('200 OK', cseq, { Public: methods })

/** First step of the path: `rtsp://host:554/camera-1/trackID=1` -> `camera-1`. */
const deviceOf = (uri: string) => /^rtsps?:\/\/[^/]*\/([^/?]*)/i.exec(uri)?.[1] ?? ''

const baseOf = (uri: string) => /^rtsps?:\/\/[^/]*\/[^/?]*/i.exec(uri)?.[0] ?? uri

/** The session description: one H.264 track with its parameter sets (RFC 6184 8.2). */
function describe({ clip: { sps, pps, fps } }: CameraStream): string {
  const profile = sps.subarray(1, 4).toString('hex').toUpperCase()
  const sets = `${sps.toString('base64')},${pps.toString('base64')}`
  return [
    'v=0',
    'o=- 0 0 IN IP4 127.0.0.1',
    's=simulated camera',
    'c=IN IP4 0.0.0.0',
    't=0 0',
    'a=control:*',
    'a=range:npt=now-',
    'm=video 0 RTP/AVP 96',
    'a=rtpmap:96 H264/90000',
    `a=framerate:${fps}`,
    `a=fmtp:96 packetization-mode=1;profile-level-id=${profile};sprop-parameter-sets=${sets}`,
    'a=control:trackID=1',
    '',
  ].join('\r\n')
}
