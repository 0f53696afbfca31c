import { writeFileSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { once } from 'node:events'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { describe, expect, test } from 'vitest'
import { freePort } from '../support/free-port.ts'
import {
  descendants,
  isAlive,
  projectRoot,
  runProgram,
  startHub,
  temporaryFolder,
} from '../support/hub-process.ts'
import { until } from '../support/until.ts'

const free = { HUB_HTTP_PORT: '0', HUB_MQTT_PORT: '0' }

async function listener() {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return { port: address.port, [Symbol.dispose]: () => void server.close() }
}

async function canListen(port: number) {
  const server = createServer().listen(port, '127.0.0.1')
  const free = await once(server, 'listening').then(
    () => true,
    () => false,
  )
  server.close()
  return free
}

describe('a hub', () => {
  test('comes up, answers, makes one administrator, and leaves nothing behind on SIGTERM', async () => {
    using folder = temporaryFolder('start-up')
    const dataDir = join(folder.path, 'data')
    await using hub = await startHub(dataDir)
    expect(hub.adminPassword).toHaveLength(20)
    expect((await fetch(`${hub.address}/livez`)).status).toBe(200)
    expect(await canListen(hub.mqttPort)).toBe(false)
    const pids = descendants(hub.child.pid!)
    expect(pids).toHaveLength(4)

    hub.child.kill('SIGTERM')
    expect(await hub.ended).toBe(0)
    expect(pids.filter(isAlive)).toEqual([])
    expect(await canListen(hub.mqttPort)).toBe(true)
    expect(await canListen(Number(new URL(hub.address).port))).toBe(true)

    await using again = await startHub(dataDir)
    expect(again.adminPassword).toBe('')
    // A secret is for people's eyes: it stands in no log line.
    expect(hub.stderr).not.toContain(hub.adminPassword)
  })

  test('stops on a Ctrl-C that reaches the whole process group', async () => {
    using folder = temporaryFolder('start-up')
    await using hub = await startHub(folder.path)
    const pids = descendants(hub.child.pid!)
    process.kill(-hub.child.pid!, 'SIGINT')
    expect(await hub.ended).toBe(0)
    expect(pids.filter(isAlive)).toEqual([])
    const stops = hub.stderr.split('\n').filter((line) => line.includes('role stops'))
    expect(stops.map((line) => /"role":"(\w+)"/.exec(line)?.[1])).toEqual([
      'web',
      'sink',
      'media',
      'intake',
    ])
  })

  test('can be stopped while it starts', async () => {
    using folder = temporaryFolder('start-up')
    await using hub = runProgram(['hub/main.ts'], { env: { ...free, HUB_DATA_DIR: folder.path } })
    await until('a role is there', () => descendants(hub.child.pid!).length > 0)
    const pids = descendants(hub.child.pid!)
    hub.child.kill('SIGINT')
    expect(await hub.ended).toBe(0)
    expect(hub.stdout).not.toContain('The hub is ready')
    expect(pids.filter(isAlive)).toEqual([])
  })

  test('leaves no orphan when its supervisor is killed, and starts again at once', async () => {
    using folder = temporaryFolder('start-up')
    const mqttPort = String(await freePort())
    await using hub = await startHub(folder.path, { HUB_MQTT_PORT: mqttPort })
    const pids = descendants(hub.child.pid!)
    hub.child.kill('SIGKILL')
    // Its roles may still hold the port; the new hub waits for them.
    await using again = await startHub(folder.path, { HUB_MQTT_PORT: mqttPort })
    expect(again.mqttPort).toBe(Number(mqttPort))
    await until('the old roles are gone', () => !pids.some(isAlive))
  })

  test('goes on taking devices when web, media and sink are killed, and they come back', async () => {
    using folder = temporaryFolder('start-up')
    await using hub = await startHub(folder.path)
    const [intake, ...others] = await rolesOf(hub.child.pid!)
    for (const { pid } of others) process.kill(pid, 'SIGKILL')
    await until(
      'all are back',
      async () => {
        const now = await rolesOf(hub.child.pid!)
        return now.length === 4 && now.every(({ pid }) => !others.some((old) => old.pid === pid))
      },
      60_000,
    )
    expect((await rolesOf(hub.child.pid!))[0]).toEqual(intake)
    const answered = () =>
      fetch(`${hub.address}/livez`).then(
        ({ ok }) => ok,
        () => false,
      )
    await until('web answers on its old port', answered, 60_000)
  })
})

/** The roles of a hub by what stands in their command line, intake first. */
async function rolesOf(pid: number) {
  const order = ['intake', 'media', 'sink', 'web']
  const found = await Promise.all(
    descendants(pid).map(async (child) => {
      const words = (await readFile(`/proc/${child}/cmdline`, 'utf8').catch(() => '')).split('\0')
      return { pid: child, role: words.find((word) => order.includes(word)) ?? '' }
    }),
  )
  return found
    .filter(({ role }) => role)
    .toSorted((a, b) => order.indexOf(a.role) - order.indexOf(b.role))
}

/** Starts a hub that cannot start: exit code 1 and, beside log lines, one sentence, which it returns. */
async function sentence(env: Record<string, string>, options: { cwd?: string } = {}) {
  await using program = runProgram([join(projectRoot, 'hub/main.ts')], {
    env: { ...free, ...env },
    ...options,
  })
  expect(await program.ended).toBe(1)
  const words = program.stderr.split('\n').filter((line) => line && !line.startsWith('{'))
  expect(words).toHaveLength(1)
  return words[0]
}

describe('a start that cannot work says one sentence and ends with 1', () => {
  test('MQTT port taken', async () => {
    using folder = temporaryFolder('start-up')
    using other = await listener()
    expect(await sentence({ HUB_DATA_DIR: folder.path, HUB_MQTT_PORT: String(other.port) })).toBe(
      `Port ${other.port} for MQTT is in use: stop the other program or set HUB_MQTT_PORT`,
    )
  })

  test('HTTP port taken', async () => {
    using folder = temporaryFolder('start-up')
    using other = await listener()
    expect(await sentence({ HUB_DATA_DIR: folder.path, HUB_HTTP_PORT: String(other.port) })).toBe(
      `Port ${other.port} for the console and API is in use: stop the other program or set HUB_HTTP_PORT`,
    )
  })

  test('a data folder that cannot be made', async () => {
    using folder = temporaryFolder('start-up')
    const file = join(folder.path, 'file')
    writeFileSync(file, '')
    expect(await sentence({ HUB_DATA_DIR: join(file, 'data') })).toBe(
      `The data folder '${file}/data' cannot be written: mend its rights or set HUB_DATA_DIR`,
    )
  })

  test('a data folder where none can be', async () => {
    expect(await sentence({ HUB_DATA_DIR: '/proc/jifang' })).toBe(
      "The data folder '/proc/jifang' cannot be written: mend its rights or set HUB_DATA_DIR",
    )
  })

  test('a bad setting', async () => {
    expect(await sentence({ HUB_MQTT_PORT: 'x' })).toMatch(/^Bad setting: HUB_MQTT_PORT 'x': /)
  })

  test('an unknown setting', async () => {
    expect(await sentence({ HUB_MQTT_PROT: '1' })).toBe(
      'Bad setting: HUB_MQTT_PROT is no setting of the hub; did you mean HUB_MQTT_PORT?',
    )
  })

  test('a settings file with a mistake', async () => {
    using folder = temporaryFolder('start-up')
    writeFileSync(join(folder.path, 'hub.yaml'), 'HUB_LEVEL: galaxy')
    expect(await sentence({}, { cwd: folder.path })).toMatch(/^Bad setting: HUB_LEVEL 'galaxy': /)
  })

  test('a data folder that another hub has', async () => {
    using folder = temporaryFolder('start-up')
    await using hub = await startHub(folder.path)
    expect(await sentence({ HUB_DATA_DIR: folder.path })).toBe(
      `Another hub (process ${hub.child.pid}) works in the data folder '${folder.path}': stop it or set HUB_DATA_DIR`,
    )
    expect((await fetch(`${hub.address}/livez`)).status).toBe(200)
  })

  test('a store of a newer hub, whichever it is', async () => {
    using folder = temporaryFolder('start-up')
    await using first = await startHub(folder.path)
    await first[Symbol.asyncDispose]()
    for (const store of ['alarms', 'registry', 'state', 'audit', 'metrics']) {
      const file = join(folder.path, `${store}.db`)
      using db = new DatabaseSync(file)
      db.exec("insert into kysely_migration values ('9999-later', '2099-01-01')")
      expect(await sentence({ HUB_DATA_DIR: folder.path })).toBe(
        `'${file}' was written by a newer hub: start that version, or restore a backup`,
      )
      db.exec("delete from kysely_migration where name = '9999-later'")
    }
  })
})
