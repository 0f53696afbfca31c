import { once } from 'node:events'
import { connect } from 'node:net'
import { afterEach, describe, expect, test } from 'vitest'
import { viewerLimit } from '../../simulators/camera-stream.ts'
import { nalType, typeOf } from '../../simulators/h264-clip.ts'
import { readSei } from '../../simulators/sei.ts'
import { fast, isKey, pictures, rtspBench } from '../support/sim-rtsp.ts'
import { until } from '../support/until.ts'

const { server, reader, close } = rtspBench()
afterEach(() => close())

/** A camera's clock that is not the machine's, epoch ms. */
const clock = () => 1_750_000_000_000 + Math.floor(performance.now())

describe('protocol', () => {
  test('OPTIONS names the methods, DESCRIBE the stream, SETUP the channels, PLAY the start', async () => {
    const { port } = await server()
    const client = await reader(port)
    const options = await client.request('OPTIONS')
    expect(options.headers.get('public')).toMatch(/DESCRIBE, SETUP, PLAY.*GET_PARAMETER, TEARDOWN/)
    expect((await client.request('DESCRIBE')).status).toBe(401)
    const described = await client.request('DESCRIBE')
    expect(described.headers.get('content-type')).toBe('application/sdp')
    expect(described.body).toMatch(/m=video 0 RTP\/AVP 96\r\na=rtpmap:96 H264\/90000/)
    expect(described.body).toMatch(
      /packetization-mode=1;profile-level-id=42C01E;sprop-parameter-sets=/,
    )
    const played = await client.play()
    expect(played.status).toBe(200)
    await until('a picture', () => client.units.length > 0)
    const [, seq, rtptime] =
      /seq=(\d+);rtptime=(\d+)/.exec(played.headers.get('rtp-info') ?? '') ?? []
    expect(client.sequences[0]).toBe(Number(seq))
    expect(client.units[0]?.timestamp).toBe(Number(rtptime))
    expect((await client.request('GET_PARAMETER')).status).toBe(200)
    expect((await client.request('TEARDOWN')).status).toBe(200)
    await until('the connection to end', () => client.closed)
  })

  test.each([
    ['a wrong password', { password: 'wrong' }],
    ['a wrong user', { user: 'root' }],
  ])('%s is refused with 401 each time', async (_name, who) => {
    const { port } = await server()
    const client = await reader(port, 'cam-1', who)
    for (let time = 0; time < 3; time++) expect((await client.request('DESCRIBE')).status).toBe(401)
    expect((await client.request('SETUP')).status).toBe(401)
    expect((await client.request('PLAY')).status).toBe(401)
  })

  test("another connection's nonce proves nothing", async () => {
    const { port } = await server()
    const first = await reader(port)
    await first.request('DESCRIBE')
    expect((await first.request('DESCRIBE')).status).toBe(200)
    const second = await reader(port)
    const stolen = first.authorization('DESCRIBE')
    expect((await second.request('DESCRIBE', stolen)).status).toBe(401)
  })

  test.each([
    ['an unknown camera', 'DESCRIBE', {}, 'cam-9', 404],
    ['UDP', 'SETUP', { Transport: 'RTP/AVP;unicast;client_port=5000-5001' }, 'cam-1', 461],
    ['PLAY before SETUP', 'PLAY', {}, 'cam-1', 455],
    ['an unknown method', 'RECORD', {}, 'cam-1', 405],
    ['a request without CSeq', 'DESCRIBE', { CSeq: '' }, 'cam-1', 400],
  ])('%s is refused', async (_name, method, headers: Record<string, string>, camera, status) => {
    const { port } = await server()
    const client = await reader(port, camera)
    await client.request('DESCRIBE')
    expect((await client.request(method, headers)).status).toBe(status)
  })

  test.each([
    ['what is not RTSP', 'GET / HTTP/1.1\r\n\r\n'],
    ['a head without an end', `DESCRIBE ${'x'.repeat(9_000)}`],
    ['a huge body', 'DESCRIBE rtsp://h/cam-1 RTSP/1.0\r\nCSeq: 1\r\nContent-Length: 99999\r\n\r\n'],
  ])('%s ends the connection', async (_name, text) => {
    const { port } = await server()
    const socket = connect(port, '127.0.0.1')
    const chunks: Buffer[] = []
    socket.on('data', (chunk) => chunks.push(chunk))
    socket.write(text)
    await once(socket, 'close')
    expect(Buffer.concat(chunks).toString()).toMatch(/^RTSP\/1\.0 400 /)
  })
})

describe('stream', () => {
  test('begins with an IDR, carries id and clock in every picture, and gaps in nothing', async () => {
    const { port } = await server({ clock })
    const client = await reader(port)
    await client.play()
    const before = clock()
    await until('30 pictures', () => client.units.length >= 30)
    expect(isKey(client.units[0])).toBe(true)
    client.units.forEach(({ nals }, at) => {
      const mark = nals.map(readSei).find(Boolean)
      expect(mark?.deviceId).toBe('cam-1')
      expect(Math.abs((mark?.at ?? 0) - before - at * 40)).toBeLessThan(1_500)
      // 7.4.1.2.3: parameter sets and SEI stand before the slice.
      expect([nalType.slice, nalType.idr]).toContain(typeOf(nals.at(-1) ?? Buffer.alloc(0)))
    })
    const steps = client.sequences
      .slice(1)
      .map((seq, at) => (seq - (client.sequences[at] ?? 0)) & 0xffff)
    expect(new Set(steps)).toEqual(new Set([1]))
    const [report] = client.reports
    expect(Math.abs((report?.at ?? 0) - before)).toBeLessThan(1_500)
  })

  test('timestamps go on evenly through two loops of the clip, and reports come each 5 s', async () => {
    const { port } = await server(fast(20))
    const client = await reader(port)
    await client.play()
    await until('two loops', () => client.units.length > 510)
    const times = client.units.map(({ timestamp }) => timestamp)
    const steps = times.slice(1).map((time, at) => (time - (times[at] ?? 0)) >>> 0)
    expect(new Set(steps)).toEqual(new Set([3_600]))
    const shown = pictures(client)
    expect(shown[0]).toEqual(shown[250])
    expect(shown[17]).toEqual(shown[267])
    expect(shown[0]).not.toEqual(shown[25])
    expect(client.reports.length).toBeGreaterThanOrEqual(4)
    const [first, second] = client.reports
    const between = ((second?.timestamp ?? 0) - (first?.timestamp ?? 0)) >>> 0
    expect(between).toBeGreaterThanOrEqual(5 * 90_000)
    expect(between).toBeLessThan(5.5 * 90_000)
  })

  test('a second viewer joins at the next IDR and sees the same pictures', async () => {
    const { port } = await server(fast(4))
    const first = await reader(port)
    await first.play()
    await until('some pictures', () => first.units.length > 7)
    const second = await reader(port)
    await second.play()
    await until('pictures for both', () => second.units.length > 30)
    expect(isKey(second.units[0])).toBe(true)
    const [start] = pictures(second)
    const at = pictures(first).findIndex((nals) => nals[0]?.equals(start?.[0] ?? Buffer.of(0)))
    expect(at).toBeGreaterThan(7)
    expect(pictures(first).slice(at, at + 20)).toEqual(pictures(second).slice(0, 20))
  })

  test('cameras show different pictures; one without viewers sends nothing', async () => {
    const made = await server()
    const clients = await Promise.all([reader(made.port, 'cam-1'), reader(made.port, 'cam-2')])
    for (const client of clients) await client.play()
    await until('pictures', () => clients.every(({ units }) => units.length > 5))
    const [one, two] = clients.map((client) => pictures(client)[0])
    expect(one).not.toEqual(two)
    expect(made.stats('cam-3')).toEqual({ viewers: 0, frames: 0, skipped: 0 })
    for (const client of clients) client.close()
    await until('no viewers', () => made.stats('cam-1')?.viewers === 0)
    const { frames } = made.stats('cam-1') ?? {}
    const witness = await reader(made.port, 'cam-3')
    await witness.play()
    await until('another camera to play', () => witness.units.length > 5)
    expect(made.stats('cam-1')?.frames).toBe(frames)
  })

  test('filler brings a stream to the rate asked for', async () => {
    const { port } = await server({ ...fast(10), fillKbps: 1_000 })
    const client = await reader(port)
    await client.play()
    await until('100 pictures', () => client.units.length >= 100)
    const bytes = client.units
      .slice(0, 100)
      .flatMap(({ nals }) => nals)
      .reduce((sum, nal) => sum + nal.length, 0)
    // 4 s at 1,000 kbit/s are 500,000 bytes; the mark of each picture is on top.
    expect(bytes).toBeGreaterThan(500_000)
    expect(bytes).toBeLessThan(520_000)
  })

  test('a stalled viewer is skipped within bounded memory and goes on at an IDR', async () => {
    const made = await server({ ...fast(20), fillKbps: 8_000 })
    const stalled = await reader(made.port)
    const healthy = await reader(made.port)
    await stalled.play()
    await healthy.play()
    await until('a picture', () => stalled.units.length > 0)
    stalled.socket.pause()
    const memory = process.memoryUsage().arrayBuffers
    await until('pictures to be skipped', () => (made.stats('cam-1')?.skipped ?? 0) > 50, 15_000)
    const seen = healthy.units.length
    healthy.units.splice(0, seen)
    // Its share is the viewer limit, one picture, and what the reader itself holds.
    const grown = process.memoryUsage().arrayBuffers - memory
    expect(grown).toBeLessThan(viewerLimit * 2 + 40 * 1024 * 1024)
    const before = stalled.units.length
    stalled.socket.resume()
    await until('it to go on', () => {
      const times = stalled.units.slice(before).map(({ timestamp }) => timestamp)
      return times.some((time, at) => at > 0 && (time - (times[at - 1] ?? 0)) >>> 0 > 3_600)
    })
    const cut = stalled.units.findIndex(
      ({ timestamp }, at) =>
        at > 0 && (timestamp - (stalled.units[at - 1]?.timestamp ?? 0)) >>> 0 > 3_600,
    )
    expect(isKey(stalled.units[cut])).toBe(true)
  })

  test('a viewer that reads nothing for 10 s of stream is hung up on', async () => {
    const made = await server({ ...fast(20), fillKbps: 8_000 })
    const stalled = await reader(made.port)
    await stalled.play()
    await until('a picture', () => stalled.units.length > 0)
    stalled.socket.pause()
    await until('no viewer left', () => made.stats('cam-1')?.viewers === 0, 15_000)
    stalled.socket.resume()
    await until('the reader to see the end', () => stalled.closed)
    expect(made.stats('cam-1')?.skipped).toBeGreaterThan(100)
  })
})
