import { liveFrame } from '../../schema/live.ts'

/** One binary message of the live socket, shared by every viewer that has the camera in the same tile. */
export interface LiveMessage {
  readonly key: boolean
  readonly size: number
  /** The message with this tile's number in front; the same Buffer each time for the same tile. */
  bytes(tile: number): Buffer
}

/**
 * Fills the header into a segment whose first `liveFrame.header` bytes were left free. The tile number
 * is the one byte in which viewers differ: the first tile gets the original, each other one copy.
 *
 * @param receivedAt epoch ms
 */
export function liveMessage(segment: Buffer, type: number, receivedAt: number): LiveMessage {
  segment.writeUInt8(type, 1)
  segment.writeDoubleBE(receivedAt, 2)
  let owner: number | undefined
  let copies: Map<number, Buffer> | undefined
  return {
    key: type === liveFrame.key,
    size: segment.length,
    bytes(tile) {
      if (owner === undefined) {
        owner = tile
        segment.writeUInt8(tile, 0)
      }
      if (owner === tile) return segment
      copies ??= new Map()
      const made = copies.get(tile)
      if (made) return made
      const copy = Buffer.from(segment)
      copy.writeUInt8(tile, 0)
      copies.set(tile, copy)
      return copy
    },
  }
}
