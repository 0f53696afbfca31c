import { type ChildProcess, fork, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { parseArgs } from 'node:util'
import { z } from 'zod'
import { freePort } from '../support/free-port.ts'
import { until } from '../support/until.ts'
import type { LoadOrder } from './ingest-order.ts'
import type { Bench } from './figure.ts'

const script = (name: string) => new URL(name, import.meta.url).pathname
const connections = 100
const alarmsPerS = 50
const slices = 4

const Port = z.object({ port: z.int() })
const Result = z.object({
  heartbeats: z.int(),
  alarms: z.array(
    z.object({ key: z.string(), sentAt: z.number(), confirmedAt: z.number().optional() }),
  ),
})
const Times = z.object({ times: z.array(z.tuple([z.string(), z.number()])) })

/** One side of the comparison: a door to publish to and the processes whose CPU counts. */
interface Side {
  port: number
  pids: number[]
  /** Whether the sender learns of durability by a reply topic; otherwise by PUBACK. */
  replies: boolean
  /** Process that commits and answers `times`. */
  store: ChildProcess
  stop(): Promise<void>
}

/** The next message of a process; rejects when it ends instead. */
const message = (child: ChildProcess) =>
  new Promise<unknown>((resolve, reject) => {
    const onExit = (code: number | null) =>
      reject(new Error(`a process ended early with code ${code}`))
    child.once('exit', onExit)
    child.once('message', (body) => {
      child.off('exit', onExit)
      resolve(body)
    })
  })

const ended = (child: ChildProcess, signal: NodeJS.Signals) =>
  new Promise<void>((resolve) => {
    if (child.exitCode !== null) resolve()
    child.once('exit', () => resolve())
    child.kill(signal)
  })

/** User and system seconds a process has used (Linux). */
function cpuSeconds(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? []
  return (Number(fields[11]) + Number(fields[12])) / 100
}

const pidOf = ({ pid }: ChildProcess) => {
  if (pid === undefined) throw new Error('a process could not be started')
  return pid
}

async function hubSide(dir: string): Promise<Side> {
  const intake = fork(
    script('../support/mqtt-intake-process.ts'),
    [dir, '0', String(connections)],
    { execArgv: process.env['BENCH_NODE_ARGS']?.split(' ') ?? [] },
  )
  const { port } = Port.parse(await message(intake))
  return {
    port,
    pids: [pidOf(intake)],
    replies: false,
    store: intake,
    stop: () => ended(intake, 'SIGTERM'),
  }
}

/** mosquitto with TCP_NODELAY and no limits in the way, and one consumer process behind it. */
async function peerSide(dir: string): Promise<Side> {
  const port = await freePort()
  const config = join(dir, 'mosquitto.conf')
  writeFileSync(
    config,
    [
      `listener ${port} 127.0.0.1`,
      'allow_anonymous true',
      'set_tcp_nodelay true',
      'max_inflight_messages 0',
      'max_queued_messages 0',
      'persistence false',
      'log_type error',
      '',
    ].join('\n'),
  )
  const broker = spawn('/usr/sbin/mosquitto', ['-c', config], { stdio: 'ignore' })
  await new Promise((resolve, reject) => {
    broker.once('spawn', resolve)
    broker.once('error', () =>
      reject(new Error('mosquitto is not installed: apt install mosquitto')),
    )
  })
  const consumer = fork(script('./peer-consumer.ts'), [String(port), join(dir, 'peer.db')])
  await message(consumer)
  return {
    port,
    pids: [pidOf(broker), pidOf(consumer)],
    replies: true,
    store: consumer,
    async stop() {
      await ended(consumer, 'SIGTERM')
      await ended(broker, 'SIGTERM')
    },
  }
}

interface Measured {
  cpu: number[]
  /** Publish to COMMIT, ms. */
  onDisk: number[]
  /** Publish to the sender's knowing of it, ms. */
  confirmed: number[]
}

/** Joins what was sent with what was committed and confirmed; one that is missing is an error. */
async function collect(side: Side, { alarms }: z.infer<typeof Result>, into: Measured) {
  const answer = message(side.store)
  side.store.send('times')
  const committed = new Map(Times.parse(await answer).times)
  for (const { key, sentAt, confirmedAt } of alarms) {
    const at = committed.get(key)
    if (at === undefined || confirmedAt === undefined) throw new Error(`alarm ${key} was lost`)
    into.onDisk.push(at - sentAt)
    into.confirmed.push(confirmedAt - sentAt)
  }
}

/** One slice of load on one side: warm-up, then CPU and latency over `measureMs`. */
async function slice(side: Side, order: Omit<LoadOrder, 'port' | 'replies'>, into: Measured) {
  const generator = fork(script('./ingest-load.ts'))
  const answer = message(generator)
  generator.send({ ...order, port: side.port, replies: side.replies })
  const cpu = () => side.pids.reduce((sum, pid) => sum + cpuSeconds(pid), 0)
  await new Promise((resolve) => setTimeout(resolve, order.warmUpMs))
  const from = { cpu: cpu(), at: performance.now() }
  await new Promise((resolve) => setTimeout(resolve, order.measureMs - 200))
  into.cpu.push((cpu() - from.cpu) / ((performance.now() - from.at) / 1000))
  const result = Result.parse(await answer)
  await until('the generator ends', () => generator.exitCode !== null)
  await collect(side, result, into)
}

const percentile = (values: readonly number[], share: number) => {
  const sorted = values.toSorted((a, b) => a - b)
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}
const round = (value: number) => Math.round(value * 1000) / 1000
const mean = (values: readonly number[]) =>
  values.reduce((sum, value) => sum + value, 0) / values.length

/** CPU and alarm-durable times of the hub's intake beside mosquitto + consumer, slices in turn. */
export const benchIngest: Bench = async (args, print) => {
  const { values } = parseArgs({
    args: [...args],
    options: {
      seconds: { type: 'string', default: '20' },
      rates: { type: 'string', default: '1000,10000' },
    },
  })
  const measureMs = Math.round((Number(values.seconds) * 1000) / slices)
  const dir = mkdtempSync(join(tmpdir(), 'bench-ingest-'))
  const sides = [await hubSide(dir), await peerSide(dir)] as const
  let firstSeq = 0
  try {
    // A hub runs for months: both sides are measured with their code compiled, not interpreted.
    for (const side of sides) {
      const order = { connections, heartbeatsPerS: 3000, alarmsPerS: 400, warmUpMs: 1000 }
      await slice(
        side,
        { ...order, measureMs: 8000, firstSeq },
        { cpu: [], onDisk: [], confirmed: [] },
      )
      firstSeq += 1_000_000
    }
    for (const heartbeatsPerS of values.rates.split(',').map(Number)) {
      const hub: Measured = { cpu: [], onDisk: [], confirmed: [] }
      const peer: Measured = { cpu: [], onDisk: [], confirmed: [] }
      const order = { connections, heartbeatsPerS, alarmsPerS, warmUpMs: 2000, measureMs }
      for (let turn = 0; turn < slices; turn++)
        for (const [side, into] of [
          [sides[0], hub],
          [sides[1], peer],
        ] as const) {
          await slice(side, { ...order, firstSeq }, into)
          firstSeq += 1_000_000
        }
      const figure = (name: string, unit: string, value: number, other: number) =>
        print({
          name: `${name}_${heartbeatsPerS}hb`,
          value: round(value),
          unit,
          peer: round(other),
          ratio: round(value / other),
        })
      figure('cpu', 'core', mean(hub.cpu), mean(peer.cpu))
      for (const share of [0.5, 0.99]) {
        const of = (values: readonly number[]) => percentile(values, share)
        const p = `p${share * 100}`
        figure(`alarm_on_disk_${p}`, 'ms', of(hub.onDisk), of(peer.onDisk))
        figure(`alarm_confirmed_${p}`, 'ms', of(hub.confirmed), of(peer.confirmed))
      }
      figure('alarms_measured', '1', hub.onDisk.length, peer.onDisk.length)
    }
  } finally {
    for (const side of sides) await side.stop()
    rmSync(dir, { recursive: true, force: true })
  }
}
