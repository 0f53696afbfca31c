import { io } from 'socket.io-client'
import type { HubEvents, PageEvents } from '#schema/live.ts'

export type HubListeners = { [Name in keyof HubEvents]: HubEvents[Name] } & {
  /** The socket is up and the hub has put it into the scope's rooms. */
  joined: () => void
  /** The socket is down; it reconnects by itself. */
  dropped: () => void
  /** The hub refused the scope, in words. */
  refused: (message: string) => void
}

export interface LiveLink {
  close(): void
}

/** Opens the live connection of one scope. The fleet is fed by it; tests feed the fleet by hand. */
export type OpenLink = (scope: string, listeners: HubListeners) => LiveLink

type Listened = Parameters<ReturnType<typeof io>['on']>[1]

/** Live connection over socket.io (web-socket only: one connection, no polling through proxies). */
export const socketLink: OpenLink = (scope, { joined, dropped, refused, ...events }) => {
  const socket = io({
    transports: ['websocket'],
    reconnectionDelay: 500,
    reconnectionDelayMax: 4000,
    timeout: 5000,
    forceNew: true,
  })
  const watch: PageEvents['watch'] = (what, done) => void socket.emit('watch', what, done)
  const join = () =>
    watch({ scope }, (answer) => (answer.ok ? joined() : refused(answer.message ?? '')))
  socket.on('connect', join)
  socket.on('disconnect', (why) => {
    dropped()
    // Socket.io does not come back by itself after the server closed the session on purpose.
    if (why === 'io server disconnect') setTimeout(() => socket.active || socket.connect(), 2000)
  })
  socket.on('connect_error', () => {
    dropped()
    if (!socket.active) setTimeout(() => socket.connect(), 4000)
  })
  for (const [name, listener] of Object.entries(events)) socket.on(name, listener as Listened)
  return {
    close() {
      socket.removeAllListeners()
      socket.disconnect()
    },
  }
}
