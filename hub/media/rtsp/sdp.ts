import { StreamFault } from '../fault.ts'

/** The one video track the hub pulls. */
export interface VideoTrack {
  /** `a=control` as the camera wrote it; undefined = the session's own address. */
  control: string | undefined
  payloadType: number
  /** RTP ticks per second. */
  clockRate: number
  /** Decoded `sprop-parameter-sets`; often missing, then they come in the stream. */
  parameterSets: Buffer[]
  /** Frames per second by `a=framerate`, when the camera says so. */
  frameRate: number | undefined
}

interface Media {
  kind: string
  formats: number[]
  control: string | undefined
  rtpmap: Map<number, { name: string; clockRate: number }>
  fmtp: Map<number, string>
  frameRate: number | undefined
}

const mostLines = 512

/**
 * Reads the H.264 video track out of a camera's session description (RFC 8866, RFC 6184 section 8.2.1).
 * Lines it does not understand are passed over: cameras write a lot of them.
 *
 * @returns the track and the session-level control
 * @throws StreamFault `garbage`, `no-video` or `codec-unsupported` (naming the codec)
 */
export function readSdp(body: string): { track: VideoTrack; control: string | undefined } {
  const lines = body.split(/\r\n|\n|\r/, mostLines)
  if (!lines.some((line) => line.startsWith('v=')) && !lines.some((line) => line.startsWith('m=')))
    throw new StreamFault('garbage', 'the answer to DESCRIBE is no session description')
  let control: string | undefined
  const medias: Media[] = []
  for (const line of lines) {
    const value = line.slice(2).trim()
    const media = medias.at(-1)
    if (line.startsWith('m=')) medias.push(newMedia(value))
    else if (line.startsWith('a=')) {
      if (media) readAttribute(media, value)
      else if (value.startsWith('control:')) control = value.slice('control:'.length).trim()
    }
  }
  return { track: chooseVideo(medias), control }
}

function newMedia(value: string): Media {
  const [kind = '', , , ...formats] = value.split(/\s+/)
  return {
    kind: kind.toLowerCase(),
    formats: formats.slice(0, 32).map(Number),
    control: undefined,
    rtpmap: new Map(),
    fmtp: new Map(),
    frameRate: undefined,
  }
}

function readAttribute(media: Media, value: string) {
  const colon = value.indexOf(':')
  if (colon < 0) return
  const name = value.slice(0, colon).toLowerCase()
  const rest = value.slice(colon + 1).trim()
  if (name === 'control') media.control = rest
  else if (name === 'framerate' || name === 'x-framerate') {
    const rate = Number.parseFloat(rest)
    if (rate > 0 && rate <= 240) media.frameRate = rate
  } else if (name === 'rtpmap') {
    const map = /^(\d{1,3})\s+([^/\s]+)\/(\d{1,9})/.exec(rest)
    if (map)
      media.rtpmap.set(Number(map[1]), {
        name: (map[2] ?? '').toUpperCase(),
        clockRate: Number(map[3]),
      })
  } else if (name === 'fmtp') {
    const format = /^(\d{1,3})\s+(.*)$/.exec(rest)
    if (format) media.fmtp.set(Number(format[1]), format[2] ?? '')
  }
}

function chooseVideo(medias: readonly Media[]): VideoTrack {
  const videos = medias.filter((media) => media.kind === 'video')
  if (videos.length === 0) throw new StreamFault('no-video', 'the camera offers no video track')
  for (const media of videos)
    for (const payloadType of media.formats) {
      const map = media.rtpmap.get(payloadType)
      if (map?.name !== 'H264') continue
      return {
        control: media.control,
        payloadType,
        clockRate: map.clockRate > 0 ? map.clockRate : 90_000,
        parameterSets: spropSets(media.fmtp.get(payloadType) ?? ''),
        frameRate: media.frameRate,
      }
    }
  const names = videos.flatMap((media) => [...media.rtpmap.values()].map((map) => map.name))
  throw new StreamFault('codec-unsupported', `video codec ${names.join(', ') || 'not named'}`)
}

function spropSets(fmtp: string): Buffer[] {
  const sprop = /sprop-parameter-sets\s*=\s*([A-Za-z0-9+/=,]{1,8192})/i.exec(fmtp)
  if (!sprop) return []
  return (sprop[1] ?? '')
    .split(',', 16)
    .map((each) => Buffer.from(each, 'base64'))
    .filter((nal) => nal.length > 1)
}

/**
 * The address a SETUP goes to. Cameras write whole addresses, bare names, or nothing; a whole address
 * is only ever sent as text over the connection that stands: the hub never connects to it.
 *
 * @param base Content-Base, Content-Location or the address of the DESCRIBE
 * @throws StreamFault `garbage` for a control that could break the request line
 */
export function controlUrl(base: string, control: string | undefined): string {
  if (control === undefined || control === '' || control === '*') return base
  if (control.length > 1024 || /[^\x21-\x7e]/.test(control))
    throw new StreamFault('garbage', 'a=control is not an address')
  if (/^rtsps?:\/\//i.test(control)) return withoutUser(control)
  if (/^[a-z][a-z0-9+.-]*:\/\//i.test(control))
    throw new StreamFault('garbage', 'a=control is not an RTSP address')
  if (control.startsWith('/')) return `${/^rtsps?:\/\/[^/]*/i.exec(base)?.[0] ?? ''}${control}`
  return base.endsWith('/') ? base + control : `${base}/${control}`
}

/** Drops `user:password@`: no credential ever stands in an address. */
export const withoutUser = (url: string) => url.replace(/^(rtsps?:\/\/)[^/]*@/i, '$1')
