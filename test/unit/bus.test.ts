import { once } from 'node:events'
import { createServer, type Server, type Socket } from 'node:net'
import { Aedes } from 'aedes'
import { expect, onTestFinished, test, vi } from 'vitest'
import type { Bus } from '../../hub/bus/bus.ts'
import { localBus } from '../../hub/bus/local-bus.ts'
import { mqttBus } from '../../hub/bus/mqtt-bus.ts'
import { keptLog } from '../support/store-log.ts'

const secret = 'of-this-start'

/** A broker on a free port that can go away and come back on it. */
async function broker() {
  const sockets = new Set<Socket>()
  const clients: string[] = []
  let aedes: Aedes | undefined
  let server: Server | undefined
  let port = 0
  const up = async () => {
    const born = await Aedes.createBroker()
    born.authenticate = (client, username, password, done) => {
      if (username === client.id && password?.toString() === secret) {
        clients.push(client.id)
        done(null, true)
      } else {
        done(null, false)
      }
    }
    aedes = born
    server = createServer((socket) => {
      sockets.add(socket)
      born.handle(socket)
    })
    server.listen(port, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    port = typeof address === 'object' && address ? address.port : 0
  }
  const down = async () => {
    for (const socket of sockets) socket.destroy()
    sockets.clear()
    await new Promise<void>((done) => (server ? server.close(() => done()) : done()))
    await new Promise<void>((done) => (aedes ? aedes.close(() => done()) : done()))
  }
  await up()
  onTestFinished(down)
  return { url: () => `mqtt://127.0.0.1:${port}`, up, down, clients }
}

async function roleBus(url: string, role: 'web' | 'sink', withSecret = secret, readyMs = 5_000) {
  const { log, lines } = keptLog()
  const bus = await mqttBus({ url, role, secret: withSecret, log, readyMs })
  onTestFinished(() => bus.close())
  return { bus, lines }
}

const next = (bus: Bus, topic: 'seen' | 'alarms' | 'metrics') =>
  new Promise<Uint8Array>((resolve) => {
    const end = bus.on(topic, (body) => {
      end()
      resolve(body)
    })
  })

test('a hint of one role reaches the listeners of another', async () => {
  const { url, clients } = await broker()
  const { bus: web } = await roleBus(url(), 'web')
  const { bus: sink } = await roleBus(url(), 'sink')
  const heard = next(web, 'alarms')
  sink.publish('alarms')
  expect(await heard).toHaveLength(0)
  expect(clients).toEqual(['hub-web', 'hub-sink'])
})

test('last-seen pairs arrive as aligned doubles', async () => {
  const { url } = await broker()
  const { bus: web } = await roleBus(url(), 'web')
  const { bus: sink } = await roleBus(url(), 'sink')
  const heard = next(web, 'seen')
  const pairs = Float64Array.of(7, 1_795_000_000_123, 29_999, 1_795_000_000_456)
  sink.publish('seen', new Uint8Array(pairs.buffer))
  const body = await heard
  expect(body.byteOffset).toBe(0)
  expect(new Float64Array(body.buffer)).toEqual(pairs)
})

test('listeners outlive a broker that goes away and comes back', async () => {
  const { url, up, down, clients } = await broker()
  const { bus: web } = await roleBus(url(), 'web')
  const { bus: sink } = await roleBus(url(), 'sink')
  const heard = next(web, 'metrics')
  await down()
  sink.publish('metrics')
  await up()
  await vi.waitFor(() => expect(clients.slice(2).toSorted()).toEqual(['hub-sink', 'hub-web']), {
    timeout: 10_000,
  })
  // QoS 0 before the other side has subscribed again goes nowhere: say it until it is heard.
  const saying = setInterval(() => sink.publish('metrics', Uint8Array.of(1)), 50)
  onTestFinished(() => clearInterval(saying))
  // The hint given while the broker was away was dropped, not queued: it had no body.
  expect(await heard).toEqual(Uint8Array.of(1))
})

test('an ended listener hears nothing more', async () => {
  const bus = localBus()
  const heard: string[] = []
  const end = bus.on('alarms', () => heard.push('ended'))
  bus.on('alarms', () => heard.push('kept'))
  end()
  bus.publish('alarms')
  await vi.waitFor(() => expect(heard).toEqual(['kept']))
})

test('a role starts without a broker after its patience, and says so', async () => {
  const { lines } = await roleBus('mqtt://127.0.0.1:1', 'web', secret, 100)
  expect(lines.map((line) => line.msg)).toContain('bus not connected yet, going on without')
})

test('a role with a wrong secret gets no hint and goes on trying', async () => {
  const { url } = await broker()
  const { lines } = await roleBus(url(), 'web', 'of-yesterday', 200)
  const refusals = () => lines.filter((line) => line.msg === 'bus error').length
  await vi.waitFor(() => expect(refusals()).toBeGreaterThan(1), { timeout: 5_000 })
})

test('the local bus of intake sends on the broker and takes its packets', () => {
  const sent: string[] = []
  const bus = localBus((topic, payload) => sent.push(`${topic} ${payload.length}`))
  const heard: number[] = []
  bus.on('registry', (body) => heard.push(body.length))
  bus.publish('registry', Uint8Array.of(1, 2))
  expect(sent).toEqual(['hub/bus/registry 2'])
  expect(heard).toEqual([])
  expect(bus.deliver('hub/bus/registry', Uint8Array.of(1, 2, 3))).toBe(true)
  expect(heard).toEqual([3])
  expect(bus.deliver('jf/v1/339901/001/001/c1/hb', Uint8Array.of(1))).toBe(false)
  expect(bus.deliver('hub/bus/registry/x', Uint8Array.of(1))).toBe(false)
})

test('a listener that throws is reported and does not keep the hint from the others', () => {
  const failures: unknown[] = []
  const bus = localBus(
    () => undefined,
    (error) => failures.push(error),
  )
  const heard: number[] = []
  bus.on('states', () => {
    throw new Error('broken listener')
  })
  bus.on('states', (body) => heard.push(body.length))
  bus.deliver('hub/bus/states', Uint8Array.of(9))
  expect(heard).toEqual([1])
  expect(failures).toEqual([new Error('broken listener')])
})

test('a closed bus is silent', async () => {
  const sent: string[] = []
  const bus = localBus((topic) => sent.push(topic))
  const heard: number[] = []
  bus.on('alarms', () => heard.push(1))
  await bus.close()
  bus.publish('alarms')
  bus.deliver('hub/bus/alarms', new Uint8Array())
  expect([sent, heard]).toEqual([[], []])
})
