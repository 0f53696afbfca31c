import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { connect } from 'node:net'
import { join } from 'node:path'
import { pino } from 'pino'
import { describe, expect, test } from 'vitest'
import { z } from 'zod'
import type { RoleName } from '../../hub/schema/role.ts'
import { Settings } from '../../hub/schema/settings.ts'
import { supervise, type Supervisor, type SupervisorDeps } from '../../hub/supervisor.ts'
import { isAlive, projectRoot, temporaryFolder } from '../support/hub-process.ts'
import { until } from '../support/until.ts'

const PeersOrder = z.object({
  peers: z.object({
    mediaPort: z.int(),
    metrics: z.record(z.string(), z.unknown()),
    restarts: z.record(z.string(), z.int()),
  }),
})
const Told = z.object({
  busSecret: z.string().min(32),
  mqttPort: z.int(),
  mediaPort: z.int(),
  admin: z.string().nullable(),
  hubVariables: z.array(z.string()),
})

const roleFile = join(projectRoot, 'test/support/small-role.ts')

/** A supervisor over small roles, in a folder of its own, stopped at the end of the test. */
async function start(misbehave: readonly string[] = [], deps: Partial<SupervisorDeps> = {}) {
  const folder = temporaryFolder('supervisor')
  for (const behaviour of misbehave) writeFileSync(join(folder.path, behaviour), '')
  const logged: { level: number; msg: string; name?: string }[] = []
  const log = pino({}, { write: (line: string) => void logged.push(JSON.parse(line)) })
  const settings = Settings.parse({
    HUB_DATA_DIR: folder.path,
    HUB_HTTP_PORT: 0,
    HUB_MQTT_PORT: 0,
    HUB_ADMIN_PASSWORD: 'correct horse',
  })
  const backOff = { firstMs: 20, mostMs: 100, steadyMs: 60_000 }
  const events = () =>
    existsSync(join(folder.path, 'events'))
      ? readFileSync(join(folder.path, 'events'), 'utf8').trim().split('\n')
      : []
  const options = { settings, log, roleFile, backOff, ...deps }
  const started: Promise<Supervisor> = supervise(options)
  started.catch(() => {})
  return {
    folder,
    events,
    logged,
    started,
    read: <Shape extends z.ZodType>(name: string, shape: Shape) =>
      shape.parse(JSON.parse(readFileSync(join(folder.path, name), 'utf8'))),
    async [Symbol.asyncDispose]() {
      await started.then(
        (supervisor) => supervisor.stop(),
        () => {},
      )
      folder[Symbol.dispose]()
    },
  }
}

const roleOf = (supervisor: Supervisor, name: RoleName) =>
  supervisor.roles().find((role) => role.name === name)!

/** Kills a role and waits until another process stands in its place and is ready. */
async function killAndReturn(hub: Awaited<ReturnType<typeof start>>, name: RoleName) {
  const supervisor = await hub.started
  const before = roleOf(supervisor, name).pid!
  const readies = () => hub.events().filter((line) => line === `${name} ready`).length
  const seen = readies()
  process.kill(before, 'SIGKILL')
  await until(`${name} is back`, () => readies() > seen && roleOf(supervisor, name).pid)
  expect(isAlive(before)).toBe(false)
}

const answers = (port: number) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => resolve(true)).once('error', () => resolve(false))
    socket.once('connect', () => socket.destroy())
  })

test('each role starts after the one before is ready, and stops in reverse', async () => {
  await using hub = await start()
  const supervisor = await hub.started
  await supervisor.stop()
  expect(hub.events()).toEqual([
    ...['intake', 'media', 'sink', 'web'].flatMap((role) => [`${role} start`, `${role} ready`]),
    ...['web', 'sink', 'media', 'intake'].map((role) => `${role} stop`),
  ])
  for (const { pid } of supervisor.roles()) expect(pid).toBeUndefined()
})

test('a role learns the ports before it, one secret for all, and no HUB_ variable', async () => {
  await using hub = await start()
  const ports = (await hub.started).ports()
  const intake = hub.read('intake.start', Told)
  const web = hub.read('web.start', Told)
  expect(intake).toMatchObject({ mqttPort: 0, mediaPort: 0 })
  expect(web).toMatchObject({ mqttPort: ports.mqtt, mediaPort: ports.media })
  expect(web.busSecret).toBe(intake.busSecret)
  expect(web).toMatchObject({ admin: null, hubVariables: [] })
})

describe('a killed role', () => {
  test.each(['intake', 'media', 'sink', 'web'] as const)(
    '%s comes back and no other role is touched',
    async (name) => {
      await using hub = await start()
      const supervisor = await hub.started
      const others = supervisor.roles().filter((role) => role.name !== name)
      const ports = supervisor.ports()
      await killAndReturn(hub, name)
      for (const other of others) expect(roleOf(supervisor, other.name)).toEqual(other)
      expect(roleOf(supervisor, name).restarts).toBe(1)
      // Devices and browsers know these two; media is found through web.
      expect(supervisor.ports()).toMatchObject({ mqtt: ports.mqtt, http: ports.http })
      expect(await answers(ports.mqtt!)).toBe(true)
      expect(await answers(ports.http!)).toBe(true)
    },
  )

  test('media tells web where it is now', async () => {
    await using hub = await start()
    const supervisor = await hub.started
    await killAndReturn(hub, 'media')
    const peers = await until('web knows', () => {
      const { peers: told } = hub.read('web.peers', PeersOrder)
      return told.mediaPort === supervisor.ports().media && told
    })
    expect(peers.restarts.media).toBe(1)
    expect(Object.keys(peers.metrics)).toContain('intake')
  })

  test('five times in a minute is logged as a crash loop, and waits grow', async () => {
    await using hub = await start()
    for (let times = 0; times < 5; times++) await killAndReturn(hub, 'sink')
    expect(roleOf(await hub.started, 'sink')).toMatchObject({ restarts: 5, crashLoop: true })
    expect(hub.logged.filter(({ msg }) => msg === 'role is in a crash loop')).toHaveLength(1)
  })
})

describe('a start that fails', () => {
  test('with a coded error ends with it, and what had started is stopped', async () => {
    await using hub = await start(['web.fails'])
    await expect(hub.started).rejects.toMatchObject({
      code: 'PORT_TAKEN',
      message: 'web: the port is taken',
    })
    expect(hub.events().slice(-3)).toEqual(['sink stop', 'media stop', 'intake stop'])
  })

  test('by a crash of intake ends the hub', async () => {
    await using hub = await start(['intake.crashes'])
    await expect(hub.started).rejects.toThrow("role 'intake' ended while starting (exit code 3)")
    expect(hub.events()).toEqual(['intake start'])
  })

  test('by a crash of media lets the hub go on, and media is tried again', async () => {
    await using hub = await start(['media.crashes'])
    const supervisor = await hub.started
    expect(roleOf(supervisor, 'intake').pid).toBeDefined()
    expect(supervisor.ports().http).toBeGreaterThan(0)
    await until(
      'tried again',
      () => hub.events().filter((line) => line === 'media start').length > 2,
    )
  })

  test('by a role that never gets ready counts as a crash', async () => {
    await using hub = await start(['sink.hangs'], { readyMs: 4_000 })
    const supervisor = await hub.started
    expect(roleOf(supervisor, 'web').pid).toBeDefined()
    expect(hub.logged.map(({ msg }) => msg)).toContain('role ended unexpectedly')
  })

  test('can be given up while a role is starting', async () => {
    const giveUp = new AbortController()
    await using hub = await start(['media.hangs'], { signal: giveUp.signal, stopMs: 400 })
    await until('media is starting', () => hub.events().includes('media start'))
    giveUp.abort()
    await expect(hub.started).rejects.toThrow(/aborted|ended while starting/)
    expect(hub.events()).not.toContain('sink start')
    expect(hub.events().at(-1)).toBe('intake stop')
  })
})

test('a role that does not stop is killed, and the others still stop in order', async () => {
  await using hub = await start(['sink.stuck'], { stopMs: 600 })
  const supervisor = await hub.started
  const { pid } = roleOf(supervisor, 'sink')
  const began = performance.now()
  await supervisor.stop()
  expect(performance.now() - began).toBeLessThan(2000)
  expect(isAlive(pid!)).toBe(false)
  expect(hub.events().slice(-3)).toEqual(['web stop', 'media stop', 'intake stop'])
})

test('the impatient end kills all roles at once', async () => {
  await using hub = await start(['web.stuck', 'intake.stuck'])
  const supervisor = await hub.started
  const pids = supervisor.roles().map(({ pid }) => pid!)
  const stopped = supervisor.stop()
  supervisor.kill()
  await stopped
  for (const pid of pids) expect(isAlive(pid)).toBe(false)
})
