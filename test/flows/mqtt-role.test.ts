import { mkdtempSync, rmSync } from 'node:fs'
import { execFileSync } from 'node:child_process'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { systemClock } from '../../hub/clock.ts'
import { sha256 } from '../../hub/intake/identity.ts'
import { startIntake } from '../../hub/intake/role.ts'
import type { RunningRole } from '../../hub/schema/role.ts'
import { Settings } from '../../hub/schema/settings.ts'
import { sqliteAlarms } from '../../hub/store/sqlite-alarms.ts'
import { sqliteAudit } from '../../hub/store/sqlite-audit.ts'
import { sqliteMetrics } from '../../hub/store/sqlite-metrics.ts'
import { sqliteRegistry } from '../../hub/store/sqlite-registry.ts'
import { sqliteState } from '../../hub/store/sqlite-state.ts'
import {
  deviceClient,
  deviceOptions,
  mqttClient,
  publishAlarm,
  roleClient,
} from '../support/mqtt-client.ts'
import { busSecret, secretOf, testDevice, testRegions, topicOf } from '../support/mqtt-intake.ts'
import { until } from '../support/until.ts'

let dir: string
let stores: Awaited<ReturnType<typeof openStores>>
let role: RunningRole | undefined

async function openStores() {
  const options = { busyTimeoutMs: 0 }
  return {
    alarms: await sqliteAlarms(join(dir, 'alarms.db'), options),
    registry: await sqliteRegistry(join(dir, 'registry.db'), options),
    state: await sqliteState(join(dir, 'state.db'), options),
    metrics: await sqliteMetrics(join(dir, 'metrics.db'), options),
    audit: await sqliteAudit(join(dir, 'audit.db'), options),
  }
}

async function start(settings: Record<string, unknown> = {}) {
  role = await startIntake({
    start: {
      settings: Settings.parse({ HUB_MQTT_PORT: 0, HUB_DATA_DIR: dir, ...settings }),
      busSecret,
      grantSecret: 'unused',
      mqttPort: 0,
      mediaPort: 0,
      demo: false,
    },
    clock: systemClock,
    log: pino({ level: 'silent' }),
    ...stores,
  })
  return { port: role.ports.mqtt ?? 0, running: role }
}

beforeEach(async () => {
  dir = mkdtempSync(join(tmpdir(), 'intake-role-'))
  stores = await openStores()
  stores.registry.putRegions(testRegions)
  stores.registry.addDevices(
    ['dev-1', 'dev-2'].map((id) => ({
      device: testDevice(id),
      secretHash: sha256(secretOf(id)).toString('hex'),
    })),
  )
})
afterEach(async () => {
  await role?.close()
  role = undefined
  for (const store of Object.values(stores)) store.close()
  rmSync(dir, { recursive: true, force: true })
})

describe('the intake role', () => {
  test('a device is unknown until it speaks, up when it does, down when its will says so', async () => {
    const { port } = await start()
    const stateOf = () => stores.state.current().find(({ deviceId }) => deviceId === 'dev-1')?.state
    expect(stateOf()).toBe('unknown')
    const will = {
      topic: topicOf('dev-1', 'status'),
      payload: Buffer.from('{"online":false,"boot":"1"}'),
    }
    const client = await deviceClient(port, 'dev-1', { will: { ...will, qos: 1, retain: true } })
    await client.publishAsync(topicOf('dev-1', 'hb'), '{"seq":1}')
    await until('up', () => stateOf() === 'up')
    client.stream.destroy()
    await until('down', () => stateOf() === 'down')
    expect(stores.state.current()).toContainEqual(
      expect.objectContaining({ deviceId: 'dev-1', state: 'down', reason: 'lwt' }),
    )
  })

  test('the bus says look: alarms at once, states and last-seen values each second', async () => {
    const { port } = await start()
    const web = await roleClient(port)
    const heard = new Map<string, Buffer>()
    web.on('message', (topic, payload) => {
      if (payload.length > 0 || !heard.has(topic)) heard.set(topic, payload)
    })
    await web.subscribeAsync('hub/bus/#')
    const client = await deviceClient(port, 'dev-2')
    await publishAlarm(client, 'dev-2')
    await until('the hints', () =>
      ['alarms', 'states', 'seen', 'metrics'].every((topic) => heard.has(`hub/bus/${topic}`)),
    )
    await until('last seen', () => (heard.get('hub/bus/seen')?.length ?? 0) > 0)
    const [n, at] = new Float64Array(Uint8Array.from(heard.get('hub/bus/seen') ?? []).buffer)
    expect(n).toBe(1)
    expect(Math.abs(Date.now() - (at ?? 0))).toBeLessThan(5000)
    await client.endAsync()
    await web.endAsync()
  })

  test('counts by name what it took in and what it refused', async () => {
    const { port, running } = await start()
    const client = await deviceClient(port, 'dev-1')
    await publishAlarm(client, 'dev-1')
    await client.publishAsync(topicOf('dev-1', 'hb'), '{"seq":1}', { qos: 1 })
    await expect(deviceClient(port, 'nobody')).rejects.toThrow(/Not authorized/)
    expect(running.metrics()).toMatchObject({
      alarms_accepted: 1,
      heartbeats: 1,
      clients: 1,
      'refused_unknown-device': 1,
      points_dropped: 0,
    })
    await client.endAsync()
  })

  test('a restart over the same data keeps alarms and admits the same devices', async () => {
    const first = await start()
    const client = await deviceClient(first.port, 'dev-1')
    await publishAlarm(client, 'dev-1')
    await client.endAsync()
    await first.running.close()
    const second = await start()
    const again = await deviceClient(second.port, 'dev-1')
    await publishAlarm(again, 'dev-1')
    expect(stores.alarms.list({ regions: { from: '0', to: '9' }, limit: 5 })).toMatchObject([
      { count: 1 },
    ])
    await again.endAsync()
  })
})

describe('the doors', () => {
  test('a taken port is one clear sentence', async () => {
    const other = createServer()
    await new Promise<void>((resolve) => {
      other.listen(0, '127.0.0.1', resolve)
    })
    const address = other.address()
    const port = typeof address === 'object' && address ? address.port : 0
    await expect(start({ HUB_MQTT_PORT: port })).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      message: expect.stringContaining('HUB_MQTT_PORT'),
    })
    other.close()
  })

  test('a host other than loopback without a certificate does not start', async () => {
    await expect(start({ HUB_MQTT_HOST: '0.0.0.0' })).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
    })
  })

  test('with a certificate devices speak TLS there, and roles keep their loopback door', async () => {
    const key = join(dir, 'key.pem')
    const cert = join(dir, 'cert.pem')
    execFileSync(
      'openssl',
      `req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost -keyout ${key} -out ${cert}`.split(
        ' ',
      ),
      { stdio: 'ignore' },
    )
    const probe = createServer()
    await new Promise<void>((resolve) => {
      probe.listen(0, '127.0.0.1', resolve)
    })
    const free = probe.address()
    const tlsPort = typeof free === 'object' && free ? free.port : 0
    await new Promise((resolve) => probe.close(resolve))
    const { port } = await start({
      HUB_MQTT_HOST: '0.0.0.0',
      HUB_MQTT_PORT: tlsPort,
      HUB_TLS_CERT: cert,
      HUB_TLS_KEY: key,
    })
    expect(port).not.toBe(tlsPort)
    const device = await mqttClient({
      ...deviceOptions(tlsPort, 'dev-1'),
      protocol: 'mqtts',
      rejectUnauthorized: false,
    })
    await publishAlarm(device, 'dev-1')
    const web = await roleClient(port)
    await web.endAsync()
    await device.endAsync()
    expect(stores.alarms.lastChange()).toBeGreaterThan(0)
  })
})
