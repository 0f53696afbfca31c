/** Header of a binary message of the live socket; the same numbers as `liveFrame` in the hub's schema. */
export const frameHeader = { length: 10, init: 0, key: 1, delta: 2 } as const

export interface LiveSegment {
  tile: number
  type: number
  /** When the hub had the whole picture, epoch ms of the hub's clock. */
  receivedAt: number
  /** One fMP4 initialisation segment or one `moof` + `mdat`. */
  data: Uint8Array<ArrayBuffer>
}

/** Reads a binary message; undefined when it is too short to be one. */
export function readSegment(message: ArrayBuffer): LiveSegment | undefined {
  if (message.byteLength <= frameHeader.length) return undefined
  const view = new DataView(message)
  return {
    tile: view.getUint8(0),
    type: view.getUint8(1),
    receivedAt: view.getFloat64(2),
    data: new Uint8Array(message, frameHeader.length),
  }
}

function find(data: Uint8Array, name: string): number {
  const [a, b, c, d] = [0, 1, 2, 3].map((index) => name.charCodeAt(index))
  for (let at = 0; at + 4 <= data.length; at++)
    if (data[at] === a && data[at + 1] === b && data[at + 2] === c && data[at + 3] === d) return at
  return -1
}

/** Codec (RFC 6381) and clock of an initialisation segment; undefined when it is none of ours. */
export function readInit(data: Uint8Array): { codec: string; timescale: number } | undefined {
  const avcC = find(data, 'avcC')
  const mdhd = find(data, 'mdhd')
  if (avcC < 0 || mdhd < 0 || avcC + 8 > data.length || mdhd + 20 > data.length) return undefined
  const hex = Array.from(data.subarray(avcC + 5, avcC + 8), (byte) =>
    byte.toString(16).padStart(2, '0'),
  )
  // mdhd version 0: creation and modification time, then the timescale.
  const timescale = new DataView(data.buffer, data.byteOffset + mdhd + 16, 4).getUint32(0)
  return timescale > 0 ? { codec: `avc1.${hex.join('')}`, timescale } : undefined
}

/** Decode time of a fragment in ticks (`tfdt` version 1); undefined when it is not where ours stands. */
export function readTime(data: Uint8Array): number | undefined {
  const at = find(data.subarray(0, 128), 'tfdt')
  if (at < 0 || at + 16 > data.length) return undefined
  const view = new DataView(data.buffer, data.byteOffset + at, 16)
  return view.getUint32(8) * 2 ** 32 + view.getUint32(12)
}
