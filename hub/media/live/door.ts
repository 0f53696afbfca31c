import { timingSafeEqual } from 'node:crypto'
import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { Duplex } from 'node:stream'
import { WebSocketServer, type WebSocket } from 'ws'
import type { Clock } from '../../rules/clock.ts'
import { mediaDoorKey, mediaHeaders } from '../../rules/grant.ts'
import { liveWall, type Wall, type WallCounts, type WallDeps } from './wall.ts'

export interface DoorDeps {
  grantSecret: string
  clock: Clock
  watch: WallDeps['watch']
  /** Whether a session is still open. */
  stands: (session: string) => boolean
  pingEveryMs?: number
}

/** WebSocket close code: the person's session ended; the page must not come back by itself. */
export const sessionEnded = 4401

const mostSockets = 2_000

interface Open {
  socket: WebSocket
  wall: Wall
  heard: boolean
}

export type Door = Awaited<ReturnType<typeof openDoor>>

/** The live socket on a free loopback port: only web, which knows the door's key, gets in. */
export async function openDoor(deps: DoorDeps) {
  const { grantSecret, clock, watch, stands, pingEveryMs = 20_000 } = deps
  const key = Buffer.from(mediaDoorKey(grantSecret))
  const counts: WallCounts = { sentBytes: 0, sentFrames: 0, skippedFrames: 0, refused: 0 }
  const open = new Set<Open>()
  const sockets = new WebSocketServer({
    noServer: true,
    clientTracking: false,
    perMessageDeflate: false,
    maxPayload: 16 * 1024,
  })
  const server = createServer((_request, response) => {
    response.writeHead(404).end()
  })

  function admitted(request: IncomingMessage): string | undefined {
    const given = Buffer.from(String(request.headers[mediaHeaders.key] ?? ''))
    if (given.length !== key.length || !timingSafeEqual(given, key)) return undefined
    const session = request.headers[mediaHeaders.session]
    return typeof session === 'string' && session !== '' ? session : undefined
  }

  function attach(socket: WebSocket, stream: Duplex, session: string) {
    const wall = liveWall({
      socket,
      session,
      gather: gatherer(stream),
      grantSecret,
      clock,
      watch,
      counts,
    })
    const entry: Open = { socket, wall, heard: true }
    open.add(entry)
    socket.on('message', (data, binary) => {
      entry.heard = true
      if (binary) socket.close(1003, 'text only')
      else wall.asked(textOf(data))
    })
    socket.on('pong', () => {
      entry.heard = true
    })
    // A broken socket says so by `close` as well.
    socket.on('error', () => socket.terminate())
    socket.on('close', () => {
      open.delete(entry)
      wall.close()
    })
  }

  server.on('upgrade', (request: IncomingMessage, stream: Duplex, head: Buffer) => {
    stream.on('error', () => stream.destroy())
    const session = admitted(request)
    const path = request.url?.split('?', 1)[0]
    if (session === undefined) return refuse(stream, '403 Forbidden')
    if (path !== '/media/live') return refuse(stream, '404 Not Found')
    if (open.size >= mostSockets) return refuse(stream, '503 Service Unavailable')
    sockets.handleUpgrade(request, stream, head, (socket) => attach(socket, stream, session))
  })

  function end({ socket, wall }: Open) {
    wall.close()
    socket.close(sessionEnded, 'session ended')
  }

  const pings = setInterval(() => {
    for (const entry of open) {
      entry.wall.expire()
      if (!stands(entry.wall.session)) end(entry)
      // A page that neither reads nor answers would hold its queue for ever.
      if (!entry.heard) entry.socket.terminate()
      entry.heard = false
      entry.socket.ping()
    }
  }, pingEveryMs)

  server.listen(0, '127.0.0.1')
  await new Promise<void>((resolve, reject) => {
    server.once('listening', resolve).once('error', reject)
  })

  return {
    port: portOf(server.address()),
    counts,
    sockets: () => open.size,
    tiles: () => [...open].reduce((sum, { wall }) => sum + wall.tiles(), 0),
    /**
     * Sessions changed: ends the sockets of those named (one per line) and of every one that no
     * longer stands.
     */
    recheck(named: string) {
      const closed = new Set(named.split('\n'))
      for (const entry of open)
        if (closed.has(entry.wall.session) || !stands(entry.wall.session)) end(entry)
    },
    async close() {
      clearInterval(pings)
      for (const { socket } of open) socket.terminate()
      await new Promise((resolve) => {
        server.close(resolve)
        server.closeAllConnections()
      })
    },
  }
}

/** Holds back what is written until the turn of the event loop ends: one system call for all tiles. */
function gatherer(stream: Duplex) {
  let held = false
  return () => {
    if (held) return
    held = true
    stream.cork()
    setImmediate(() => {
      held = false
      stream.uncork()
    })
  }
}

const portOf = (address: AddressInfo | string | null) =>
  typeof address === 'object' ? (address?.port ?? 0) : 0

/** Ends both ways: an upgraded stream is under no time limit of the server any more. */
function refuse(stream: Duplex, status: string) {
  const answer = `HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`
  stream.end(answer, () => stream.destroy())
}

const textOf = (data: Buffer | ArrayBuffer | Buffer[]) =>
  (Array.isArray(data)
    ? Buffer.concat(data)
    : data instanceof ArrayBuffer
      ? Buffer.from(data)
      : data
  ).toString('utf8')
