/** One RTSP request (RFC 2326 6); header names in lower case. */
export interface RtspRequest {
  method: string
  uri: string
  headers: ReadonlyMap<string, string>
}

const headLimit = 8 * 1024
const bodyLimit = 4 * 1024

/**
 * Cuts requests out of a TCP stream, skipping interleaved packets (receiver reports) between them.
 * Throws when the peer does not speak RTSP or sends more than a request needs.
 */
export function requestReader(onRequest: (request: RtspRequest) => void) {
  let held: Buffer = Buffer.alloc(0)
  return (chunk: Buffer) => {
    held = held.length > 0 ? Buffer.concat([held, chunk]) : chunk
    while (held.length >= 4) {
      const used = held[0] === 0x24 ? 4 + held.readUInt16BE(2) : readRequest(held, onRequest)
      if (used === 0 || used > held.length) break
      held = held.subarray(used)
    }
    if (held.length > 70_000) throw new Error('more than one interleaved packet without an end')
  }
}

/** Bytes used, 0 when the request is not complete. */
function readRequest(held: Buffer, onRequest: (request: RtspRequest) => void): number {
  const end = held.indexOf('\r\n\r\n')
  if (end < 0) {
    if (held.length > headLimit) throw new Error('a request head without an end')
    return 0
  }
  const [first = '', ...lines] = held.toString('latin1', 0, end).split('\r\n')
  const [, method, uri] = /^([A-Z_]{3,20}) (\S{1,2048}) RTSP\/1\.0$/.exec(first) ?? []
  if (!method || !uri) throw new Error('not a request of RTSP 1.0')
  const headers = new Map(
    lines.map((line): [string, string] => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).trim().toLowerCase(), line.slice(colon + 1).trim()]
    }),
  )
  const length = Number(headers.get('content-length') ?? 0)
  if (!(length >= 0 && length <= bodyLimit)) throw new Error('a body larger than a request needs')
  if (held.length < end + 4 + length) return 0
  onRequest({ method, uri, headers })
  return end + 4 + length
}

/** A response with its headers and body as bytes. */
export function response(
  status: string,
  cseq: string,
  headers: Readonly<Record<string, string>> = {},
  body = '',
): Buffer {
  const all = {
    CSeq: cseq,
    Server: 'jifang-sim',
    ...headers,
    ...(body ? { 'Content-Length': String(Buffer.byteLength(body)) } : {}),
  }
  const head = Object.entries(all).map(([name, value]) => `${name}: ${value}\r\n`)
  return Buffer.from(`RTSP/1.0 ${status}\r\n${head.join('')}\r\n${body}`)
}
