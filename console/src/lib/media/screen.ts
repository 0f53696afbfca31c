import { frameHeader, readInit, readTime, type LiveSegment } from './segment.ts'

export interface ScreenEvents {
  /** This browser cannot play the codec. */
  unsupported: (codec: string) => void
  /** The decoder or the buffer gave up: the tile must begin again. */
  failed: (why: string) => void
}

/** Distances behind the newest picture, seconds. */
const edge = { jump: 1.5, land: 0.15, hurry: 0.6, calm: 0.3 } as const
const hurryRate = 1.1
/** Played pictures kept before they are removed, seconds. */
const keep = { most: 20, least: 5 } as const
const queueCap = 16 * 1024 * 1024
const remembered = 512

interface Mark {
  /** Media time, seconds. */
  time: number
  receivedAt: number
  key: boolean
}

export type Screen = ReturnType<typeof mseScreen>

/** One `<video>` fed through Media Source Extensions, always near the newest picture. */
export function mseScreen(video: HTMLVideoElement, events: ScreenEvents) {
  let source: MediaSource | undefined
  let buffer: SourceBuffer | undefined
  let address = ''
  let queue: (Uint8Array<ArrayBuffer> | string)[] = []
  let queued = 0
  let mime = ''
  let timescale = 0
  let marks: Mark[] = []
  let trimTo = 0
  let closed = false

  function open() {
    const media = new MediaSource()
    source = media
    address = URL.createObjectURL(media)
    video.muted = true
    video.playsInline = true
    media.addEventListener(
      'sourceopen',
      () => {
        if (media !== source || closed) return
        const made = media.addSourceBuffer(mime)
        made.addEventListener('updateend', () => {
          if (made === buffer) pump()
        })
        made.addEventListener('error', () => {
          if (made === buffer) events.failed('buffer')
        })
        buffer = made
        pump()
      },
      { once: true },
    )
    video.addEventListener('error', onVideoError)
    video.src = address
    // Browsers may refuse until the page was touched; muted video is allowed everywhere we support.
    video.play().catch(() => undefined)
  }

  function onVideoError() {
    if (!closed && video.error) events.failed('decoder')
  }

  function drop() {
    video.removeEventListener('error', onVideoError)
    if (address) URL.revokeObjectURL(address)
    source = undefined
    buffer = undefined
    address = ''
    queue = []
    queued = 0
    marks = []
    trimTo = 0
  }

  function pump() {
    if (!buffer || buffer.updating || source?.readyState !== 'open') return
    try {
      follow()
      if (trim(buffer)) return
      changeCodec(buffer)
      const data = nextBytes()
      if (data) buffer.appendBuffer(data)
    } catch (error) {
      events.failed(error instanceof Error ? error.name : 'buffer')
    }
  }

  function changeCodec(of: SourceBuffer) {
    let first = queue[0]
    while (typeof first === 'string') {
      of.changeType(first)
      queue.shift()
      first = queue[0]
    }
  }

  /** Everything that waits, up to the next change of codec, in one piece: one append, one event. */
  function nextBytes(): Uint8Array<ArrayBuffer> | undefined {
    const parts: Uint8Array<ArrayBuffer>[] = []
    let first = queue[0]
    while (first !== undefined && typeof first !== 'string') {
      parts.push(first)
      queue.shift()
      first = queue[0]
    }
    if (parts.length < 2) {
      queued -= parts[0]?.length ?? 0
      return parts[0]
    }
    const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
    let at = 0
    for (const part of parts) {
      all.set(part, at)
      at += part.length
    }
    queued -= all.length
    return all
  }

  /** Removes what was played, up to a key picture: a cut elsewhere would take the present group along. */
  function trim(from: SourceBuffer): boolean {
    if (from.buffered.length === 0) return false
    const start = from.buffered.start(0)
    if (video.currentTime - start < keep.most || trimTo <= start) return false
    from.remove(start, trimTo)
    return true
  }

  function follow() {
    const { buffered } = video
    if (buffered.length === 0) return
    const start = buffered.start(buffered.length - 1)
    const end = buffered.end(buffered.length - 1)
    const behind = end - video.currentTime
    if (behind > jumpAt() || behind < 0 || video.currentTime < start) {
      if (!video.seeking) video.currentTime = Math.max(start, end - edge.land)
    } else if (behind > edge.hurry) video.playbackRate = hurryRate
    else if (behind < edge.calm) video.playbackRate = 1
    if (video.paused) video.play().catch(() => undefined)
    while (marks[1] && marks[1].time <= video.currentTime - keep.least) {
      if (marks[0]?.key) trimTo = marks[0].time
      marks.shift()
    }
  }

  /** A camera with two pictures a second is never 1.5 s behind by being slow. */
  function jumpAt() {
    const last = marks[marks.length - 1]
    const before = marks[marks.length - 2]
    return Math.max(edge.jump, last && before ? 3 * (last.time - before.time) : 0)
  }

  function init(data: Uint8Array<ArrayBuffer>) {
    const read = readInit(data)
    if (!read) return events.failed('init')
    const next = `video/mp4; codecs="${read.codec}"`
    if (!MediaSource.isTypeSupported(next)) return events.unsupported(read.codec)
    timescale = read.timescale
    if (source && next !== mime) queue.push(next)
    mime = next
    push(data)
    if (!source) open()
  }

  function push(data: Uint8Array<ArrayBuffer>) {
    queue.push(data)
    queued += data.length
    if (queued > queueCap) return events.failed('queue')
    pump()
  }

  return {
    /** One message of this tile; pictures before the first initialisation segment are dropped. */
    feed({ type, data, receivedAt }: LiveSegment) {
      if (closed) return
      if (type === frameHeader.init) return init(data)
      const ticks = readTime(data)
      if (!source || ticks === undefined) return
      const time = ticks / timescale
      const last = marks[marks.length - 1]
      // The hub began a new time line: what is buffered would lie in the future.
      if (last && time < last.time) return events.failed('time')
      marks.push({ time, receivedAt, key: type === frameHeader.key })
      if (marks.length > remembered) marks.shift()
      push(data)
    },
    /** Keeps near the newest picture; called a few times a second. */
    tick: pump,
    /** Pictures decoded for this `<video>` so far; begins anew with each initialisation. */
    shown: () => video.getVideoPlaybackQuality().totalVideoFrames,
    /** Receive time (hub's clock) of the picture being shown. */
    shownAt(): number | undefined {
      let shown: number | undefined
      for (const mark of marks) {
        if (mark.time > video.currentTime) break
        shown = mark.receivedAt
      }
      return shown
    },
    /** Forgets everything buffered; the last picture stays on screen until the next comes. */
    reset: drop,
    close() {
      closed = true
      drop()
      video.removeAttribute('src')
      video.load()
    },
  }
}
