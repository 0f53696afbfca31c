import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { StreamFault } from '../../hub/media/fault.ts'
import { cameraAddress } from '../../hub/media/rtsp/client.ts'
import { controlUrl, readSdp, withoutUser } from '../../hub/media/rtsp/sdp.ts'

const lines = (...each: string[]) => each.join('\r\n')
const h264 = lines(
  'v=0',
  'a=control:rtsp://10.0.0.1/cam/',
  'm=audio 0 RTP/AVP 97',
  'a=rtpmap:97 MPEG4-GENERIC/48000',
  'a=control:trackID=2',
  'm=video 0 RTP/AVP 96',
  'a=rtpmap:96 H264/90000',
  'a=framerate:12.5',
  'a=fmtp:96 packetization-mode=1;profile-level-id=42C01E;sprop-parameter-sets=Z0LAHtkDxWhAAAADAEAAAAwDxYuS,aMuMsg==;x=1',
  'a=control:trackID=1',
)

/** What reading comes to; anything but a fault is thrown on. */
function outcome(text: string): string {
  try {
    readSdp(text)
    return 'ok'
  } catch (error) {
    if (error instanceof StreamFault) return error.code
    throw error
  }
}

describe('session descriptions', () => {
  test('the H.264 track is found behind the sound', () => {
    const { track, control } = readSdp(h264)
    expect(track).toMatchObject({ payloadType: 96, clockRate: 90_000, control: 'trackID=1' })
    expect(track.frameRate).toBe(12.5)
    expect(track.parameterSets.map((nal) => (nal[0] ?? 0) & 0x1f)).toEqual([7, 8])
    expect(control).toBe('rtsp://10.0.0.1/cam/')
  })

  test.each([
    ['bare line feeds', h264.replaceAll('\r\n', '\n')],
    ['no v= line', h264.slice(5)],
    ['lower-case codec', h264.replace('H264', 'h264')],
    ['text after the track', `${h264}\r\ngarbage\r\na=\r\nm=`],
  ])('%s is read as well', (_name, text) => {
    expect(readSdp(text).track.payloadType).toBe(96)
  })

  test('missing parameter sets are no fault', () => {
    expect(readSdp(h264.replace(/a=fmtp.*\r\n/, '')).track.parameterSets).toEqual([])
  })

  test('a truncated description still names its fault', () => {
    const results = Array.from(h264, (_, length) => outcome(h264.slice(0, length)))
    expect([...new Set(results)].toSorted()).toEqual([
      'codec-unsupported',
      'garbage',
      'no-video',
      'ok',
    ])
  })

  test.each([
    ['no video', lines('v=0', 'm=audio 0 RTP/AVP 0'), 'no-video'],
    ['H.265', h264.replace('H264', 'H265'), 'codec-unsupported'],
    ['no description at all', '<html>', 'garbage'],
    ['an empty one', '', 'garbage'],
  ])('%s is named', (_name, text, code) => {
    expect(() => readSdp(text)).toThrow(expect.objectContaining({ code }))
  })

  test('no text makes it throw anything but a fault', () => {
    const part = fc.constantFrom(...h264.split('\r\n'), 'm=video', 'a=rtpmap:', 'a=fmtp:96', '\0')
    fc.assert(
      fc.property(fc.array(fc.oneof(part, fc.string())), (parts) => {
        expect(outcome(parts.join('\r\n'))).toMatch(/^(ok|garbage|no-video|codec-unsupported)$/)
      }),
    )
  })
})

describe('addresses', () => {
  const base = 'rtsp://10.0.0.1:554/cam/realmonitor?channel=1&subtype=1/'
  test.each([
    ['trackID=1', `${base}trackID=1`],
    ['*', base],
    ['', base],
    [undefined, base],
    ['rtsp://10.0.0.1/x/trackID=1', 'rtsp://10.0.0.1/x/trackID=1'],
    ['rtsp://u:p@10.0.0.1/x', 'rtsp://10.0.0.1/x'],
    ['/live/track1', 'rtsp://10.0.0.1:554/live/track1'],
  ])('control %s becomes %s', (control, url) => {
    expect(controlUrl(base, control)).toBe(url)
  })

  test('a base without a slash gets one', () => {
    expect(controlUrl('rtsp://a/b', 'c')).toBe('rtsp://a/b/c')
  })

  test.each([
    'http://10.0.0.1/x',
    'a b',
    'a\tb',
    'a\u00e9',
    'x'.repeat(2_000),
    'file:///etc/passwd',
  ])('the control %j is refused', (control) => {
    expect(() => controlUrl(base, control)).toThrow(expect.objectContaining({ code: 'garbage' }))
  })

  test.each([
    ['rtsp://10.0.0.1/a', '10.0.0.1', 554],
    ['rtsp://cam.lan:8554', 'cam.lan', 8554],
    ['rtsp://[fd00::1]:554/x?y=1', '[fd00::1]', 554],
  ])('%s is host %s, port %s', (url, host, port) => {
    expect(cameraAddress(url)).toMatchObject({ host, port })
  })

  test.each([
    'http://10.0.0.1/',
    'rtsp://',
    'rtsp:///x',
    'rtsp://a:0/',
    'rtsp://a:70000/',
    'rtsp://a/b c',
    'rtsp://a/\r\nX: y',
    'rtsp://a b/',
    'rtsps://a/',
    'file:///x',
  ])('%j is no address of a camera', (url) => {
    expect(() => cameraAddress(url)).toThrow(
      expect.objectContaining({ code: 'not-allowed-address' }),
    )
  })

  test('user and password never stay in an address', () => {
    expect(withoutUser('rtsp://admin:p@ss@10.0.0.1/x')).toBe('rtsp://10.0.0.1/x')
    expect(cameraAddress('rtsp://admin:secret@10.0.0.1/x').url).toBe('rtsp://10.0.0.1/x')
  })
})
