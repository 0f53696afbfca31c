import type { Server } from 'node:http'

export interface ConnectionLimits {
  /** Above so many open connections those that wait for nothing are closed. */
  calm: number
  /** More are never open at once. */
  most: number
}

/** 650 duty rooms with eight connections each, three times over. */
export const connectionLimits: ConnectionLimits = { calm: 4_096, most: 16_384 }

/** Looking for idle connections takes as long as there are many: not more often than this, ms. */
const lookEachMs = 250

/**
 * Keeps strangers from holding the door by connections that ask nothing: an answered one is kept open for
 * 65 s for its next request (proxies want that), unless there are too many. One that never asked is cut
 * by the server's own time limit.
 */
export function boundConnections(
  server: Server,
  clock: { mono(): number },
  { calm, most }: ConnectionLimits = connectionLimits,
): void {
  let open = 0
  let lookedAt = -Infinity
  server.maxConnections = most
  server.on('connection', (socket) => {
    open += 1
    socket.once('close', () => (open -= 1))
    if (open <= calm || clock.mono() - lookedAt < lookEachMs) return
    lookedAt = clock.mono()
    server.closeIdleConnections()
  })
}
