import { createServer } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import type { StreamFault } from '../../hub/media/fault.ts'
import { addressJudge } from '../../hub/media/rtsp/address.ts'
import { pullRtsp, type RtspLimits, type RtspTarget } from '../../hub/media/rtsp/client.ts'
import { readRtp } from '../../hub/media/rtp/packet.ts'
import { h264Sample } from '../support/h264-sample.ts'
import { faultyRtsp, plainSdp, type FaultyOptions } from '../support/rtsp-faulty.ts'
import { interleaved } from '../support/rtsp-packets.ts'
import { until } from '../support/until.ts'

const pictures = h264Sample({ frames: 10, gop: 5 })
const ends: (() => Promise<void> | void)[] = []
afterEach(async () => {
  for (const end of ends.splice(0)) await end()
})

async function camera(options: FaultyOptions = {}) {
  const faulty = await faultyRtsp({ pictures, fps: 50, ...options })
  ends.push(faulty.close)
  return faulty
}

const openJudge = addressJudge('127.0.0.0/8')
const limits: RtspLimits = { connectTimeoutMs: 400, requestTimeoutMs: 400 }

function pull(target: RtspTarget, judge = openJudge, addresses: string[] = []) {
  const seen: { packets: number; tracks: number; fault: StreamFault | undefined } = {
    packets: 0,
    tracks: 0,
    fault: undefined,
  }
  const session = pullRtsp(
    target,
    {
      track: () => void seen.tracks++,
      rtp: (data) => {
        if (readRtp(data)) seen.packets++
      },
      rtcp: () => undefined,
      ended: (fault) => {
        seen.fault = fault
      },
    },
    {
      judge,
      lookup: async () => addresses.map((address) => ({ address, family: 4 })),
      cnonce: () => '0123456789abcdef',
    },
    limits,
  )
  ends.push(() => session.close())
  return { seen, session }
}

const plain = (url: string): RtspTarget => ({ url, credential: undefined })
const faultOf = (seen: { fault: StreamFault | undefined }) =>
  until('a fault', () => seen.fault, 5_000)

describe('the RTSP client', () => {
  test('packets flow, and closing says TEARDOWN', async () => {
    const faulty = await camera()
    const { seen, session } = pull(plain(faulty.url))
    await until('20 packets', () => seen.packets >= 20)
    session.close()
    await until('TEARDOWN', () => faulty.requests.some(({ method }) => method === 'TEARDOWN'))
    expect(faulty.requests.map(({ method }) => method)).toEqual([
      'OPTIONS',
      'DESCRIBE',
      'SETUP',
      'PLAY',
      'TEARDOWN',
    ])
    expect(seen.fault).toBeUndefined()
  })

  test.each(['MD5', 'SHA-256'] as const)('Digest %s opens the camera', async (algorithm) => {
    const digest = { user: 'admin', password: 'p"\\é', algorithm }
    const faulty = await camera({ digest })
    const { seen } = pull({ url: faulty.url, credential: digest })
    await until('packets', () => seen.packets > 0)
    expect(seen).toMatchObject({ tracks: 1, fault: undefined })
  })

  test('a nonce that grows old after the sign-in is renewed', async () => {
    const digest = {
      user: 'a',
      password: 'b',
      algorithm: 'MD5' as const,
      nonces: ['1', '1', '1', '2'],
    }
    const faulty = await camera({ digest })
    const { seen } = pull({ url: faulty.url, credential: digest })
    await until('packets', () => seen.packets > 0)
    expect(seen).toMatchObject({ tracks: 1, fault: undefined })
  })

  test('a wrong password is tried once, and never written anywhere', async () => {
    const faulty = await camera({ digest: { user: 'a', password: 'right', algorithm: 'MD5' } })
    const { seen } = pull({ url: faulty.url, credential: { user: 'a', password: 'hunter2-wrong' } })
    const fault = await faultOf(seen)
    expect(fault.code).toBe('wrong-password')
    expect(faulty.requests.filter(({ headers }) => headers.has('authorization')).length).toBe(1)
    expect(
      JSON.stringify([fault.message, fault.stack, faulty.requests.map(({ url }) => url)]),
    ).not.toContain('hunter2')
  })

  test('a session is kept alive within its time-out', async () => {
    const faulty = await camera({ timeoutS: 1 })
    const { seen } = pull(plain(faulty.url))
    const kept = () => faulty.requests.find(({ method }) => method === 'GET_PARAMETER')
    const request = await until('a keep-alive', kept, 4_000)
    expect(request.headers.get('session')).toBe('12345678')
    expect(seen.fault).toBeUndefined()
  })

  test.each<[string, FaultyOptions, string]>([
    [
      'a closed account',
      { digest: { user: 'x', password: 'y', algorithm: 'MD5' } },
      'wrong-password',
    ],
    ['404', { answer: status(404) }, 'no-such-channel'],
    ['453 too many sessions', { answer: status(453, 'SETUP') }, 'refused'],
    ['461 no TCP', { answer: status(461, 'SETUP') }, 'refused'],
    ['503', { answer: status(503) }, 'refused'],
    ['sound only', { sdp: 'v=0\r\nm=audio 0 RTP/AVP 0\r\n' }, 'no-video'],
    ['H.265', { sdp: plainSdp.replace('H264', 'H265') }, 'codec-unsupported'],
    ['a web page', { sdp: '<html></html>' }, 'garbage'],
    ['garbage for an answer', { answer: () => Buffer.alloc(400_000, 7) }, 'garbage'],
    ['silence', { answer: () => null }, 'timeout'],
    ['silence after SETUP', { answer: silence('PLAY') }, 'timeout'],
    [
      'a control that would break the request',
      { sdp: plainSdp.replace('trackID=0', 'a b') },
      'garbage',
    ],
    ['the end of the connection', { mangle: () => null }, 'unreachable'],
  ])('%s is named', async (_name, options, code) => {
    const faulty = await camera(options)
    const { seen } = pull(plain(faulty.url))
    expect((await faultOf(seen)).code).toBe(code)
  })

  test('a port nobody listens on is unreachable', async () => {
    const faulty = await faultyRtsp()
    await faulty.close()
    const { seen } = pull(plain(faulty.url))
    expect((await faultOf(seen)).code).toBe('unreachable')
  })

  test('bytes that are no RTP, on the channel and between frames, do not stop the pictures', async () => {
    const faulty = await camera({
      mangle: (packets, index) => [
        Buffer.alloc(60_000, index),
        ...packets,
        '\r\nnoise $$$ ',
        ...packets.slice(0, 0),
      ],
    })
    const { seen } = pull(plain(faulty.url))
    await until('50 packets', () => seen.packets >= 50)
    expect(seen.fault).toBeUndefined()
  })

  test('packets that share a read with the answer to PLAY are not lost', async () => {
    const early = interleaved(0, Buffer.from(`8060${'00'.repeat(10)}65`, 'hex'))
    const faulty = await camera({
      pictures: [],
      answer: ({ method, headers }) => {
        if (method !== 'PLAY') return undefined
        const answer = `RTSP/1.0 200 OK\r\nCSeq: ${headers.get('cseq')}\r\nSession: 1\r\n\r\n`
        return Buffer.concat([early, Buffer.from(answer), early])
      },
    })
    const { seen } = pull(plain(faulty.url))
    await until('both packets', () => seen.packets === 2)
    expect(seen.fault).toBeUndefined()
  })
})

describe('nobody is reached but the judged camera', () => {
  /** A listener that must never hear anything. */
  async function decoy() {
    let knocks = 0
    const server = createServer((socket) => {
      knocks++
      socket.destroy()
    })
    server.listen(0, '127.0.0.1')
    await new Promise((resolve) => server.once('listening', resolve))
    ends.push(() => void server.close())
    const address = server.address()
    const port = typeof address === 'object' ? (address?.port ?? 0) : 0
    return { port, knocks: () => knocks }
  }

  test.each([
    ['127.0.0.1', []],
    ['localhost', ['127.0.0.1']],
    ['cam.village.lan', ['127.0.0.1']],
    ['cam.village.lan', ['::ffff:127.0.0.1']],
    ['2130706433', ['127.0.0.1']],
    ['0x7f000001', ['127.0.0.1']],
    ['0', ['0.0.0.0']],
    ['[::1]', []],
    ['[::ffff:7f00:1]', []],
    ['metadata', ['169.254.169.254']],
  ])('%s resolving to %j', async (host, addresses) => {
    const { port, knocks } = await decoy()
    const { seen } = pull(plain(`rtsp://${host}:${port}/x`), addressJudge(''), addresses)
    expect((await faultOf(seen)).code).toBe('not-allowed-address')
    expect(knocks()).toBe(0)
  })

  test.each([301, 302, 303, 305])('a redirect by %i is refused, not followed', async (code) => {
    const { port, knocks } = await decoy()
    const faulty = await camera({
      answer: ({ headers }) =>
        `RTSP/1.0 ${code} Moved\r\nCSeq: ${headers.get('cseq')}\r\nLocation: rtsp://127.0.0.1:${port}/\r\n\r\n`,
    })
    const { seen } = pull(plain(faulty.url))
    expect((await faultOf(seen)).code).toBe('refused')
    expect(knocks()).toBe(0)
    expect(faulty.connections()).toBe(1)
  })

  test('a REDIRECT request of the camera ends the session', async () => {
    const { port, knocks } = await decoy()
    const redirect = `REDIRECT rtsp://x/ RTSP/1.0\r\nCSeq: 1\r\nLocation: rtsp://127.0.0.1:${port}/\r\n\r\n`
    const faulty = await camera({ mangle: () => [redirect] })
    const { seen } = pull(plain(faulty.url))
    expect((await faultOf(seen)).code).toBe('refused')
    expect(knocks()).toBe(0)
  })

  test('addresses inside the description stay text', async () => {
    const { port, knocks } = await decoy()
    const sdp = plainSdp
      .replace('s=faulty', 's=faulty\r\nc=IN IP4 127.0.0.1')
      .replace('a=control:trackID=0', `a=control:rtsp://127.0.0.1:${port}/evil`)
    const faulty = await camera({ sdp })
    const { seen } = pull(plain(faulty.url))
    await until('packets', () => seen.packets > 0)
    expect(knocks()).toBe(0)
    expect(faulty.requests.find(({ method }) => method === 'SETUP')?.url).toContain('/evil')
  })
})

type Answer = NonNullable<FaultyOptions['answer']>

function status(code: number, of = 'DESCRIBE'): Answer {
  return ({ method, headers }) =>
    method === of ? `RTSP/1.0 ${code} No\r\nCSeq: ${headers.get('cseq')}\r\n\r\n` : undefined
}

function silence(of: string): Answer {
  return ({ method }) => (method === of ? null : undefined)
}
