import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Aedes } from 'aedes'
import type { CountyFile } from '../../hub/schema/county-file.ts'
import { freePort } from './free-port.ts'
import { until } from './until.ts'

/** One packet a device published, as the broker saw it. */
export interface Published {
  device: string
  /** Topic below the device's prefix: `hb`, `status`, `a`... */
  branch: string
  topic: string
  body: unknown
  qos: number
  retain: boolean
  dup: boolean
  /** It is a last will. */
  will: boolean
}

/** A real broker (aedes) that admits exactly the county's devices and keeps what they publish. */
export interface SimBroker {
  port: number
  published: Published[]
  of(device: string, branch: string): Published[]
  refused: string[]
  /** While true no alarm is acknowledged. */
  holdAlarms: boolean
  /** Ends every connection. */
  dropAll(): void
  /** Devices whose socket is open. */
  sockets(): number
  close(): Promise<void>
}

export async function simBroker(county: CountyFile): Promise<SimBroker> {
  const secrets = new Map(county.devices.map(({ device, secret }) => [device.deviceId, secret]))
  const aedes = await Aedes.createBroker()
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    aedes.handle(socket)
  })
  const broker: SimBroker = {
    port: 0,
    published: [],
    refused: [],
    holdAlarms: false,
    of: (device, branch) =>
      broker.published.filter((one) => one.device === device && one.branch === branch),
    dropAll: () => {
      for (const socket of sockets) socket.destroy()
    },
    sockets: () => sockets.size,
    close: async () => {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => aedes.close(resolve))
      server.close()
      await once(server, 'close')
    },
  }
  aedes.authenticate = (client, user, password, done) => {
    const ok = user === client.id && secrets.get(client.id) === password?.toString()
    if (!ok) broker.refused.push(client.id)
    done(null, ok)
  }
  aedes.authorizePublish = (client, packet, done) => {
    const [device = '', branch = ''] = packet.topic.split('/').slice(-2)
    broker.published.push({
      device,
      branch,
      topic: packet.topic,
      body: JSON.parse(packet.payload.toString()),
      qos: packet.qos,
      retain: packet.retain,
      dup: packet.dup,
      // aedes hands a will over without its client's connection.
      will: client === null || client.closed,
    })
    if (broker.holdAlarms && branch === 'a') return
    done()
  }
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  broker.port = typeof address === 'object' && address ? address.port : 0
  return broker
}

/** Where Debian puts it: not on the PATH of everybody. */
export const mosquittoProgram = '/usr/sbin/mosquitto'
export const mosquittoInstalled = existsSync(mosquittoProgram)

/** Debian's mosquitto on a free port: a broker nobody here wrote. */
export async function mosquitto() {
  const folder = mkdtempSync(join(tmpdir(), 'sim-mosquitto-'))
  const port = await freePort()
  const config = join(folder, 'mosquitto.conf')
  writeFileSync(config, `listener ${port} 127.0.0.1\nallow_anonymous true\npersistence false\n`)
  const child = spawn(mosquittoProgram, ['-c', config], { stdio: 'ignore' })
  await until('mosquitto listens', () => knocks(port))
  return {
    port,
    close: async () => {
      child.kill()
      if (child.exitCode === null) await once(child, 'exit')
      rmSync(folder, { recursive: true })
    },
  }
}

const knocks = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })
