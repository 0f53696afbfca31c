import { nalType, typeOf } from './h264-clip.ts'

/** What travels with every simulated picture. */
export interface SeiMark {
  deviceId: string
  /** The camera's clock when the picture was taken, epoch ms. */
  at: number
}

/** Marks our messages among others of type user_data_unregistered (H.264 D.1.7); has no zero byte. */
const ourUuid = Buffer.from('6a66687562734ac5b1e7d35f2c9a8e41', 'hex')
const userDataUnregistered = 5

/** An SEI NAL unit with the camera's id and clock as JSON `{d, t}`. */
export function makeSei({ deviceId, at }: SeiMark): Buffer {
  const payload = Buffer.concat([ourUuid, Buffer.from(JSON.stringify({ d: deviceId, t: at }))])
  // Sizes of 255 and more are written as a run of 0xff and the rest (7.3.2.3.1).
  const size = [...Array<number>(Math.floor(payload.length / 255)).fill(255), payload.length % 255]
  // No zero byte in a UUID without zeros and JSON text: emulation prevention has nothing to do.
  return Buffer.concat([
    Buffer.from([nalType.sei, userDataUnregistered, ...size]),
    payload,
    Buffer.from([0x80]),
  ])
}

/** Reads our mark from a NAL unit; undefined when it is another kind of unit or message. */
export function readSei(nal: Uint8Array): SeiMark | undefined {
  if (typeOf(nal) !== nalType.sei) return undefined
  const bytes = withoutEmulation(nal.subarray(1))
  let at = 0
  const number = () => {
    let value = 0
    while (bytes[at] === 255) value += bytes[at++] ?? 0
    return value + (bytes[at++] ?? 0)
  }
  while (at + 2 < bytes.length) {
    const type = number()
    const size = number()
    const body = bytes.subarray(at, at + size)
    at += size
    if (type === userDataUnregistered && body.subarray(0, 16).equals(ourUuid))
      return readMark(body.subarray(16).toString())
  }
  return undefined
}

function readMark(text: string): SeiMark | undefined {
  try {
    const mark: unknown = JSON.parse(text)
    if (typeof mark !== 'object' || mark === null || !('d' in mark) || !('t' in mark))
      return undefined
    return typeof mark.d === 'string' && typeof mark.t === 'number'
      ? { deviceId: mark.d, at: mark.t }
      : undefined
  } catch {
    return undefined
  }
}

/** Drops emulation prevention bytes: 00 00 03 -> 00 00 (7.3.1). */
function withoutEmulation(bytes: Uint8Array): Buffer {
  const out = Buffer.alloc(bytes.length)
  let length = 0
  let zeros = 0
  for (const byte of bytes) {
    if (zeros >= 2 && byte === 3) {
      zeros = 0
      continue
    }
    out[length++] = byte
    zeros = byte === 0 ? zeros + 1 : 0
  }
  return out.subarray(0, length)
}
