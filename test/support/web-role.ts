import { io, type Socket } from 'socket.io-client'
import pino from 'pino'
import type { Peers } from '../../hub/schema/role.ts'
import type { HubEvents, PageEvents } from '../../hub/schema/live.ts'
import type { Settings } from '../../hub/schema/settings.ts'
import { startWeb, type WebRoleDeps } from '../../hub/web/role.ts'
import { sessions } from '../../hub/web/sessions.ts'
import { webCounty, type WebCounty } from './web-county.ts'

export type PageSocket = Socket<HubEvents, PageEvents>

/** The whole web role on a free port over a small county. */
export interface WebRole extends AsyncDisposable {
  county: WebCounty
  port: number
  /** Address of the door, `http://127.0.0.1:<port>`. */
  url: string
  peers: Peers
  cookieOf(name: string): string
  /** A connected page of this person. */
  page(name: string): Promise<PageSocket>
  /** A page that is not yet connected, with these headers. */
  stranger(headers: Record<string, string>): PageSocket
  metrics(): Record<string, number>
  close(): Promise<void>
}

/** Starts the role with some settings changed; sockets a test opened are closed with it. */
export async function webRole(
  change: Partial<WebRoleDeps> = {},
  settings: Partial<Settings> = {},
): Promise<WebRole> {
  const county = await webCounty()
  const peers: Peers = { mediaPort: 0, metrics: {}, restarts: {} }
  const role = await startWeb({
    ...county,
    start: {
      settings: { ...county.settings, ...settings },
      busSecret: '',
      grantSecret: county.grantSecret,
      mqttPort: 0,
      mediaPort: 0,
      demo: false,
    },
    log: pino({ level: 'silent' }),
    peers: () => peers,
    consoleDir: '/nonexistent',
    ...change,
  })
  const port = role.ports.http ?? 0
  const url = `http://127.0.0.1:${port}`
  const opened: PageSocket[] = []
  const open = sessions(county)
  const cookieOf = (name: string) => `hub=${open.open(county.user(name)).token}`
  const stranger = (extraHeaders: Record<string, string>) => {
    const socket: PageSocket = io(url, {
      transports: ['websocket'],
      forceNew: true,
      reconnection: false,
      autoConnect: false,
      extraHeaders,
    })
    opened.push(socket)
    return socket
  }
  let closed = false
  async function close() {
    if (closed) return
    closed = true
    for (const socket of opened) socket.disconnect()
    await role.close()
    county.closeStores()
  }
  return {
    county,
    port,
    url,
    peers,
    cookieOf,
    stranger,
    metrics: () => role.metrics(),
    close,
    async page(name) {
      const socket = stranger({ cookie: cookieOf(name) })
      const connected = new Promise<void>((resolve) => socket.once('connect', resolve))
      socket.connect()
      await connected
      return socket
    },
    [Symbol.asyncDispose]: close,
  }
}

/** Resolves with the first arguments of the next event of this name. */
export const next = <Name extends keyof HubEvents>(socket: PageSocket, name: Name) =>
  new Promise<Parameters<HubEvents[Name]>[0]>((resolve) => {
    const listener = (event: string, value: Parameters<HubEvents[Name]>[0]) => {
      if (event !== name) return
      socket.offAny(listener)
      resolve(value)
    }
    socket.onAny(listener)
  })

/** Resolves with the reason when the socket is cut. */
export const cut = (socket: PageSocket) =>
  new Promise<string>((resolve) => socket.once('disconnect', (reason) => resolve(reason)))
