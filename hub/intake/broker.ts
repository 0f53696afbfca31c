import { Socket } from 'node:net'
import { Aedes, type AedesPublishPacket, type Client, type PublishPacket } from 'aedes'
import type { Logger } from 'pino'
import type { Clock } from '../rules/clock.ts'
import type { Branch, MqttAcl } from './acl.ts'
import type { Counters } from './counters.ts'
import { type GuardLimits, guardSocket } from './guard.ts'
import type { Identities, Identity, RefusedConnect, Sender } from './identity.ts'
import type { SecurityLog } from './security-log.ts'

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

interface ConnectFacts {
  clientId: string
  remote: string
  willTopic: string | undefined
}

/** aedes keeps the last will of an established connection here; its types do not say so. */
type WithWill = Client & { will?: object | null }

/** Set on packets that nobody may subscribe to: they need no distribution. */
const consumed = Symbol('consumed')
type Marked = { [consumed]?: true }

const refusal = (message: string, returnCode: 2 | 5) =>
  Object.assign(new Error(message), { returnCode })

/** What is read from a socket is always bytes; only packets made by hand may hold text. */
const bytesOf = (payload: string | Buffer) =>
  typeof payload === 'string' ? Buffer.from(payload) : payload

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

/**
 * aedes 1.2 behind the guards it does not have by itself. Measured without them: one stalled
 * subscriber ends the process with a RangeError, three unauthenticated 200 MB CONNECTs take 600 MB.
 */
export async function mqttBroker(deps: BrokerDeps): Promise<MqttBroker> {
  const { counters, identities, acl, security, log, limits } = deps
  const connects = new WeakMap<Client, ConnectFacts>()
  const admitted = new WeakMap<Client, Identity>()
  const guards = new WeakMap<object, { admitted(): void }>()
  /** The connection that now stands for a client id; set before aedes closes the one before. */
  const current = new Map<string, Client>()
  /** Connections ended by keep-alive time-out, or by the hub itself: their wills prove nothing. */
  const silent = new WeakSet<Client>()
  const expelled = new WeakSet<Client>()
  let unadmitted = 0
  let closing = false

  function forbid(client: Client, who: Identity, topic: string, what: string): Error {
    counters.add(`forbidden_${what}`)
    expelled.add(client)
    security.forbidden({
      clientId: client.id,
      region: who.kind === 'role' ? null : who.device.region,
      topic,
      what,
    })
    return new Error(`forbidden topic (${what})`)
  }

  /** Why a last will must not be believed; undefined = it is the device's own dying word. */
  function willFlaw(client: Client, branch: Branch): string | undefined {
    if (closing) return 'hub_stop'
    // A take-over closes the old connection, which fires its will although the device lives.
    if (current.get(client.id) !== client) return 'stale'
    // An alarm left as a will is said on any end of the connection; only its sender decides that.
    if (branch === 'a') return undefined
    if (expelled.has(client)) return 'expelled'
    // Evidence of silence, not of death: the verdict stays at the silence limit.
    return silent.has(client) ? 'keepalive' : undefined
  }

  function authorizePublish(
    client: Client | null,
    packet: Pick<AedesPublishPacket, 'topic' | 'payload' | 'qos' | 'dup' | 'retain'>,
    done: (error?: Error | null) => void,
  ): void {
    const who = client ? admitted.get(client) : undefined
    if (client === null || who === undefined) return done(new Error('not admitted'))
    const branch = acl.publishes(who, packet.topic)
    if (branch === undefined) return done(forbid(client, who, packet.topic, 'publish'))
    const isWill = (client as WithWill).will === packet
    // Neither acknowledged nor refused: the sender keeps it for the hub's next life.
    if (closing && !isWill) return
    const flaw = isWill ? willFlaw(client, branch) : undefined
    if (flaw !== undefined) {
      counters.add(`wills_${flaw}`)
      return done(new Error('the last will is not believed'))
    }
    if (!acl.heard(branch)) (packet as Marked)[consumed] = true
    const asRetained = packet.retain && branch !== 'status'
    if (asRetained) counters.add('retained_refused')
    // Nothing is kept: nobody may subscribe to what devices say, and aedes searches every retained
    // message on each SUBSCRIBE (30,000 of them would cost a reconnecting county minutes).
    packet.retain = false
    if (who.kind === 'role') return done()
    deps.take(
      {
        sender: who,
        branch,
        topic: packet.topic,
        payload: bytesOf(packet.payload),
        qos: packet.qos,
        dup: packet.dup,
        // Only `status` is published retained by the live device itself (its birth).
        live: !isWill && !asRetained,
      },
      done,
    )
  }

  function refuse(client: Client, facts: ConnectFacts, reason: RefusedConnect | 'forbidden-will') {
    counters.add(`refused_${reason}`)
    security.refused({ clientId: facts.clientId, remote: facts.remote, reason })
    log.debug({ clientId: facts.clientId, reason }, 'connect refused')
    // [MQTT-3.1.3-9] identifier rejected; every other reason looks the same from outside.
    return refusal(reason, reason === 'empty-client-id' ? 2 : 5)
  }

  const aedes = await Aedes.createBroker({
    concurrency: 0,
    drainTimeout: 5000,
    connectTimeout: limits.guard.connectTimeoutMs,
    keepaliveLimit: limits.keepaliveS,
    maxInflightInbound: 100,
    maxTopicLevels: 8,
    maxClientsIdLength: 64,
    preConnect(client, packet, done) {
      const remote = (client.conn as Socket).remoteAddress ?? ''
      // aedes would answer with return code 6, which MQTT 3.1.1 reserves: [MQTT-3.2.2-6] says close.
      if (!packet.keepalive || packet.keepalive > limits.keepaliveS) {
        counters.add('refused_keepalive')
        return done(new Error('keep alive missing or too long'), false)
      }
      // No session outlives its connection: what a device missed is asked for, not queued in memory.
      if (packet.clean === false) counters.add('clean_forced')
      packet.clean = true
      connects.set(client, { clientId: packet.clientId, remote, willTopic: packet.will?.topic })
      done(null, true)
    },
    authenticate(client, username, password, done) {
      const facts = connects.get(client)
      if (facts === undefined || closing) return done(refusal('not now', 5), null)
      const who = identities.judge({
        clientId: facts.clientId,
        remote: facts.remote,
        username,
        password,
      })
      if (typeof who === 'string') return done(refuse(client, facts, who), null)
      if (facts.willTopic !== undefined && !acl.publishes(who, facts.willTopic))
        return done(refuse(client, facts, 'forbidden-will'), null)
      if (current.has(facts.clientId)) counters.add('takeovers')
      current.set(facts.clientId, client)
      admitted.set(client, who)
      guards.get(client.conn)?.admitted()
      done(null, true)
    },
    authorizePublish: (client, packet, done) => authorizePublish(client, packet, done),
    authorizeSubscribe(client, subscription, done) {
      const who = admitted.get(client)
      if (who && acl.subscribes(who, subscription.topic)) return done(null, subscription)
      done(who ? forbid(client, who, subscription.topic, 'subscribe') : new Error('not admitted'))
    },
    authorizeForward(client, packet) {
      if (!client.conn.writableNeedDrain) return packet
      counters.add('forwards_shed')
      return null
    },
  })

  skipConsumed(aedes)
  aedes.on('keepaliveTimeout', (client) => {
    counters.add('keepalive_timeouts')
    silent.add(client)
  })
  aedes.on('clientDisconnect', (client) => {
    if (current.get(client.id) === client) current.delete(client.id)
    counters.set('clients', aedes.connectedClients)
  })
  aedes.on('clientReady', () => counters.set('clients', aedes.connectedClients))
  aedes.on('clientError', (client, error) => {
    counters.add('client_errors')
    log.debug({ clientId: client.id, err: error }, 'client error')
  })
  aedes.on('connectionError', () => counters.add('connection_errors'))
  // Its types leave out the event that would end the process when nobody listens.
  const faults: NodeJS.EventEmitter = aedes
  faults.on('error', (error: Error) => log.error({ err: error }, 'broker error'))

  return {
    serve(socket) {
      if (closing || unadmitted >= limits.unadmitted) {
        counters.add('refused_too_many_unadmitted')
        socket.destroy()
        return
      }
      unadmitted++
      let counted = true
      const release = () => {
        if (counted) unadmitted--
        counted = false
      }
      socket.once('close', release)
      const guard = guardSocket(socket, {
        limits: limits.guard,
        clock: deps.clock,
        refused: (reason) => {
          counters.add(`guard_${reason}`)
          const client = (socket as Socket & { client?: Client }).client
          if (client) expelled.add(client)
          log.debug({ remote: socket.remoteAddress, reason }, 'socket closed by the guard')
        },
      })
      guards.set(socket, {
        admitted: () => {
          guard.admitted()
          release()
        },
      })
      aedes.handle(socket)
    },
    publish: (topic, payload) =>
      aedes.publish(
        { cmd: 'publish', topic, payload: Buffer.from(payload), qos: 0, dup: false, retain: false },
        () => {},
      ),
    listen(filter, listener) {
      const deliver = ({ topic, payload }: AedesPublishPacket, done: () => void) => {
        listener(topic, bytesOf(payload))
        done()
      }
      aedes.subscribe(filter, deliver, () => {})
    },
    recheck() {
      for (const client of current.values()) {
        const who = admitted.get(client)
        if (!who || who.kind === 'role' || identities.stillValid(who)) continue
        counters.add('expelled_by_registry')
        expelled.add(client)
        client.close()
      }
    },
    beginClose() {
      closing = true
    },
    close: () =>
      new Promise((resolve) => {
        closing = true
        aedes.close(() => resolve())
      }),
  }
}
