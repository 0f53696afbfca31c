/** A response or a request of the camera, header names in lower case. */
export interface RtspMessage {
  /** Undefined for a request of the camera. */
  status: number | undefined
  /** Undefined for a response. */
  method: string | undefined
  headers: ReadonlyMap<string, readonly string[]>
  body: Buffer
}

export interface RtspEvents {
  message(message: RtspMessage): void
  /** One `$` frame (RFC 2326 section 10.12); the buffer is a view of what the socket read. */
  packet(channel: number, data: Buffer): void
  /** Nothing sensible can be read any more: the connection must end. */
  broken(why: string): void
}

/** What one camera may make the hub hold, bytes. */
export const readerLimits = {
  header: 16 * 1024,
  headerLines: 64,
  body: 64 * 1024,
  /** Bytes skipped between two good messages before the stream counts as garbage. */
  skipped: 256 * 1024,
} as const

const dollar = 0x24
const startLine = /^(?:RTSP\/1\.\d (\d{3})(?: [^\r\n]*)?|([A-Z_]{3,20}) \S{1,2048} RTSP\/1\.\d)$/

type Step = 'more' | 'next' | 'broken'

/**
 * Splits what a camera sends into RTSP messages and interleaved frames. Bytes that are neither are
 * skipped up to the next that can be; memory stays below one frame, header and body.
 */
export function rtspReader(events: RtspEvents) {
  let held: Buffer = Buffer.alloc(0)
  let skipped = 0
  let inSync = true
  let ended = false

  function fail(why: string): Step {
    ended = true
    held = Buffer.alloc(0)
    events.broken(why)
    return 'broken'
  }

  /** Drops bytes up to the next that can begin a message. */
  function skip(): Step {
    let at = 1
    while (at < held.length && !canBegin(held[at] ?? 0)) at++
    skipped += at
    held = held.subarray(at)
    inSync = false
    return skipped > readerLimits.skipped ? fail('bytes that are no RTSP') : 'next'
  }

  function frame(): Step {
    if (held.length < 4) return 'more'
    const channel = held[1] ?? 0
    const length = held.readUInt16BE(2)
    // After a slip a `$` may be chance: then only a channel of ours with an RTP version is believed.
    if (!inSync) {
      if (channel > 3 || length < 8) return skip()
      if (held.length < 5) return 'more'
      if ((held[4] ?? 0) >> 6 !== 2) return skip()
    }
    if (held.length < 4 + length) return 'more'
    const data = held.subarray(4, 4 + length)
    held = held.subarray(4 + length)
    good()
    events.packet(channel, data)
    return 'next'
  }

  function text(): Step {
    const head = held.subarray(0, readerLimits.header)
    const lineEnd = head.indexOf('\r\n')
    if (lineEnd < 0) {
      if (head.length < 2300 && isPrintable(head)) return 'more'
      return skip()
    }
    const start = startLine.exec(head.toString('latin1', 0, lineEnd))
    if (!start) return skip()
    const end = head.indexOf('\r\n\r\n')
    if (end < 0) return held.length < readerLimits.header ? 'more' : fail('header too long')
    const headers = readHeaders(head.toString('utf8', lineEnd + 2, Math.max(end, lineEnd + 2)))
    if (!headers) return fail('too many header lines')
    const length = contentLength(headers)
    if (length === undefined || length > readerLimits.body) return fail('body too long')
    if (held.length < end + 4 + length) return 'more'
    // A copy: the view would keep the whole read buffer alive for as long as the message lives.
    const body = Buffer.from(held.subarray(end + 4, end + 4 + length))
    held = held.subarray(end + 4 + length)
    good()
    const status = start[1] === undefined ? undefined : Number(start[1])
    events.message({ status, method: start[2], headers, body })
    return 'next'
  }

  function good() {
    skipped = 0
    inSync = true
  }

  return {
    feed(chunk: Buffer) {
      if (ended) return
      held = held.length === 0 ? chunk : Buffer.concat([held, chunk])
      let step: Step = 'next'
      while (step === 'next' && held.length > 0) {
        const first = held[0] ?? 0
        step = first === dollar ? frame() : isUpper(first) ? text() : skip()
      }
    },
    /** Bytes held back for the rest of a message. */
    held: () => held.length,
    end() {
      ended = true
      held = Buffer.alloc(0)
    },
  }
}

const isUpper = (byte: number) => byte >= 0x41 && byte <= 0x5a
const canBegin = (byte: number) => byte === dollar || isUpper(byte)

function isPrintable(bytes: Buffer) {
  for (const byte of bytes) if (byte < 0x20 && byte !== 0x0d && byte !== 0x09) return false
  return true
}

function readHeaders(text: string): Map<string, string[]> | undefined {
  const lines = text.split('\r\n')
  if (lines.length > readerLimits.headerLines) return undefined
  const headers = new Map<string, string[]>()
  for (const line of lines) {
    const colon = line.indexOf(':')
    if (colon < 1) continue
    const name = line.slice(0, colon).trim().toLowerCase()
    const values = headers.get(name)
    const value = line.slice(colon + 1).trim()
    if (values) values.push(value)
    else headers.set(name, [value])
  }
  return headers
}

function contentLength(headers: ReadonlyMap<string, readonly string[]>): number | undefined {
  const text = headers.get('content-length')?.[0]
  if (text === undefined) return 0
  return /^\d{1,7}$/.test(text) ? Number(text) : undefined
}
