import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest'
import { CountyFile } from '../../hub/schema/county-file.ts'
import { type SimBroker, simBroker } from '../support/sim-broker.ts'
import { until } from '../support/until.ts'

const main = fileURLToPath(new URL('../../simulators/main.ts', import.meta.url))
const folder = mkdtempSync(join(tmpdir(), 'sim-cli-'))
const file = join(folder, 'county.json')
const control = join(folder, 'control.sock')
let broker: SimBroker

/** Runs a command to its end. */
async function simulate(...args: string[]) {
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let [out, err] = ['', '']
  child.stdout.on('data', (chunk) => (out += chunk))
  child.stderr.on('data', (chunk) => (err += chunk))
  const [code] = await once(child, 'close')
  return { code: Number(code), out, err }
}

const made = () => CountyFile.parse(JSON.parse(readFileSync(file, 'utf8')))
const runArgs = (...more: string[]) =>
  ['run', '--county', file, '--mqtt-port', String(broker.port), '--rtsp-port', '0'].concat(
    ['--control', control, '--life', 'none'],
    more,
  )

const Ready = z.object({
  devices: z.int(),
  connected: z.int(),
  rtspPort: z.int().min(1),
  control: z.string(),
})

const running: ChildProcess[] = []
/** Starts `run` and waits for its ready line. */
async function start(child: ChildProcess) {
  running.push(child)
  let out = ''
  child.stdout?.on('data', (chunk) => (out += chunk))
  await until('the ready line', () => out.includes('\n'), 15_000)
  return Ready.parse(JSON.parse(out.replace(/^ready /, '')))
}
const spawned = (stdin: 'ignore' | 'pipe', ...more: string[]) =>
  spawn(process.execPath, [main, ...runArgs(...more)], { stdio: [stdin, 'pipe', 'inherit'] })

/** Waits for the end and checks that nothing stays behind. */
async function ended(child: ChildProcess, rtspPort: number) {
  if (child.exitCode === null) await once(child, 'exit')
  expect([child.exitCode, child.signalCode]).toEqual([0, null])
  expect(existsSync(control)).toBe(false)
  await until('no connection', () => broker.sockets() === 0)
  const socket = connect(rtspPort, '127.0.0.1')
  const [error] = await once(socket, 'error')
  expect(error).toMatchObject({ code: 'ECONNREFUSED' })
}

beforeAll(async () => {
  const args = ['--seed', '5', '--townships', '1', '--villages', '2', '--per-village', '6']
  await simulate('county', '--out', file, ...args)
  broker = await simBroker(made())
}, 30_000)
afterEach(() => {
  for (const child of running.splice(0)) if (child.exitCode === null) child.kill('SIGKILL')
})
afterAll(async () => {
  await broker.close()
  rmSync(folder, { recursive: true })
})

test('county writes a file that only its owner may read, and says what is in it', async () => {
  const out = join(folder, 'deep/er/other.json')
  const { code, out: said } = await simulate(
    'county',
    '--out',
    out,
    '--seed',
    '9',
    '--heartbeat',
    '60',
  )
  expect([code, said]).toEqual([0, `wrote '${out}': 24 villages, 480 devices, seed 9\n`])
  expect(statSync(out).mode & 0o777).toBe(0o600)
  const county = CountyFile.parse(JSON.parse(readFileSync(out, 'utf8')))
  expect(new Set(county.devices.map(({ device }) => device.heartbeatS))).toEqual(new Set([60]))
  writeFileSync(out, 'old', { mode: 0o644 })
  await simulate('county', '--out', out)
  expect(statSync(out).mode & 0o777).toBe(0o600)
}, 30_000)

test('run says ready, obeys do, keeps the ground truth and ends on SIGTERM', async () => {
  const truth = join(folder, 'truth.jsonl')
  const child = spawned('ignore', '--truth', truth)
  const ready = await start(child)
  expect(ready).toMatchObject({ devices: 12, connected: 12, control })
  expect(statSync(control).mode & 0o777).toBe(0o600)

  const opened = await simulate('do', 'door opens any', '--control', control)
  expect([opened.code, opened.out]).toEqual([
    0,
    expect.stringMatching(/^ok contact-\d+-1: door opens/),
  ])
  await until('the alarm', () => broker.published.some(({ branch }) => branch === 'a'))
  const refused = await simulate('do', 'dance', '--control', control)
  expect([refused.code, refused.out]).toEqual([
    1,
    expect.stringMatching(/^error cannot 'dance'; possible/),
  ])

  child.kill('SIGTERM')
  await ended(child, ready.rtspPort)
  const lines = readFileSync(truth, 'utf8').trim().split('\n')
  const told = lines.map((line) => z.object({ what: z.string() }).parse(JSON.parse(line)))
  expect(told.filter(({ what }) => what === 'connected')).toHaveLength(12)
  expect(told.map(({ what }) => what)).toContain('alarm intrusion active')
}, 40_000)

test('the control socket takes words and JSON, and refuses lines without an end', async () => {
  await start(spawned('ignore'))
  const socket = connect(control)
  let said = ''
  socket.on('data', (chunk) => (said += chunk))
  socket.write('status\n{"do": "status"}\n{"no": 1}\n\ndance\n')
  await until('four answers', () => said.split('\n').length === 5)
  const [words, json, wrong, unknown] = said.split('\n')
  expect(words).toBe('ok 12 devices: 12 online')
  expect(JSON.parse(json ?? '')).toEqual({ ok: true, message: '12 devices: 12 online' })
  expect(JSON.parse(wrong ?? '')).toMatchObject({ ok: false })
  expect(unknown).toMatch(/^error cannot 'dance'/)
  socket.write('x'.repeat(10_000))
  await once(socket, 'close')
  expect(said).toMatch(/error a command is one short line\n$/)
}, 30_000)

test('it ends when the pipe on its stdin closes', async () => {
  const child = spawned('pipe')
  const ready = await start(child)
  expect(ready.connected).toBe(12)
  child.stdin?.end()
  await ended(child, ready.rtspPort)
}, 30_000)

test('forked it sends ready and ends when the channel closes', async () => {
  const child = fork(main, runArgs(), { stdio: ['ignore', 'pipe', 'inherit', 'ipc'] })
  const message = once(child, 'message')
  const ready = await start(child)
  expect((await message)[0]).toBe('ready')
  child.disconnect()
  await ended(child, ready.rtspPort)
}, 30_000)

test('a second simulator on one control socket is refused; one left by a kill is taken over', async () => {
  const first = spawned('ignore')
  await start(first)
  const second = await simulate(...runArgs())
  expect([second.code, second.err]).toEqual([
    1,
    expect.stringMatching(
      /^simulate: another simulator listens on '.*': stop it or choose another/,
    ),
  ])
  first.kill('SIGKILL')
  await once(first, 'exit')
  expect(existsSync(control)).toBe(true)
  expect(await start(spawned('ignore'))).toMatchObject({ connected: 12 })
}, 40_000)

test('without a broker it says why and is ready after the deadline all the same', async () => {
  const args = [
    'run',
    '--county',
    file,
    '--mqtt-port',
    '1',
    '--rtsp-port',
    '0',
    '--control',
    control,
  ]
  const child = spawn(process.execPath, [main, ...args, '--ready-within', '1'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let err = ''
  child.stderr.on('data', (chunk) => (err += chunk))
  expect(await start(child)).toMatchObject({ devices: 12, connected: 0 })
  expect(err).toMatch(/^simulate: 0 of 12 devices connected; 12 devices: .*ECONNREFUSED/)
}, 30_000)

test('a taken RTSP port is said in one sentence', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  const port = typeof address === 'object' && address ? String(address.port) : ''
  const { code, err } = await simulate(...runArgs('--rtsp-port', port))
  server.close()
  expect([code, err]).toEqual([
    1,
    `simulate: port ${port} for the cameras is in use: stop the other program or choose another --rtsp-port\n`,
  ])
}, 30_000)

test('a county of more devices than open files is refused with both figures', async () => {
  const shell = `ulimit -n 210; exec "$0" "$@"`
  const child = spawn('sh', ['-c', shell, process.execPath, main, ...runArgs()], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  let err = ''
  child.stderr.on('data', (chunk) => (err += chunk))
  await once(child, 'close')
  expect(err).toMatch(/^simulate: 12 devices need more than the 210 open files allowed here: /)
})

test('--help names every command and every option', async () => {
  const { code, out } = await simulate('--help')
  expect(code).toBe(0)
  const source = readFileSync(main, 'utf8')
  const options = [...source.matchAll(/^ {2}'?([a-z-]+)'?: \{ type: '(?:string|boolean)' \}/gm)]
  expect(options.length).toBeGreaterThan(20)
  for (const [, option] of options) expect(out).toMatch(new RegExp(`--${option} `))
  for (const verb of ['county', 'run', 'do']) expect(out).toContain(`npm run simulate -- ${verb} `)
})

test.each([
  [['dance'], "no command 'dance': county, run, do or --help"],
  [['county'], 'county needs --out FILE'],
  [
    ['county', '--out', 'x', '--seed', 'y'],
    "--seed must be a whole number from 0 to 2147483647, got 'y'",
  ],
  [
    ['county', '--out', 'x', '--per-village', '3'],
    "--per-village must be a whole number from 4 to 200, got '3'",
  ],
  [
    ['county', '--out', 'x', '--villages-total', '1'],
    'a township must have 1 to 200 villages, got 0',
  ],
  [['county', '--out', 'x', '--colour', 'red'], "Unknown option '--colour'"],
  [['run'], "run needs --county FILE (make one with 'county')"],
  [['run', '--county', 'x', '--life', 'wild'], "--life must be calm, busy, none, got 'wild'"],
  [['do'], 'do needs a command in words, such as "door opens any"'],
])('%o: one clear sentence, exit 2', async (args, sentence) => {
  expect(await simulate(...args)).toEqual({ code: 2, out: '', err: `simulate: ${sentence}\n` })
})

test.each([
  [['run', '--county', '/nowhere'], /^simulate: there is no county file '\/nowhere'\n$/],
  [['run', '--county', main], /^simulate: '.*' cannot be read as JSON\n$/],
  [['do', 'status', '--control', join(folder, 'no.sock')], /^simulate: no simulator listens on /],
])('%o: one clear sentence, exit 1', async (args, sentence) => {
  const { code, err } = await simulate(...args)
  expect([code, err]).toEqual([1, expect.stringMatching(sentence)])
})
