import { Agent as HttpAgent } from 'node:http'
import { Agent as HttpsAgent } from 'node:https'
import { HttpError, InfluxDB, type WriteApi } from '@influxdata/influxdb-client'

/** Where and how InfluxDB is written. */
export interface InfluxOptions {
  url: string
  /** `/api/v2/write` (2.x, 3) or `/write` (1.x). */
  writePath: string
  /** Database (1.x) or bucket (2.x, 3). */
  database: string
  org: string
  /** Token (2.x, 3), or `user:password` (1.x). */
  token?: string | undefined
  /** Longest time for one request, ms. */
  timeoutMs: number
}

/** The server cannot take anything now, or not in this way: the lines stay ours. */
export class Unavailable extends Error {
  override readonly name = 'Unavailable'
  /** When the server wants to be asked again, ms; 0 when it did not say. */
  readonly retryAfterMs: number
  /** HTTP status; 0 without an answer. */
  readonly status: number
  constructor(message: string, status = 0, againInMs = 0) {
    super(message)
    this.status = status
    this.retryAfterMs = againInMs
  }
}

/** The server read the lines and will never take at least one of them. */
export class Refused extends Error {
  override readonly name = 'Refused'
}

/** Most lines of one request. */
export const requestLines = 5_000
const refusals: ReadonlySet<number> = new Set([400, 413, 422])
const longestRetryAfterMs = 60_000

export interface InfluxWriter {
  /** Sends at most `requestLines` lines as one request. @throws Refused | Unavailable */
  readonly send: (lines: readonly string[]) => Promise<void>
  /** 1.x only: makes the database if it is not there. Never throws; a failure shows at the write. */
  createDatabase(): Promise<void>
  close(): void
}

/**
 * One request at a time through @influxdata/influxdb-client, without its retry buffer (RAM, and it
 * gives up 400 and 401). The client leaves a timed-out request open, so each failed connection is
 * destroyed together with its agent.
 */
export function influxWriter(options: InfluxOptions): InfluxWriter {
  const target = readTarget(options)
  const closing = new AbortController()
  let open: Connection | undefined
  const drop = () => {
    open?.agent.destroy()
    open?.api.dispose()
    open = undefined
  }
  return {
    async send(lines) {
      if (closing.signal.aborted) throw new Unavailable('the sink is stopping')
      const { api } = (open ??= connect(target, options))
      api.writeRecords([...lines])
      try {
        await withDeadline(api.flush(), options.timeoutMs, drop)
      } catch (error) {
        const failure = classify(error, target.secrets)
        if (failure instanceof Unavailable && failure.status === 0) drop()
        throw failure
      }
    },
    async createDatabase() {
      if (!target.isV1) return
      const quoted = options.database.replaceAll(/[\\"]/g, String.raw`\$&`)
      const url = `${target.url}/query?q=${encodeURIComponent(`CREATE DATABASE "${quoted}"`)}`
      const signal = AbortSignal.any([AbortSignal.timeout(options.timeoutMs), closing.signal])
      const headers = target.authorization ? { authorization: target.authorization } : {}
      try {
        const answer = await fetch(url, { method: 'POST', headers, signal, redirect: 'error' })
        await answer.arrayBuffer()
      } catch {
        // No answer: the write that follows has the same trouble and tells it.
      }
    },
    close() {
      closing.abort()
      drop()
    },
  }
}

interface Target {
  url: string
  path: string
  isV1: boolean
  /** Basic, from credentials in the address or a 1.x token; undefined: token or nothing. */
  authorization: string | undefined
  token: string | undefined
  /** Texts that must not stand in a status or a log. */
  secrets: readonly string[]
}

function readTarget({ url, writePath, database, org, token }: InfluxOptions): Target {
  const address = new URL(url)
  const isV1 = (writePath.split('?')[0] ?? '').endsWith('/write') && !writePath.includes('/api/v2/')
  const inUrl = address.username
    ? `${decodeURIComponent(address.username)}:${decodeURIComponent(address.password)}`
    : undefined
  const login = inUrl ?? (isV1 && token?.includes(':') ? token : undefined)
  address.username = address.password = address.search = address.hash = ''
  const query = isV1 ? { db: database } : { org, bucket: database }
  const parameters = new URLSearchParams({ ...query, precision: 'ns' })
  return {
    url: address.href.replace(/\/+$/, ''),
    path: `${writePath}${writePath.includes('?') ? '&' : '?'}${parameters}`,
    isV1,
    authorization: login && `Basic ${Buffer.from(login).toString('base64')}`,
    token: login ? undefined : token,
    secrets: [token, login, login?.slice(login.indexOf(':') + 1)].flatMap((text) => text || []),
  }
}

interface Connection {
  agent: HttpAgent
  api: WriteApi
}

function connect(target: Target, { org, database, timeoutMs }: InfluxOptions): Connection {
  const keep = { keepAlive: true, maxSockets: 1 }
  const agent = target.url.startsWith('https:') ? new HttpsAgent(keep) : new HttpAgent(keep)
  const client = new InfluxDB({
    url: target.url,
    timeout: timeoutMs,
    transportOptions: { agent },
    ...(target.token ? { token: target.token } : {}),
    ...(target.authorization ? { headers: { authorization: target.authorization } } : {}),
  })
  const api = client.getWriteApi(org, database, 'ns', {
    // One more than a request holds: at this number the client would send by itself, unobserved.
    batchSize: requestLines + 1,
    maxBatchBytes: Number.POSITIVE_INFINITY,
    flushInterval: 0,
    maxRetries: 0,
    // A promise keeps the client from printing the failure on the console.
    writeFailed: async (error) => {
      throw error
    },
  })
  api.path = target.path
  return { agent, api }
}

/** The client counts silence of the socket only; a server that drips bytes would hold it for ever. */
function withDeadline(work: Promise<void>, timeoutMs: number, late: () => void): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      late()
      reject(new Unavailable(`no answer within ${timeoutMs} ms`))
    }, timeoutMs)
    work.then(resolve, reject).finally(() => clearTimeout(timer))
  })
}

function classify(error: unknown, secrets: readonly string[]): Refused | Unavailable {
  if (error instanceof Unavailable) return error
  const raw = error instanceof Error ? error.message : String(error)
  const message = secrets
    .reduce((text, secret) => text.replaceAll(secret, '***'), raw)
    .replaceAll(/\s+/g, ' ')
    .slice(0, 200)
  if (!(error instanceof HttpError)) return new Unavailable(message || 'no connection')
  if (refusals.has(error.statusCode)) return new Refused(message)
  return new Unavailable(message, error.statusCode, retryAfterMs(error))
}

/** `Retry-After` in seconds (RFC 9110 10.2.3); the client's own reading takes them for milliseconds. */
function retryAfterMs(error: HttpError): number {
  const seconds = Number(error.headers?.['retry-after'])
  return seconds > 0 ? Math.min(seconds * 1000, longestRetryAfterMs) : 0
}
