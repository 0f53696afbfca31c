import type { LiveNotice, LiveRequest } from '#schema/live.ts'
import { liveLink } from './link.ts'
import { readSegment } from './segment.ts'
import { liveTile, type Tile, type TileInput } from './tile.ts'

export type { TileState } from './verdict.ts'

export interface PlayerOptions {
  /** `wss://host/media/live` (`ws:` only on loopback). */
  url: string
  /**
   * Asks the hub for leave to watch a camera. A rejection with `status` 400 to 499 is final and its
   * `code` becomes the tile's message; any other is tried again.
   */
  getGrant: (camera: string) => Promise<string>
}

export interface PlayInput extends Pick<TileInput, 'camera' | 'video' | 'onState'> {}

export interface PlayingTile {
  /** Ends the picture and empties the `<video>`. */
  stop: () => void
}

export type LivePlayer = ReturnType<typeof livePlayer>

const tickMs = 250
const wireTiles = 64
/** A grant lets a tile run 8 h; it is renewed at half of that. */
const renewMs = 4 * 60 * 60_000

/**
 * The wall's player: one WebSocket for all tiles of the page. Tiles stop while the tab is hidden and
 * come back when it is shown.
 */
export function livePlayer({ url, getGrant }: PlayerOptions) {
  const tiles = new Set<Tile>()
  const wire = new Map<number, Tile>()
  let nextWire = 0
  let clockOffset: number | undefined
  let renewedAt = performance.now()

  const link = liveLink(url, {
    opened: () => tiles.forEach((tile) => tile.begin()),
    text(message) {
      const notice = readNotice(message)
      if (notice) wire.get(notice.tile)?.noticed(notice)
    },
    binary(message) {
      const segment = readSegment(message)
      if (!segment) return
      learnClock(segment.receivedAt)
      wire.get(segment.tile)?.received(segment)
    },
    closed(why) {
      wire.clear()
      tiles.forEach((tile) => tile.linkLost(why))
    },
  })

  /** The hub's clock is at least what the newest picture says; the smallest delay seen is the estimate. */
  function learnClock(receivedAt: number) {
    const offset = receivedAt - Date.now()
    const jumped = clockOffset !== undefined && Math.abs(offset - clockOffset) > 5_000
    clockOffset = clockOffset === undefined || jumped ? offset : Math.max(clockOffset, offset)
  }

  /** A number no picture still under way can carry: each start takes the next of 64. */
  function takeWire(tile: Tile): number | undefined {
    for (let tries = 0; tries < wireTiles; tries++) {
      const id = nextWire
      nextWire = (nextWire + 1) % wireTiles
      if (wire.has(id)) continue
      wire.set(id, tile)
      return id
    }
    return undefined
  }

  const host = {
    getGrant,
    takeWire,
    releaseWire(id: number) {
      wire.delete(id)
      link.send({ op: 'stop', tile: id } satisfies LiveRequest)
    },
    send: (request: LiveRequest) => link.send(request),
    linkUp: () => link.up(),
    hubNow: () => Date.now() + (clockOffset ?? 0),
  }

  function onVisibility() {
    if (document.hidden) tiles.forEach((tile) => tile.suspend())
    else {
      link.connect()
      tiles.forEach((tile) => tile.begin())
    }
  }

  const timer = setInterval(() => {
    if (document.hidden) return
    tiles.forEach((tile) => tile.tick())
    if (performance.now() - renewedAt < renewMs) return
    renewedAt = performance.now()
    tiles.forEach((tile) => tile.renew())
  }, tickMs)
  document.addEventListener('visibilitychange', onVisibility)

  return {
    /** Shows a camera in a `<video>`; `onState` is told at once, at each change and once a second. */
    play(input: PlayInput): PlayingTile {
      const tile = liveTile(input, host)
      tiles.add(tile)
      link.connect()
      if (!document.hidden) tile.begin()
      return {
        stop() {
          tiles.delete(tile)
          tile.close()
        },
      }
    },
    close() {
      clearInterval(timer)
      document.removeEventListener('visibilitychange', onVisibility)
      tiles.forEach((tile) => tile.close())
      tiles.clear()
      link.close()
    },
  }
}

function readNotice(message: string): LiveNotice | undefined {
  try {
    const value: unknown = JSON.parse(message)
    // Our own hub wrote it; only its outline is looked at.
    if (typeof value !== 'object' || value === null || !('tile' in value)) return undefined
    return value as LiveNotice
  } catch {
    return undefined
  }
}
