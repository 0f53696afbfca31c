import { connect, type MqttClient } from 'mqtt'
import type { Logger } from 'pino'
import type { RoleName } from '../schema/role.ts'
import { busTopic, type Bus } from './bus.ts'
import { localBus } from './local-bus.ts'

export interface MqttBusDeps {
  /** Loopback door of the broker, e.g. `mqtt://127.0.0.1:1883`. */
  url: string
  role: RoleName
  /** Password of all roles, random per start of the hub. */
  secret: string
  log: Logger
  /** How long to wait for the first connection before going on without, ms. */
  readyMs?: number | undefined
}

const reconnectMs = 500

/**
 * The bus over the broker's internal branch. Hints are QoS 0 and never queued: whoever missed one
 * looks by itself within a second. Reconnects for ever; listeners survive. A role that starts while
 * the broker is away gets its bus after `readyMs`, unconnected.
 */
export async function mqttBus({ url, role, secret, log, readyMs = 5_000 }: MqttBusDeps) {
  const client = connect(url, {
    clientId: `hub-${role}`,
    username: `hub-${role}`,
    password: secret,
    protocolVersion: 4,
    clean: true,
    keepalive: 15,
    connectTimeout: readyMs,
    reconnectPeriod: reconnectMs,
    reconnectOnConnackError: true,
    queueQoSZero: false,
    // Subscribed anew below, so that a refusal is seen each time.
    resubscribe: false,
  })
  const bus = localBus(
    (topic, payload) => {
      if (client.connected) client.publish(topic, Buffer.from(payload), { qos: 0 })
    },
    (error) => log.error({ err: error }, 'bus listener failed'),
  )
  client.on('message', (topic, payload) => bus.deliver(topic, payload))
  client.on('error', (error) => log.warn({ err: error }, 'bus error'))
  client.on('offline', () => log.warn({ role }, 'bus offline'))
  await subscribed(client, log, readyMs)
  const ending: Bus = {
    ...bus,
    close: async () => {
      await bus.close()
      await client.endAsync(true)
    },
  }
  return ending
}

/** Subscribes at each connection; resolves after the first, or when the time is over. */
function subscribed(client: MqttClient, log: Logger, readyMs: number): Promise<void> {
  return new Promise((resolve) => {
    const late = setTimeout(() => {
      log.warn({ readyMs }, 'bus not connected yet, going on without')
      resolve()
    }, readyMs)
    client.on('connect', () => {
      client.subscribe(busTopic('#'), { qos: 0 }, (error) => {
        if (error) log.error({ err: error }, 'bus subscription refused')
        else {
          clearTimeout(late)
          resolve()
        }
      })
    })
  })
}
