import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { until } from './until.ts'

/** An answer of the server. */
export interface RtspAnswer {
  status: number
  headers: Map<string, string>
  body: string
}

/** One access unit as it came: NAL units in order and their common timestamp. */
export interface Unit {
  timestamp: number
  nals: Buffer[]
}

const md5 = (text: string) => createHash('md5').update(text).digest('hex')

/** A small RTSP client for tests, written apart from the simulator and from the hub's own. */
export class RtspReader {
  readonly units: Unit[] = []
  /** RTP sequence numbers in the order they came. */
  readonly sequences: number[] = []
  /** Sender reports: NTP time as epoch ms and the RTP time beside it. */
  readonly reports: { at: number; timestamp: number }[] = []
  readonly socket: Socket
  closed = false
  readonly #url: string
  readonly #user: string
  readonly #password: string
  #held: Buffer = Buffer.alloc(0)
  #answers: RtspAnswer[] = []
  #challenge: { realm: string; nonce: string } | undefined
  #cseq = 0
  #unit: Unit | undefined
  #fragment: Buffer[] = []

  constructor(socket: Socket, url: string, user: string, password: string) {
    this.socket = socket
    this.#url = url
    this.#user = user
    this.#password = password
    socket.on('data', (chunk) => this.#read(chunk))
    socket.on('error', () => {})
    socket.on('close', () => {
      this.closed = true
    })
  }

  /** Sends a request once and waits for its answer. */
  async request(method: string, headers: Record<string, string> = {}, url = this.#url) {
    const all = { CSeq: String(++this.#cseq), ...this.authorization(method, url), ...headers }
    const lines = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
    this.socket.write(`${method} ${url} RTSP/1.0\r\n${lines.join('')}\r\n`)
    await until(`an answer to ${method}`, () => this.#answers.length > 0 || this.closed, 5_000)
    const answer = this.#answers.shift()
    if (!answer) throw new Error(`connection closed on ${method}`)
    const challenge = /Digest realm="([^"]*)", nonce="([^"]*)"/.exec(
      answer.headers.get('www-authenticate') ?? '',
    )
    if (challenge) this.#challenge = { realm: challenge[1] ?? '', nonce: challenge[2] ?? '' }
    return answer
  }

  /** DESCRIBE (with the password on the second try), SETUP, PLAY. */
  async play(): Promise<RtspAnswer> {
    await this.request('DESCRIBE')
    await this.request('DESCRIBE')
    const transport = 'RTP/AVP/TCP;unicast;interleaved=0-1'
    await this.request('SETUP', { Transport: transport }, `${this.#url}/trackID=1`)
    return this.request('PLAY')
  }

  close() {
    this.socket.destroy()
  }

  /** The header that proves the password with the nonce of this connection. */
  authorization(method: string, url = this.#url): Record<string, string> {
    if (!this.#challenge) return {}
    const { realm, nonce } = this.#challenge
    const secret = md5(`${this.#user}:${realm}:${this.#password}`)
    const response = md5(`${secret}:${nonce}:${md5(`${method}:${url}`)}`)
    return {
      Authorization: `Digest username="${this.#user}", realm="${realm}", nonce="${nonce}", uri="${url}", response="${response}"`,
    }
  }

  #read(chunk: Buffer) {
    this.#held = Buffer.concat([this.#held, chunk])
    for (;;) {
      if (this.#held[0] === 0x24) {
        if (this.#held.length < 4) return
        const end = 4 + this.#held.readUInt16BE(2)
        if (this.#held.length < end) return
        const packet = this.#held.subarray(4, end)
        if (this.#held[1] === 0) this.#onRtp(packet)
        else this.#onRtcp(packet)
        this.#held = this.#held.subarray(end)
        continue
      }
      const end = this.#held.indexOf('\r\n\r\n')
      if (end < 0) return
      const [first = '', ...lines] = this.#held.toString('latin1', 0, end).split('\r\n')
      const headers = new Map(
        lines.map((line): [string, string] => [
          line.slice(0, line.indexOf(':')).toLowerCase(),
          line.slice(line.indexOf(':') + 1).trim(),
        ]),
      )
      const total = end + 4 + Number(headers.get('content-length') ?? 0)
      if (this.#held.length < total) return
      const body = this.#held.toString('utf8', end + 4, total)
      this.#answers.push({ status: Number(first.split(' ')[1]), headers, body })
      this.#held = this.#held.subarray(total)
    }
  }

  #onRtp(packet: Buffer) {
    this.sequences.push(packet.readUInt16BE(2))
    const timestamp = packet.readUInt32BE(4)
    const payload = packet.subarray(12)
    this.#unit ??= { timestamp, nals: [] }
    const head = payload[0] ?? 0
    if ((head & 0x1f) === 28) {
      const fu = payload[1] ?? 0
      if (fu & 0x80) this.#fragment = [Buffer.of((head & 0xe0) | (fu & 0x1f))]
      this.#fragment.push(Buffer.from(payload.subarray(2)))
      if (fu & 0x40) this.#unit.nals.push(Buffer.concat(this.#fragment))
    } else this.#unit.nals.push(Buffer.from(payload))
    if ((packet[1] ?? 0) & 0x80) {
      this.units.push(this.#unit)
      this.#unit = undefined
    }
  }

  #onRtcp(packet: Buffer) {
    if (packet[1] !== 200) return
    const seconds = packet.readUInt32BE(8) - 2_208_988_800
    const at = seconds * 1000 + (packet.readUInt32BE(12) / 2 ** 32) * 1000
    this.reports.push({ at, timestamp: packet.readUInt32BE(16) })
  }
}

/** Connects a reader to one camera. */
export async function rtspReader(
  port: number,
  deviceId: string,
  { user = 'viewer', password = 'secret' } = {},
): Promise<RtspReader> {
  const socket = connect(port, '127.0.0.1')
  await once(socket, 'connect')
  return new RtspReader(socket, `rtsp://127.0.0.1:${port}/${deviceId}`, user, password)
}
