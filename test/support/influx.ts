import { spawn, type ChildProcess } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { z } from 'zod'

const program = '/usr/bin/influxd'

/** Whether Debian's InfluxDB 1.6 is installed here. */
export const influxInstalled = existsSync(program)

/** A real InfluxDB 1.6 on free ports in a folder of its own. */
export interface InfluxServer {
  readonly url: string
  /** Ends the server (SIGTERM, as an operator would); the data stays. */
  stop(): Promise<void>
  start(): Promise<void>
  /** Rows of one InfluxQL query as objects, times in epoch ms. */
  query(q: string, db?: string): Promise<Record<string, unknown>[]>
  /** Stops it and removes its data. */
  remove(): Promise<void>
}

/** Starts influxd and waits until it answers `/ping`. Throws with its log when it does not within 20 s. */
export async function influxServer(): Promise<InfluxServer> {
  const dir = mkdtempSync(join(tmpdir(), 'hub-influx-'))
  const [port, rpcPort] = [await freePort(), await freePort()]
  const url = `http://127.0.0.1:${port}`
  const logFile = join(dir, 'influxd.log')
  writeFileSync(join(dir, 'influxdb.conf'), config(dir, port, rpcPort))
  let child: ChildProcess | undefined

  const start = async () => {
    const output = openSync(logFile, 'a')
    child = spawn(program, ['-config', join(dir, 'influxdb.conf')], {
      stdio: ['ignore', output, output],
    })
    await answering(url, child, logFile)
  }
  const stop = async () => {
    const last = child
    child = undefined
    if (!last || last.exitCode !== null || last.signalCode !== null) return
    const gone = once(last, 'exit')
    last.kill('SIGTERM')
    const late = setTimeout(() => last.kill('SIGKILL'), 10_000)
    await gone
    clearTimeout(late)
  }
  await start()
  return {
    url,
    start,
    stop,
    query: (q, db = 'jifang') => query(url, q, db),
    async remove() {
      await stop()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}

const config = (dir: string, port: number, rpcPort: number) => `
reporting-disabled = true
bind-address = "127.0.0.1:${rpcPort}"
[meta]
  dir = "${dir}/meta"
[data]
  dir = "${dir}/data"
  wal-dir = "${dir}/wal"
[http]
  bind-address = "127.0.0.1:${port}"
  log-enabled = false
[monitor]
  store-enabled = false
`

/** A port that was free a moment ago. */
async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  await new Promise((done) => server.close(done))
  if (typeof address !== 'object' || !address) throw new Error('no free port')
  return address.port
}

async function answering(url: string, child: ChildProcess, logFile: string) {
  const until = performance.now() + 20_000
  while (performance.now() < until && child.exitCode === null) {
    const answer = await fetch(`${url}/ping`).catch(() => undefined)
    if (answer?.status === 204) return
    await new Promise((next) => setTimeout(next, 50))
  }
  child.kill('SIGKILL')
  throw new Error(`influxd does not answer:\n${readFileSync(logFile, 'utf8').slice(-2_000)}`)
}

const Series = z.object({
  tags: z.record(z.string(), z.string()).optional(),
  columns: z.array(z.string()),
  values: z.array(z.array(z.unknown())),
})
const Answer = z.object({
  results: z
    .array(z.object({ error: z.string().optional(), series: z.array(Series).optional() }))
    .default([]),
  error: z.string().optional(),
})

async function query(url: string, q: string, db: string) {
  const parameters = new URLSearchParams({ db, q, epoch: 'ms' })
  const answer = await fetch(`${url}/query?${parameters}`)
  const { results, error } = Answer.parse(await answer.json())
  const failure = error ?? results.find((result) => result.error)?.error
  if (failure) throw new Error(failure)
  return results.flatMap(({ series = [] }) => series.flatMap(rowsOf))
}

const rowsOf = ({ tags, columns, values }: z.infer<typeof Series>) =>
  values.map((row): Record<string, unknown> => {
    const named = Object.fromEntries(columns.map((column, index) => [column, row[index]]))
    return { ...tags, ...named }
  })
