import { Socket } from 'node:net'
import type { AedesOptions, Client } from 'aedes'
import type { Logger } from 'pino'
import type { Branch, MqttAcl } from './acl.ts'
import type { Counters } from './counters.ts'
import type { Identities, Identity, RefusedConnect } from './identity.ts'
import type { SecurityLog } from './security-log.ts'

/** Who stands behind each connection, and which connection stands for each client id. */
export interface Sessions {
  preConnect: NonNullable<AedesOptions['preConnect']>
  authenticate: NonNullable<AedesOptions['authenticate']>
  /** The identity a connection was admitted with. */
  identity(client: Client): Identity | undefined
  /** Counts and audits a topic that is not the client's own; what aedes ends the connection with. */
  forbid(client: Client, who: Identity, topic: string, what: 'publish' | 'subscribe'): Error
  /** Why a last will must not be believed; undefined = it is the device's own dying word. */
  willFlaw(client: Client, branch: Branch): string | undefined
  /** Its keep-alive ran out. */
  silenced(client: Client): void
  /** The hub itself ends the connection. */
  expelled(client: Client): void
  gone(client: Client): void
  /** Ends connections of devices that were removed or got another secret. */
  recheck(): void
  beginClose(): void
  closing(): boolean
}

export interface SessionDeps {
  identities: Identities
  acl: MqttAcl
  security: SecurityLog
  counters: Counters
  log: Logger
  /** Longest keep-alive a client may ask for, seconds; 0 (none) is refused. */
  keepaliveS: number
  /** The guard of this connection may stop its deadline; false: the client has sent too much already. */
  admitted: (client: Client) => boolean
}

interface ConnectFacts {
  clientId: string
  remote: string
  willTopic: string | undefined
}

const refusal = (message: string, returnCode: 2 | 3 | 5) =>
  Object.assign(new Error(message), { returnCode })

const remoteOf = ({ conn }: Client) => (conn instanceof Socket ? (conn.remoteAddress ?? '') : '')

export function sessions(deps: SessionDeps): Sessions {
  const { acl, counters, identities, log, security } = deps
  const connects = new WeakMap<Client, ConnectFacts>()
  const identityOf = new WeakMap<Client, Identity>()
  /** Set when a connection is admitted, before aedes closes the one it takes over from. */
  const current = new Map<string, Client>()
  const silent = new WeakSet<Client>()
  const expelled = new WeakSet<Client>()
  let closing = false

  function refuse(facts: ConnectFacts, reason: RefusedConnect | 'forbidden-will') {
    counters.add(`refused_${reason}`)
    security.refused({ clientId: facts.clientId, remote: facts.remote, reason })
    log.debug({ clientId: facts.clientId, reason }, 'connect refused')
    // [MQTT-3.1.3-9] identifier rejected; every other reason looks the same from outside.
    return refusal(reason, reason === 'empty-client-id' ? 2 : 5)
  }

  return {
    preConnect(client, packet, done) {
      // aedes would answer with return code 6, which MQTT 3.1.1 reserves: [MQTT-3.2.2-6] says close.
      if (!packet.keepalive || packet.keepalive > deps.keepaliveS) {
        counters.add('refused_keepalive')
        done(new Error('keep alive missing or too long'), false)
        return
      }
      // No session outlives its connection: what a device missed is asked for, not queued in memory.
      if (packet.clean === false) counters.add('clean_forced')
      packet.clean = true
      const { clientId, will } = packet
      connects.set(client, { clientId, remote: remoteOf(client), willTopic: will?.topic })
      done(null, true)
    },
    authenticate(client, username, password, done) {
      const facts = connects.get(client)
      if (facts === undefined || closing) {
        done(refusal('not now', 5), null)
        return
      }
      const { clientId, remote, willTopic } = facts
      const who = identities.judge({ clientId, remote, username, password })
      if (typeof who === 'string') done(refuse(facts, who), null)
      else if (willTopic !== undefined && !acl.publishes(who, willTopic))
        done(refuse(facts, 'forbidden-will'), null)
      else if (deps.admitted(client)) {
        if (current.has(clientId)) counters.add('takeovers')
        current.set(clientId, client)
        identityOf.set(client, who)
        done(null, true)
      } else {
        counters.add('refused_too-fast')
        done(refusal('too-fast', 3), null)
      }
    },
    identity: (client) => identityOf.get(client),
    forbid(client, who, topic, what) {
      counters.add(`forbidden_${what}`)
      expelled.add(client)
      const region = who.kind === 'role' ? null : who.device.region
      security.forbidden({ clientId: client.id, region, topic, what })
      return new Error(`forbidden topic (${what})`)
    },
    willFlaw(client, branch) {
      if (closing) return 'hub_stop'
      // A take-over closes the old connection, which fires its will although the device lives.
      if (current.get(client.id) !== client) return 'stale'
      // An alarm left as a will is said on any end of the connection: its sender decided that.
      if (branch === 'a') return undefined
      if (expelled.has(client)) return 'expelled'
      // Evidence of silence, not of death: the verdict stays at the silence limit.
      return silent.has(client) ? 'keepalive' : undefined
    },
    silenced: (client) => silent.add(client),
    expelled: (client) => expelled.add(client),
    gone(client) {
      if (current.get(client.id) === client) current.delete(client.id)
    },
    recheck() {
      for (const client of current.values()) {
        const who = identityOf.get(client)
        if (!who || who.kind === 'role' || identities.stillValid(who)) continue
        counters.add('expelled_by_registry')
        expelled.add(client)
        client.close()
      }
    },
    beginClose() {
      closing = true
    },
    closing: () => closing,
  }
}
