import { once } from 'node:events'
import { connect as connectSocket, type Socket } from 'node:net'
import { connect, type IClientOptions, type MqttClient } from 'mqtt'
import mqttPacket, { type Packet } from 'mqtt-packet'
import { until } from './until.ts'
import { busSecret, secretOf, topicOf } from './mqtt-intake.ts'

/** Options of a device's mqtt.js client: its own id and secret, no reconnect, clean. */
export const deviceOptions = (port: number, deviceId: string): IClientOptions => ({
  host: '127.0.0.1',
  port,
  protocolVersion: 4,
  clientId: deviceId,
  username: deviceId,
  password: secretOf(deviceId),
  clean: true,
  reconnectPeriod: 0,
  keepalive: 30,
})

/** A connected mqtt.js client; rejects when the broker refuses it. */
export async function mqttClient(options: IClientOptions): Promise<MqttClient> {
  const client = connect(options)
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve())
    client.once('error', reject)
    client.once('close', () => reject(new Error('closed before CONNACK')))
  })
  client.on('error', () => {})
  return client
}

export const deviceClient = (port: number, deviceId: string, change: IClientOptions = {}) =>
  mqttClient({ ...deviceOptions(port, deviceId), ...change })

/** A role's client on the broker's internal branch. */
export const roleClient = (port: number, role = 'web', change: IClientOptions = {}) =>
  mqttClient({
    ...deviceOptions(port, `hub-${role}`),
    password: busSecret,
    ...change,
  })

/** An alarm body of the native dialect. */
export const alarmBody = (change: Record<string, unknown> = {}) =>
  JSON.stringify({ boot: 'b1', seq: 1, kind: 'intrusion', state: 'active', ...change })

export const publishAlarm = (client: MqttClient, deviceId: string, change = {}) =>
  client.publishAsync(topicOf(deviceId, 'a'), alarmBody(change), { qos: 1 })

/** One MQTT connection at packet level: what a misbehaving or foreign client can do. */
export interface RawClient {
  socket: Socket
  /** Packets received so far. */
  received: Packet[]
  closed: boolean
  send(packet: Packet): void
  write(bytes: Uint8Array): void
  /** Waits for the next packet of this kind that no earlier `expect` has taken. */
  expect<Cmd extends Packet['cmd']>(cmd: Cmd): Promise<Extract<Packet, { cmd: Cmd }>>
  /** Waits until the broker has closed the connection. */
  ended(): Promise<void>
}

export async function rawClient(port: number): Promise<RawClient> {
  const socket = connectSocket({ host: '127.0.0.1', port, noDelay: true })
  await once(socket, 'connect')
  const parser = mqttPacket.parser({ protocolVersion: 4 })
  const received: Packet[] = []
  let taken = 0
  const raw: RawClient = {
    socket,
    received,
    closed: false,
    send: (packet) => {
      socket.write(mqttPacket.generate(packet))
    },
    write: (bytes) => {
      socket.write(bytes)
    },
    async expect(cmd) {
      await until(`packet ${cmd}`, () => received.slice(taken).some((packet) => packet.cmd === cmd))
      const index = received.findIndex((packet, at) => at >= taken && packet.cmd === cmd)
      taken = index + 1
      return received[index] as Extract<Packet, { cmd: typeof cmd }>
    },
    async ended() {
      await until('the broker closes the connection', () => raw.closed)
    },
  }
  parser.on('packet', (packet) => received.push(packet))
  socket.on('data', (bytes) => parser.parse(bytes))
  socket.on('error', () => {})
  socket.on('close', () => {
    raw.closed = true
  })
  return raw
}

/** CONNECT of a device at packet level. */
export const connectPacket = (deviceId: string, change: Record<string, unknown> = {}): Packet => ({
  cmd: 'connect',
  protocolId: 'MQTT',
  protocolVersion: 4,
  clean: true,
  clientId: deviceId,
  keepalive: 30,
  username: deviceId,
  password: Buffer.from(secretOf(deviceId)),
  ...change,
})

/** A raw client that is connected as a device. */
export async function rawDevice(port: number, deviceId: string, change = {}): Promise<RawClient> {
  const raw = await rawClient(port)
  raw.send(connectPacket(deviceId, change))
  const connack = await raw.expect('connack')
  if (connack.returnCode !== 0) throw new Error(`refused with ${connack.returnCode}`)
  return raw
}
