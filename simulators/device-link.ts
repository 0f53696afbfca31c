import { connect as connectTcp } from 'node:net'
import { MqttClient } from 'mqtt'
import type { AlarmFrame } from '../hub/schema/native.ts'
import type { Edge, SimDevice } from './device.ts'
import { between, type Random } from './random.ts'
import type { TimerWheel } from './timer-wheel.ts'
import type { Truth } from './truth.ts'

/**
 * `gone`: killed, stays away. `silent`: the socket stays open, nothing is sent: frozen, or without
 * power. A silent device comes back over a new connection while the broker still holds the old one.
 */
export type LinkState = 'idle' | 'connecting' | 'online' | 'waiting' | 'silent' | 'gone'

/** Where the broker is. */
export interface BrokerAddress {
  host: string
  port: number
  /** Source address; spreads more than 28,000 connections over several. */
  localAddress?: string | undefined
}

export interface LinkDeps {
  device: SimDevice
  secret: string
  broker: BrokerAddress
  keepaliveS: number
  wheel: TimerWheel
  clock: () => number
  random: Random
  truth: Truth
  /** Alarms kept while they cannot be sent; the oldest goes first. */
  alarmLimit?: number | undefined
}

const firstBackoffMs = 1_000
const longestBackoffMs = 30_000
/** A hub that does not read gets no more heartbeats than this many bytes. */
const unsentLimit = 64 * 1024

/** One device's connection: birth and will, heartbeats, alarms until acknowledged, reconnect with jitter. */
export class DeviceLink {
  state: LinkState = 'idle'
  /** Alarms acknowledged since the start. */
  acknowledged = 0
  /** Silent for want of mains; only `revive(true)` ends that. */
  powerless = false
  /** The refusal of the broker or the network that ended the last try. */
  lastError: string | undefined

  readonly #deps: LinkDeps
  readonly #queue: { frame: AlarmFrame; tried: boolean }[] = []
  #client: MqttClient | undefined
  /** A connection the device forgot when it lost power; the broker may still hold it. */
  #forgotten: MqttClient | undefined
  #backoffMs = firstBackoffMs
  #inFlight = false
  #callOff: (() => void) | undefined

  constructor(deps: LinkDeps) {
    this.#deps = deps
  }

  /** Alarms not yet acknowledged. */
  get waiting() {
    return this.#queue.length
  }

  connect() {
    this.state = 'connecting'
    const next = openClient(this.#deps)
    this.#client = next
    next.on('connect', () => {
      if (this.#client === next) this.#onConnected(next)
    })
    next.on('error', (error) => {
      this.lastError = error.message
    })
    next.on('close', () => {
      if (this.#client === next) this.#onClosed(next)
    })
  }

  /** Stamps and queues an alarm; sent with QoS 1, and again until the broker acknowledges. */
  raise(edge: Edge): AlarmFrame {
    const { device, clock, alarmLimit = 64 } = this.#deps
    const frame = device.alarm(edge, clock())
    this.#queue.push({ frame, tried: false })
    if (this.#queue.length > alarmLimit) {
      const [dropped] = this.#queue.splice(this.#inFlight ? 1 : 0, 1)
      this.#tell('alarm given up', dropped?.frame.seq)
    }
    this.#tell(`alarm ${edge.kind} ${edge.state}`, frame.seq)
    this.#flush()
    return frame
  }

  /** Stops sending without closing anything. */
  silence(why: 'silent' | 'power lost') {
    this.powerless ||= why === 'power lost'
    if (this.state === 'silent' || this.state === 'gone') return
    this.#callOff?.()
    // Without its keep-alive the client sends no PINGREQ either, and the socket stays as it is.
    this.#client?.keepaliveManager?.destroy()
    if (this.state !== 'online') this.#client?.end(true)
    this.state = 'silent'
    this.#tell(why)
  }

  /** Ends the connection without DISCONNECT: the broker publishes the will. */
  kill() {
    this.#callOff?.()
    this.state = 'gone'
    this.#inFlight = false
    this.#tell('killed')
    this.#client?.stream.destroy()
    this.#client?.end(true)
  }

  /** Ends silence or absence after a moment; `restarted` gives a new boot id and an empty memory. */
  revive(restarted: boolean) {
    if (this.state !== 'silent' && this.state !== 'gone') return
    const { device, clock, random } = this.#deps
    if (restarted) {
      this.powerless = false
      device.restart(clock())
      this.#queue.length = 0
    }
    this.#forgotten?.end(true)
    this.#forgotten = this.#client
    this.#client = undefined
    this.#inFlight = false
    this.state = 'waiting'
    this.#tell(restarted ? 'power back' : 'back')
    // After a power cut a village does not boot in one instant.
    this.#later(between(random, 200, restarted ? 4_000 : 600), () => this.connect())
  }

  /** Drops the connection as a device does that is switched off: the broker publishes the will. */
  close() {
    this.#callOff?.()
    this.state = 'gone'
    for (const client of [this.#client, this.#forgotten]) {
      client?.stream.destroy()
      client?.end(true)
    }
  }

  #tell(what: string, seq?: number) {
    const { device, clock, truth } = this.#deps
    const line = { at: clock(), device: device.device.deviceId, what, boot: device.boot() }
    truth.tell(seq === undefined ? line : { ...line, seq })
  }

  #later(delayMs: number, task: () => void) {
    this.#callOff?.()
    this.#callOff = this.#deps.wheel.after(delayMs, task)
  }

  #onConnected(live: MqttClient) {
    const { device, clock, random } = this.#deps
    this.state = 'online'
    this.#backoffMs = firstBackoffMs
    this.lastError = undefined
    // The broker has ended a connection it still held for this id; now so do we.
    this.#forgotten?.end(true)
    this.#forgotten = undefined
    live.publish(`${device.prefix}status`, JSON.stringify(device.birth(clock())), {
      qos: 1,
      retain: true,
    })
    this.#tell('connected')
    // The first beat at a random part of the interval: a boot storm must not beat in step.
    this.#later(random() * device.device.heartbeatS * 1000, () => this.#beat())
    this.#flush()
  }

  #onClosed(dead: MqttClient) {
    this.#inFlight = false
    // A broker that gives up on a silent device does not wake it.
    if (this.state === 'silent' || this.state === 'gone') return
    dead.end(true)
    this.#client = undefined
    if (this.state === 'online') this.#tell('disconnected')
    this.state = 'waiting'
    const { random } = this.#deps
    this.#later(this.#backoffMs * between(random, 0.5, 1.5), () => this.connect())
    this.#backoffMs = Math.min(longestBackoffMs, this.#backoffMs * 2)
  }

  #beat() {
    const live = this.#client
    if (this.state !== 'online' || !live) return
    const { device, clock, random } = this.#deps
    const unsent = 'writableLength' in live.stream ? live.stream.writableLength : 0
    if (unsent < unsentLimit)
      live.publish(`${device.prefix}hb`, JSON.stringify(device.heartbeat(clock())), { qos: 0 })
    this.#later(device.device.heartbeatS * 1000 * between(random, 0.9, 1.1), () => this.#beat())
  }

  /** One alarm in flight at a time: they arrive in their order. */
  #flush() {
    const [head] = this.#queue
    const live = this.#client
    if (!head || this.#inFlight || this.state !== 'online' || !live) return
    this.#inFlight = true
    const options = { qos: 1, dup: head.tried } as const
    head.tried = true
    const topic = `${this.#deps.device.prefix}a`
    live.publish(topic, JSON.stringify(head.frame), options, (error) => {
      if (this.#client !== live) return
      this.#inFlight = false
      if (error) return
      if (this.#queue[0] === head) this.#queue.shift()
      this.acknowledged++
      this.#flush()
    })
  }
}

function openClient({ device, secret, broker, keepaliveS }: LinkDeps): MqttClient {
  const id = device.device.deviceId
  return new MqttClient(
    () =>
      connectTcp({
        host: broker.host,
        port: broker.port,
        ...(broker.localAddress ? { localAddress: broker.localAddress } : {}),
      }),
    {
      protocol: 'mqtt',
      protocolVersion: 4,
      protocolId: 'MQTT',
      clientId: id,
      username: id,
      password: secret,
      clean: true,
      keepalive: keepaliveS,
      // Reconnecting is ours: one wheel, with jitter.
      reconnectPeriod: 0,
      connectTimeout: 20_000,
      queueQoSZero: false,
      resubscribe: false,
      will: {
        topic: `${device.prefix}status`,
        payload: Buffer.from(JSON.stringify(device.will())),
        qos: 1,
        retain: true,
      },
    },
  )
}
