/** What the socket carries: text both ways, binary from the hub. */
export interface LinkEvents {
  opened: () => void
  text: (message: string) => void
  binary: (message: ArrayBuffer) => void
  closed: (why: 'lost' | 'session-ended') => void
}

/** The hub's close code for a session that ended: coming back by itself would only be refused. */
const sessionEnded = 4401
const wait = { first: 500, longest: 10_000 } as const

export type Link = ReturnType<typeof liveLink>

/** One WebSocket that comes back by itself, with growing, jittered waits. */
export function liveLink(url: string, events: LinkEvents) {
  let socket: WebSocket | undefined
  let timer: ReturnType<typeof setTimeout> | undefined
  let tries = 0
  let ended = false

  function connect() {
    clearTimeout(timer)
    timer = undefined
    if (ended || socket) return
    const made = new WebSocket(url)
    made.binaryType = 'arraybuffer'
    socket = made
    made.addEventListener('open', () => {
      if (made !== socket) return
      tries = 0
      events.opened()
    })
    made.addEventListener('message', ({ data }: MessageEvent<string | ArrayBuffer>) => {
      if (made !== socket) return
      if (typeof data === 'string') events.text(data)
      else events.binary(data)
    })
    made.addEventListener('close', ({ code }) => {
      if (made !== socket) return
      socket = undefined
      const over = code === sessionEnded
      events.closed(over ? 'session-ended' : 'lost')
      if (ended || over) return
      const waitMs = Math.min(wait.longest, wait.first * 2 ** Math.min(tries++, 6))
      timer = setTimeout(connect, waitMs * (0.75 + Math.random() / 2))
    })
  }

  return {
    /** Connects now unless it stands already. */
    connect,
    up: () => socket?.readyState === WebSocket.OPEN,
    send(message: unknown) {
      if (socket?.readyState === WebSocket.OPEN) socket.send(JSON.stringify(message))
    },
    close() {
      ended = true
      clearTimeout(timer)
      const last = socket
      socket = undefined
      last?.close()
    },
  }
}
