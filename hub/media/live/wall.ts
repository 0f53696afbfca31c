import type { WebSocket } from 'ws'
import type { Clock } from '../../rules/clock.ts'
import { grantRunMs } from '../../rules/grant.ts'
import { LiveRequest, type LiveNotice } from '../../schema/live.ts'
import { judgeGrant } from '../grant.ts'
import type { LiveMessage } from './message.ts'
import type { Viewer } from './source.ts'

export interface WallDeps {
  socket: Pick<WebSocket, 'send' | 'close' | 'bufferedAmount'>
  /** `Session.idHash` of the page's person. */
  session: string
  grantSecret: string
  clock: Clock
  /** Begins to watch a camera; undefined when there is no such camera. */
  watch: (camera: string, viewer: Viewer) => (() => void) | undefined
  counts: WallCounts
  /** Called before each picture: what is written in one turn may leave together. */
  gather?: () => void
}

/** Counters all walls share. */
export interface WallCounts {
  sentBytes: number
  sentFrames: number
  skippedFrames: number
  refused: number
}

/** Bytes one page may have waiting: a base and a share per tile. Beyond it pictures are skipped. */
export const queueCap = { base: 1024 * 1024, perTile: 256 * 1024 } as const

// A page plays and stops tiles by hand; a burst is a wall of 64 tiles changing its page twice.
const requestBurst = 200
const requestsPerS = 20

interface Tile {
  camera: string
  leave(): void
  /** Epoch ms on the monotonic clock until which the grant lets it run. */
  until: number
}

export type Wall = ReturnType<typeof liveWall>

/** One page's socket and all its tiles. */
export function liveWall({ socket, session, grantSecret, clock, watch, counts, gather }: WallDeps) {
  const tiles = new Map<number, Tile>()
  let tokens = requestBurst
  let refilledAt = clock.mono()

  const cap = () => queueCap.base + queueCap.perTile * tiles.size
  const notify = (notice: LiveNotice) => socket.send(JSON.stringify(notice))

  function refuse(tile: number, message: string) {
    counts.refused++
    notify({ tile, state: 'refused', lastFrameAt: null, codec: null, message })
  }

  function end(tile: number) {
    const entry = tiles.get(tile)
    tiles.delete(tile)
    entry?.leave()
  }

  function viewer(tile: number): Viewer {
    let needKey = true
    function send(message: LiveMessage) {
      counts.sentBytes += message.size
      gather?.()
      socket.send(message.bytes(tile))
    }
    return {
      notice: (notice) => notify({ tile, ...notice }),
      init(message) {
        needKey = true
        send(message)
      },
      frame(message, burst) {
        const waiting = socket.bufferedAmount
        // Half the cap must be free again before pictures go on: otherwise it flaps at the edge.
        const room = burst || waiting < (needKey ? cap() / 2 : cap())
        if (!room || (needKey && !message.key)) {
          needKey = true
          counts.skippedFrames++
          return
        }
        needKey = false
        counts.sentFrames++
        send(message)
      },
    }
  }

  function play({ tile, camera, grant }: Extract<LiveRequest, { op: 'play' }>) {
    const verdict = judgeGrant(grant, { secret: grantSecret, session, camera, now: clock.now() })
    if (verdict !== 'ok') {
      end(tile)
      return refuse(tile, verdict)
    }
    const until = clock.mono() + grantRunMs
    const running = tiles.get(tile)
    // The same camera again is the renewal of a running tile: the picture goes on.
    if (running?.camera === camera) return void (running.until = until)
    end(tile)
    const entry: Tile = { camera, until, leave: () => undefined }
    tiles.set(tile, entry)
    const leave = watch(camera, viewer(tile))
    if (leave) return void (entry.leave = leave)
    tiles.delete(tile)
    refuse(tile, 'unknown-camera')
  }

  function mayAsk(): boolean {
    const now = clock.mono()
    tokens = Math.min(requestBurst, tokens + ((now - refilledAt) / 1000) * requestsPerS)
    refilledAt = now
    return --tokens >= 0
  }

  return {
    session,
    /** One text message of the page. */
    asked(text: string) {
      const request = mayAsk() ? parseRequest(text) : undefined
      if (!request) return socket.close(1008, 'bad request')
      if (request.op === 'play') play(request)
      else end(request.tile)
    },
    /** Ends tiles whose grant is older than 8 h. */
    expire() {
      for (const [tile, { until }] of tiles)
        if (until <= clock.mono()) {
          end(tile)
          refuse(tile, 'grant-expired')
        }
    },
    tiles: () => tiles.size,
    close() {
      for (const tile of tiles.keys()) end(tile)
    },
  }
}

function parseRequest(text: string): LiveRequest | undefined {
  try {
    return LiveRequest.safeParse(JSON.parse(text)).data
  } catch {
    return undefined
  }
}
