import { readFileSync } from 'node:fs'
import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer } from 'node:tls'
import { errors } from '../errors.ts'
import type { Settings } from '../schema/settings.ts'
import { isLoopback } from './identity.ts'

export interface Listeners {
  /** Port of the plain door on loopback: roles, and devices where no TLS is asked for. */
  port: number
  /** Port of the TLS door; undefined when the broker listens on loopback only. */
  tlsPort: number | undefined
  /** Takes no further socket; resolves at once, open sockets stay. */
  close(): void
}

const listen = (server: Server, port: number, host: string): Promise<number> =>
  new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(error.code === 'EADDRINUSE' ? errors.portTaken('MQTT', port, 'HUB_MQTT_PORT') : error),
    )
    server.listen(port, host, () => {
      const address = server.address()
      resolve(typeof address === 'object' && address ? address.port : port)
    })
  })

/**
 * Opens the doors. On a host other than loopback devices speak TLS, and the roles keep a plain
 * door of their own on loopback.
 * @throws PORT_TAKEN, CONFIG_INVALID
 */
export async function openListeners(deps: {
  settings: Settings
  serve: (socket: Socket) => void
  maxConnections: number | undefined
  refused: () => void
}): Promise<Listeners> {
  const { HUB_MQTT_HOST: host, HUB_MQTT_PORT: port, HUB_TLS_CERT, HUB_TLS_KEY } = deps.settings
  const local = host === 'localhost' || isLoopback(host)
  const servers: Server[] = []
  const open = (server: Server, at: { port: number; host: string }) => {
    servers.push(server)
    if (deps.maxConnections !== undefined) server.maxConnections = deps.maxConnections
    server.on('drop', deps.refused)
    return listen(server, at.port, at.host)
  }
  const plain = () => createServer({ noDelay: true, keepAlive: true }, deps.serve)
  try {
    if (local) return { port: await open(plain(), { port, host }), tlsPort: undefined, close }
    if (!HUB_TLS_CERT || !HUB_TLS_KEY)
      throw errors.configInvalid(`HUB_MQTT_HOST ${host} needs HUB_TLS_CERT and HUB_TLS_KEY`)
    const tls = createTlsServer({
      cert: readFileSync(HUB_TLS_CERT),
      key: readFileSync(HUB_TLS_KEY),
      minVersion: 'TLSv1.2',
      handshakeTimeout: 5000,
      noDelay: true,
    })
    tls.on('secureConnection', deps.serve)
    const tlsPort = await open(tls, { port, host })
    return { port: await open(plain(), { port: 0, host: '127.0.0.1' }), tlsPort, close }
  } catch (error) {
    close()
    throw error
  }

  function close() {
    for (const server of servers) server.close()
  }
}
