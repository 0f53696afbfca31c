import { createHash } from 'node:crypto'
import { createServer, type AddressInfo, type Socket } from 'node:net'
import { interleaved, packetize, type PacketOptions, type PacketState } from './rtsp-packets.ts'

export interface FaultyRequest {
  method: string
  url: string
  headers: Map<string, string>
}

export interface FaultyOptions {
  /** Pictures to send, over and over. */
  pictures?: readonly Buffer[][]
  fps?: number
  /** Bytes sent instead of an answer; undefined = the ordinary answer, null = silence. */
  answer?: (request: FaultyRequest, socket: Socket) => string | Buffer | null | undefined
  sdp?: string
  start?: Partial<PacketState>
  packets?: PacketOptions
  /** Turns the packets of picture `index` into what goes out; null ends the connection. */
  mangle?: (packets: Buffer[], index: number, state: PacketState) => (Buffer | string)[] | null
  digest?: { user: string; password: string; algorithm: 'MD5' | 'SHA-256'; nonces?: string[] }
  /** Seconds in the Session header. */
  timeoutS?: number
}

export const plainSdp = [
  'v=0',
  'o=- 0 0 IN IP4 127.0.0.1',
  's=faulty',
  't=0 0',
  'a=control:*',
  'm=video 0 RTP/AVP 96',
  'a=rtpmap:96 H264/90000',
  'a=fmtp:96 packetization-mode=1',
  'a=control:trackID=0',
  '',
].join('\r\n')

/** An RTSP camera that can do everything wrong, on a free loopback port. */
export async function faultyRtsp(options: FaultyOptions = {}) {
  const requests: FaultyRequest[] = []
  const sockets = new Set<Socket>()
  const timers = new Set<NodeJS.Timeout>()
  let connections = 0
  let received = 0
  const server = createServer((socket) => {
    connections++
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    socket.on('error', () => socket.destroy())
    let text = ''
    socket.on('data', (chunk) => {
      received += chunk.length
      text += chunk.toString('latin1')
      // Reports of the client arrive between requests; they are no text.
      text = text.replace(/^(\$[^]{3}[^]{32})+/, '')
      for (let end = text.indexOf('\r\n\r\n'); end >= 0; end = text.indexOf('\r\n\r\n')) {
        const request = parse(text.slice(0, end))
        text = text.slice(end + 4)
        requests.push(request)
        reply(socket, request)
      }
    })
  })

  function reply(socket: Socket, request: FaultyRequest) {
    const special = options.answer?.(request, socket)
    if (special === null) return
    if (special !== undefined) {
      socket.write(special)
      return
    }
    const nonces = options.digest?.nonces ?? ['n0']
    const nonce = nonces[Math.min(requests.length - 1, nonces.length - 1)] ?? 'n0'
    if (options.digest && !isProved(request, options.digest, nonce)) {
      const { algorithm } = options.digest
      socket.write(
        `RTSP/1.0 401 Unauthorized\r\nCSeq: ${request.headers.get('cseq')}\r\n` +
          `WWW-Authenticate: Digest realm="cam", nonce="${nonce}", algorithm=${algorithm}, qop="auth"\r\n\r\n`,
      )
      return
    }
    socket.write(ordinary(request, options))
    if (request.method === 'PLAY') send(socket)
    if (request.method === 'TEARDOWN') socket.end()
  }

  function send(socket: Socket) {
    const { pictures = [], fps = 25, mangle, packets } = options
    const state: PacketState = { sequence: 0, timestamp: 0, ssrc: 7, ...options.start }
    let index = 0
    const timer = setInterval(() => {
      const picture = pictures[index % pictures.length]
      if (!picture || socket.destroyed) return clearInterval(timer)
      const made = packetize(picture, state, packets)
      const out = mangle ? mangle(made, index, state) : made
      if (out === null) return void socket.destroy()
      socket.cork()
      for (const each of out) socket.write(typeof each === 'string' ? each : interleaved(0, each))
      socket.uncork()
      state.timestamp = (state.timestamp + 90_000 / fps) >>> 0
      index++
    }, 1000 / fps)
    timers.add(timer)
    socket.once('close', () => clearInterval(timer))
  }

  server.listen(0, '127.0.0.1')
  await new Promise((resolve) => server.once('listening', resolve))
  const { port } = server.address() as AddressInfo
  return {
    port,
    url: `rtsp://127.0.0.1:${port}/cam`,
    requests,
    connections: () => connections,
    /** Bytes clients sent. */
    received: () => received,
    /** Cuts every connection; new ones are accepted. */
    cut: () => sockets.forEach((socket) => socket.destroy()),
    close: async () => {
      timers.forEach((timer) => clearInterval(timer))
      sockets.forEach((socket) => socket.destroy())
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

function parse(text: string): FaultyRequest {
  const [first = '', ...lines] = text.split('\r\n')
  const [method = '', url = ''] = first.split(' ')
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    }),
  )
  return { method, url, headers }
}

function ordinary({ method, headers }: FaultyRequest, { sdp = plainSdp, timeoutS }: FaultyOptions) {
  const head = `RTSP/1.0 200 OK\r\nCSeq: ${headers.get('cseq')}\r\n`
  const session = `Session: 12345678${timeoutS === undefined ? '' : `;timeout=${timeoutS}`}\r\n`
  switch (method) {
    case 'OPTIONS':
      return `${head}Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN, GET_PARAMETER\r\n\r\n`
    case 'DESCRIBE':
      return `${head}Content-Type: application/sdp\r\nContent-Length: ${Buffer.byteLength(sdp)}\r\n\r\n${sdp}`
    case 'SETUP':
      return `${head}${session}Transport: RTP/AVP/TCP;unicast;interleaved=0-1\r\n\r\n`
    default:
      return `${head}${session}\r\n`
  }
}

/** Checks Digest on its own, apart from the client's code (RFC 7616 section 3.4.1, qop=auth). */
function isProved(
  { method, headers }: FaultyRequest,
  { user, password, algorithm }: NonNullable<FaultyOptions['digest']>,
  nonce: string,
): boolean {
  const text = headers.get('authorization') ?? ''
  const field = (name: string) => new RegExp(`[ ,]${name}="?([^",]*)`).exec(text)?.[1] ?? ''
  const hash = (input: string) =>
    createHash(algorithm === 'MD5' ? 'md5' : 'sha256')
      .update(input)
      .digest('hex')
  const one = hash(`${user}:cam:${password}`)
  const two = hash(`${method}:${field('uri')}`)
  const wanted = hash(`${one}:${nonce}:${field('nc')}:${field('cnonce')}:auth:${two}`)
  return field('nonce') === nonce && field('response') === wanted
}
