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

type Io = typeof import('socket.io-client').io
type Listened = Parameters<ReturnType<Io>['on']>[1]

function connect(io: Io, scope: string, { joined, dropped, refused, ...events }: HubListeners) {
  const socket = io({
    transports: ['websocket'],
    reconnectionDelay: 500,
    reconnectionDelayMax: 4000,
    timeout: 5000,
    forceNew: true,
  })
  let timer: ReturnType<typeof setTimeout> | undefined
  /** Socket.io does not come back by itself after the server closed or refused it on purpose. */
  const comeBack = (ms: number) => {
    clearTimeout(timer)
    timer = setTimeout(() => void (socket.active || socket.connect()), ms)
  }
  const watch: PageEvents['watch'] = (what, done) => void socket.emit('watch', what, done)
  socket.on('connect', () =>
    watch({ scope }, (answer) => (answer.ok ? joined() : refused(answer.message ?? ''))),
  )
  socket.on('disconnect', (why) => {
    dropped()
    if (why === 'io server disconnect') comeBack(2000)
  })
  socket.on('connect_error', () => {
    dropped()
    comeBack(4000)
  })
  for (const [name, listener] of Object.entries(events)) socket.on(name, listener as Listened)
  return () => {
    clearTimeout(timer)
    socket.removeAllListeners()
    socket.disconnect()
  }
}

/**
 * Live connection over socket.io (web-socket only: one connection, no polling through proxies). Its
 * 13 kB are fetched beside the first snapshot, not before it.
 */
export const socketLink: OpenLink = (scope, listeners) => {
  let closed = false
  let end: (() => void) | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  function open() {
    import('socket.io-client').then(
      ({ io }) => {
        if (!closed) end = connect(io, scope, listeners)
        return undefined
      },
      () => {
        listeners.dropped()
        if (!closed) timer = setTimeout(open, 2000)
      },
    )
  }
  open()
  return {
    close() {
      closed = true
      clearTimeout(timer)
      end?.()
    },
  }
}
