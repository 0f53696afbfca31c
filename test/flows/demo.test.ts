import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { AlarmView } from '../../hub/schema/alarm.ts'
import { Role } from '../../hub/schema/people.ts'
import { descendants, isAlive, runProgram, temporaryFolder } from '../support/hub-process.ts'
import { until } from '../support/until.ts'

const Alarms = z.object({ items: z.array(AlarmView) })

/** `npm run demo`, without npm, in a folder of its own on free ports, until it is alive. */
async function startDemo(dataDir: string, args: string[] = []) {
  const program = runProgram(['hub/commands/demo.ts', ...args], {
    env: { HUB_DATA_DIR: dataDir, HUB_HTTP_PORT: '0', HUB_MQTT_PORT: '0' },
  })
  const [, address = ''] = await program.says(/The demo county is alive: (\S+?)\/?\n/, 90_000)
  await program.says(/Ctrl-C stops everything/)
  const rows = [...program.stdout.matchAll(/^ {2}(\w+) +(\S+-\S+-\S+-\S+) +([\w-]+) +(\d+) /gm)]
  const accounts = rows.map(([, name = '', password = '', role, scope]) => ({
    name,
    password,
    role,
    scope,
  }))
  return Object.assign(program, { address, accounts })
}

async function signIn(address: string, account: { name: string; password: string } | undefined) {
  const answer = await fetch(`${address}/api/v1/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ name: account?.name, password: account?.password }),
  })
  expect(answer.status).toBe(200)
  return answer.headers.getSetCookie()[0]?.split(';')[0] ?? ''
}

test('the demo lives: accounts, devices, a door opened by the command it prints', async ({
  skip,
}) => {
  const client = spawnSync('mosquitto_pub', ['--help'])
  skip(client.error !== undefined, 'mosquitto_pub is not installed')
  using folder = temporaryFolder('demo')
  const dataDir = join(folder.path, 'demo')
  await using demo = await startDemo(dataDir)
  expect(demo.accounts.map(({ role }) => role)).toEqual(Role.options)
  for (const file of ['accounts.json', 'county.json'])
    expect(statSync(join(dataDir, file)).mode & 0o777, file).toBe(0o600)
  const log = readFileSync(join(dataDir, 'hub.log'), 'utf8')
  for (const account of demo.accounts) {
    await signIn(demo.address, account)
    expect(log).not.toContain(account.password)
  }

  // A client nobody here wrote, with the words the demo prints.
  const [command = ''] = /^ {2}mosquitto_pub[\s\S]*?active"}'$/m.exec(demo.stdout) ?? []
  const [, door = ''] = / -i (\S+)/.exec(command) ?? []
  const sent = spawnSync('sh', ['-c', command], { encoding: 'utf8' })
  expect(sent.stderr).toBe('')
  expect(sent.status).toBe(0)
  const cookie = await signIn(
    demo.address,
    demo.accounts.find(({ role }) => role === 'township-officer'),
  )
  const alarm = await until('the township has the alarm', async () => {
    const answer = await fetch(`${demo.address}/api/v1/alarms?open=true`, { headers: { cookie } })
    const { items } = Alarms.parse(await answer.json())
    return items.find(({ deviceId, kind }) => deviceId === door && kind === 'intrusion')
  })
  expect(alarm).toHaveProperty('state', 'unack-active')

  const pids = descendants(demo.child.pid!)
  expect(pids).toHaveLength(5)
  process.kill(-demo.child.pid!, 'SIGINT')
  expect(await demo.ended).toBe(0)
  expect(pids.filter(isAlive)).toEqual([])

  // It begins where it ended, with the same people; --fresh begins anew.
  await using again = await startDemo(dataDir)
  expect(again.accounts).toEqual(demo.accounts)
  again.child.kill('SIGTERM')
  expect(await again.ended).toBe(0)
  await using fresh = await startDemo(dataDir, ['--fresh'])
  expect(fresh.accounts.map(({ name }) => name)).toEqual(demo.accounts.map(({ name }) => name))
  expect(fresh.accounts).not.toEqual(demo.accounts)
}, 240_000)

test.each([
  ['HUB_HTTP_PORT', /^Port \d+ for the console is in use: .* set --port \(or HUB_HTTP_PORT\)$/],
  ['HUB_MQTT_PORT', /^Port \d+ for the device broker is in use: .* set HUB_MQTT_PORT$/],
])('a taken %s ends the demo with one sentence', async (name, sentence) => {
  using folder = temporaryFolder('demo')
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const demo = runProgram(['hub/commands/demo.ts'], {
    env: {
      HUB_DATA_DIR: folder.path,
      HUB_HTTP_PORT: '0',
      HUB_MQTT_PORT: '0',
      [name]: String(address.port),
    },
  })
  expect(await demo.ended).toBe(1)
  expect(demo.stderr.trim()).toMatch(sentence)
  server.close()
})

test('the demo never touches the data of a real hub, with --fresh neither', async () => {
  using folder = temporaryFolder('demo')
  writeFileSync(join(folder.path, 'registry.db'), 'dear')
  const demo = runProgram(['hub/commands/demo.ts', '--fresh'], {
    env: { HUB_DATA_DIR: folder.path, HUB_HTTP_PORT: '0', HUB_MQTT_PORT: '0' },
  })
  expect(await demo.ended).toBe(1)
  expect(demo.stderr.trim()).toMatch(/^'.*' holds a hub that is no demo: set another HUB_DATA_DIR$/)
  expect(readFileSync(join(folder.path, 'registry.db'), 'utf8')).toBe('dear')
})
