import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import {
  Aedes,
  type AedesOptions,
  type AedesPublishPacket,
  type Client,
  type PublishPacket,
} from 'aedes'
import type { Logger } from 'pino'
import type { Clock } from '../rules/clock.ts'
import type { Branch, MqttAcl } from './acl.ts'
import type { Counters } from './counters.ts'
import { type Allowance, freshAllowance, type GuardLimits, guardSocket } from './guard.ts'
import type { Identities, Sender } from './identity.ts'
import type { SecurityLog } from './security-log.ts'
import { type Sessions, sessions } from './sessions.ts'

/** A publication of a known device on a branch it may use. */
export interface DevicePacket {
  sender: Sender
  branch: Branch
  topic: string
  payload: Buffer
  qos: 0 | 1 | 2
  dup: boolean
  /** True when it is evidence that the device lives now: no last will, no retained replay. */
  live: boolean
}

/** `accepted` acknowledges; with an error the connection ends unacknowledged. */
export type TakePacket = (packet: DevicePacket, accepted: (error?: Error) => void) => void

export interface BrokerLimits {
  /** Longest keep-alive a client may ask for, seconds; 0 (none) is refused. */
  keepaliveS: number
  /** Sockets that have not yet been admitted, at most. */
  unadmitted: number
  guard: GuardLimits
}

export interface MqttBroker {
  /** Serves one accepted socket (plain or TLS). */
  serve(socket: Socket): void
  /** Publishes from inside the hub. */
  publish(topic: string, payload: Uint8Array): void
  /** Listens inside the hub. */
  listen(filter: string, listener: (topic: string, payload: Uint8Array) => void): void
  /** Ends connections of devices that were removed or got another secret. */
  recheck(): void
  /** Last wills no longer count, new publications are no longer taken. */
  beginClose(): void
  close(): Promise<void>
}

export interface BrokerDeps {
  identities: Identities
  acl: MqttAcl
  security: SecurityLog
  counters: Counters
  clock: Clock
  log: Logger
  limits: BrokerLimits
  take: TakePacket
}

/** Set on packets that nobody may subscribe to: they need no distribution. */
const consumed = Symbol('consumed')
interface Marked {
  [consumed]?: true
}

/** What is read from a socket is always bytes; only packets made by hand may hold text. */
const bytesOf = (payload: string | Buffer) =>
  typeof payload === 'string' ? Buffer.from(payload) : payload

/** aedes keeps the last will of an established connection in `will`; its types do not say so. */
const isWillOf = (client: Client & { will?: unknown }, packet: object) => client.will === packet

/** Lets packets that nobody may subscribe to end after their acceptance: no emitter, no matching. */
function skipConsumed(aedes: Aedes) {
  const distribute = aedes.publish.bind(aedes)
  // aedes itself calls (packet, client, done); its types know only (packet, done).
  Object.assign(aedes, {
    publish(packet: PublishPacket & Marked, ...rest: [(error?: Error) => void]) {
      if (packet[consumed] === true) rest.at(-1)?.()
      else distribute(packet, ...rest)
    },
  })
}

type Authorize = NonNullable<AedesOptions['authorizePublish']>

/** The one hook every publication passes before it is acknowledged: rights first, then acceptance. */
function publishHook(session: Sessions, { acl, counters, take }: BrokerDeps): Authorize {
  return (client, packet: PublishPacket & Marked, done) => {
    const who = client ? session.identity(client) : undefined
    if (client === null || who === undefined) return done(new Error('not admitted'))
    const branch = acl.publishes(who, packet.topic)
    if (branch === undefined) return done(session.forbid(client, who, packet.topic, 'publish'))
    const will = isWillOf(client, packet)
    const flaw = will ? session.willFlaw(client, branch) : undefined
    if (flaw !== undefined) {
      counters.add(`wills_${flaw}`)
      return done(new Error('the last will is not believed'))
    }
    // Neither acknowledged nor refused: the sender keeps it for the hub's next life.
    if (session.closing()) return undefined
    if (!acl.heard(branch)) packet[consumed] = true
    const asRetained = packet.retain && branch !== 'status'
    if (asRetained) counters.add('retained_refused')
    // Nothing is kept: nobody may subscribe to what devices say, and aedes searches every retained
    // message on each SUBSCRIBE (30,000 of them would cost a reconnecting county minutes).
    packet.retain = false
    if (who.kind === 'role') return done()
    const { topic, qos } = packet
    // A last will comes from the CONNECT packet, which has no DUP flag: undefined, whatever the types say.
    const dup = !will && packet.dup
    const payload = bytesOf(packet.payload)
    // Only `status` is published retained by the live device itself (its birth).
    const live = !will && !asRetained
    return take({ sender: who, branch, topic, payload, qos, dup, live }, done)
  }
}

function watch(aedes: Aedes, session: Sessions, { counters, log }: BrokerDeps) {
  const gauge = () => counters.set('clients', aedes.connectedClients)
  aedes.on('clientReady', gauge)
  aedes.on('clientDisconnect', (client) => {
    session.gone(client)
    gauge()
  })
  // Fires just before the connection ends, and with it the last will.
  aedes.on('keepaliveTimeout', (client) => {
    counters.add('keepalive_timeouts')
    session.silenced(client)
  })
  aedes.on('clientError', (client, error) => {
    counters.add('client_errors')
    log.debug({ clientId: client.id, err: error }, 'client error')
  })
  aedes.on('connectionError', () => counters.add('connection_errors'))
  // Its types leave out the event that would end the process when nobody listens.
  const faults: NodeJS.EventEmitter = aedes
  faults.on('error', (error: Error) => log.error({ err: error }, 'broker error'))
}

/** Counts sockets until they are admitted or gone, and puts the frame guard before aedes. */
function doorman(aedes: Aedes, session: Sessions, { counters, clock, limits, log }: BrokerDeps) {
  const waiting = new Map<Duplex, (clientId: string) => boolean>()
  /** By admitted client id. A burst granted to each connection anew was no limit: 12,000 alarms/s. */
  const allowances = new Map<string, Allowance>()

  function allowanceOf(clientId: string): Allowance {
    const own = allowances.get(clientId) ?? freshAllowance(limits.guard)
    allowances.set(clientId, own)
    return own
  }
  /**
   * The one that waited longest goes, not the one that comes: silent sockets would otherwise keep every
   * device out, while an honest CONNECT follows within a second.
   */
  function makeRoom() {
    if (waiting.size < limits.unadmitted) return
    const [oldest] = waiting.keys()
    counters.add('refused_too_many_unadmitted')
    if (oldest) waiting.delete(oldest)
    oldest?.destroy()
  }
  return {
    admitted: (client: Client) => waiting.get(client.conn)?.(client.id) ?? false,
    serve(socket: Socket) {
      if (session.closing()) {
        socket.destroy()
        return
      }
      makeRoom()
      let client: Client | undefined
      const guard = guardSocket(socket, {
        limits: limits.guard,
        clock,
        refused: (reason) => {
          counters.add(`guard_${reason}`)
          if (client) session.expelled(client)
          log.debug({ remote: socket.remoteAddress, reason }, 'socket closed by the guard')
        },
      })
      waiting.set(socket, (clientId) => {
        waiting.delete(socket)
        return guard.admitted(allowanceOf(clientId))
      })
      socket.once('close', () => waiting.delete(socket))
      client = aedes.handle(socket)
    },
  }
}

/**
 * aedes 1.2 behind the guards it does not have by itself. Measured without them: one stalled
 * subscriber ends the process with a RangeError, three unauthenticated 200 MB CONNECTs take 600 MB.
 */
export async function mqttBroker(deps: BrokerDeps): Promise<MqttBroker> {
  const { acl, counters, limits } = deps
  const session = sessions({
    ...deps,
    keepaliveS: limits.keepaliveS,
    admitted: (client) => door.admitted(client),
  })
  const aedes = await Aedes.createBroker({
    concurrency: 0,
    drainTimeout: 5000,
    connectTimeout: limits.guard.connectTimeoutMs,
    keepaliveLimit: limits.keepaliveS,
    maxInflightInbound: 100,
    maxTopicLevels: 8,
    maxClientsIdLength: 64,
    preConnect: (...args) => session.preConnect(...args),
    authenticate: (...args) => session.authenticate(...args),
    authorizePublish: publishHook(session, deps),
    authorizeSubscribe(client, subscription, done) {
      const who = session.identity(client)
      if (!who) done(new Error('not admitted'))
      else if (acl.subscribes(who, subscription.topic)) done(null, subscription)
      else done(session.forbid(client, who, subscription.topic, 'subscribe'))
    },
    authorizeForward(client, packet) {
      if (!client.conn.writableNeedDrain) return packet
      counters.add('forwards_shed')
      return null
    },
  })
  skipConsumed(aedes)
  watch(aedes, session, deps)
  const door = doorman(aedes, session, deps)

  return {
    serve: (socket) => door.serve(socket),
    publish: (topic, bytes) => {
      const payload = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength)
      const packet: PublishPacket = {
        cmd: 'publish',
        topic,
        payload,
        qos: 0,
        dup: false,
        retain: false,
      }
      aedes.publish(packet, () => {})
    },
    listen(filter, listener) {
      const deliver = ({ topic, payload }: AedesPublishPacket, done: () => void) => {
        listener(topic, bytesOf(payload))
        done()
      }
      aedes.subscribe(filter, deliver, () => {})
    },
    recheck: () => session.recheck(),
    beginClose: () => session.beginClose(),
    close: () =>
      new Promise((resolve) => {
        session.beginClose()
        aedes.close(() => resolve())
      }),
  }
}
