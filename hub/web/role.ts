import { readFileSync } from 'node:fs'
import { createSecureContext } from 'node:tls'
import { fileURLToPath } from 'node:url'
import type { FastifyInstance } from 'fastify'
import type { Logger } from 'pino'
import { errors } from '../errors.ts'
import type { Bus } from '../bus/bus.ts'
import type { Clock } from '../rules/clock.ts'
import type { Peers, RoleStart, RunningRole } from '../schema/role.ts'
import type { AlarmStore } from '../store/alarm-store.ts'
import type { AuditStore } from '../store/audit-store.ts'
import { auditWriter } from '../audit/audit.ts'
import type { MetricsStore } from '../store/metrics-store.ts'
import type { PeopleStore } from '../store/people-store.ts'
import type { RegistryStore } from '../store/registry-store.ts'
import type { StateStore } from '../store/state-store.ts'
import { connections, type Connections } from './connections.ts'
import { defaultLimits, type Limits } from './deps.ts'
import { boundConnections, type ConnectionLimits } from './idle-connections.ts'
import { liveDoor } from './live.ts'
import { passwords } from './password.ts'
import { buildWeb } from './server.ts'
import { sessions, type Sessions } from './sessions.ts'
import { upgradeDoor } from './upgrade.ts'
import { world, type World } from './world.ts'

const pollMs = 1000
/** Open sockets are asked for their rights this often; a sign-out asks at once. */
const checkMs = 5000
const sweepMs = 60_000

export interface WebRoleDeps {
  start: RoleStart
  clock: Clock
  log: Logger
  alarms: AlarmStore
  registry: RegistryStore
  state: StateStore
  metrics: Pick<MetricsStore, 'status'>
  audit: AuditStore
  people: PeopleStore
  bus: Bus
  /** The other roles as the supervisor sees them; absent: as they were at the start. */
  peers?: (() => Peers) | undefined
  consoleDir?: string | undefined
  limits?: Limits | undefined
  connections?: ConnectionLimits | undefined
}

/** @throws CONFIG_INVALID when a file cannot be read or the two do not fit */
function tlsOf({ settings }: RoleStart) {
  const { HUB_TLS_CERT: certFile, HUB_TLS_KEY: keyFile } = settings
  if (certFile === undefined || keyFile === undefined) return undefined
  const tls = { cert: pem('HUB_TLS_CERT', certFile), key: pem('HUB_TLS_KEY', keyFile) }
  try {
    createSecureContext(tls)
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error)
    throw errors.configInvalid(`HUB_TLS_CERT and HUB_TLS_KEY do not make a TLS door: ${why}`)
  }
  return tls
}

function pem(setting: string, file: string): Buffer {
  try {
    return readFileSync(file)
  } catch {
    throw errors.configInvalid(`${setting}: the file '${file}' cannot be read`)
  }
}

async function listen(app: FastifyInstance, { settings }: RoleStart): Promise<number> {
  const { HUB_HTTP_HOST: host, HUB_HTTP_PORT: port } = settings
  try {
    await app.listen({ host, port })
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE')
      throw errors.portTaken('the console and API', port, 'HUB_HTTP_PORT')
    throw error
  }
  const address = app.server.address()
  return typeof address === 'object' && address ? address.port : port
}

/** Counts answers by class of their status. */
function answerCounter(app: FastifyInstance) {
  const counts: Record<string, number> = {}
  app.addHook('onResponse', async (_request, { statusCode }) => {
    const name = `http_answers_${Math.floor(statusCode / 100)}xx_total`
    counts[name] = (counts[name] ?? 0) + 1
  })
  return counts
}

interface Kept {
  picture: World
  sockets: Connections
  open: Sessions
  bus: Pick<Bus, 'on'>
  failed: (error: unknown) => void
}

/** Looks at stores and sessions again and again; returns what ends it. */
function keepTrue({ picture, sockets, open, bus, failed }: Kept): () => void {
  const guarded = (work: () => void) => () => {
    try {
      work()
    } catch (error) {
      failed(error)
    }
  }
  const poll = guarded(() => picture.poll())
  const check = guarded(() => sockets.check())
  const sweep = guarded(() => void open.sweep())
  const endHint = bus.on('sessions', check)
  const timers = [
    setInterval(poll, pollMs),
    setInterval(check, checkMs),
    setInterval(sweep, sweepMs),
  ]
  return () => {
    for (const timer of timers) clearInterval(timer)
    endHint()
  }
}

/** Starts the web role: console, API, live door and the way to media. @throws PORT_TAKEN, CONFIG_INVALID */
export async function startWeb(given: WebRoleDeps): Promise<RunningRole> {
  const { start, clock, log, bus, people } = given
  const deps = { ...given, audit: auditWriter(given.audit, clock) }
  const tls = tlsOf(start)
  const secure = tls !== undefined
  const failed = (error: unknown) => log.warn({ err: error }, 'a store did not answer, tried again')
  const picture = world({ ...deps, failed })
  const open = sessions({ people, clock })
  const sockets = connections(open)
  const peers = deps.peers ?? (() => ({ mediaPort: start.mediaPort, metrics: {}, restarts: {} }))
  const counts: { http: Record<string, number> } = { http: {} }
  const ownMetrics = () => ({
    ...counts.http,
    sockets: sockets.count(),
    pages: live.count(),
  })
  const live = liveDoor({ ...deps, world: picture, connections: sockets })
  const app = await buildWeb(
    {
      ...deps,
      settings: start.settings,
      secure,
      grantSecret: start.grantSecret,
      sessions: open,
      passwords: passwords(),
      world: picture,
      peers,
      ownMetrics,
      consoleDir: deps.consoleDir ?? fileURLToPath(new URL('../../console/dist', import.meta.url)),
      limits: deps.limits ?? defaultLimits,
    },
    { log, tls },
  )
  counts.http = answerCounter(app)
  boundConnections(app.server, clock, given.connections)
  upgradeDoor({
    ...deps,
    server: app.server,
    sessions: open,
    connections: sockets,
    secure,
    grantSecret: start.grantSecret,
    mediaPort: () => peers().mediaPort,
    live: (...upgrade) => live.accept(...upgrade),
  })

  const stopKeeping = keepTrue({ picture, sockets, open, bus, failed })
  async function close() {
    stopKeeping()
    await live.close()
    await app.close()
    picture.close()
  }
  try {
    const http = await listen(app, start)
    log.info({ port: http, secure }, 'web ready')
    return { ports: { http }, metrics: ownMetrics, close }
  } catch (error) {
    await close()
    throw error
  }
}
