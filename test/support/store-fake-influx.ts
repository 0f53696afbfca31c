import { once } from 'node:events'
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import { gunzipSync } from 'node:zlib'
import { onTestFinished } from 'vitest'

/** One request as the fake saw it. */
export interface Seen {
  url: string
  authorization: string | undefined
  lines: string[]
}

/** What the fake does with a write; `undefined` = 204, and the lines count as stored. */
export type Behaviour = (
  seen: Seen,
  response: ServerResponse,
) => { status: number; body?: string; headers?: Record<string, string> } | 'hang' | undefined

/** An InfluxDB that misbehaves as told: for answers a real one gives only on bad days. */
export async function fakeInflux(behaviour: Behaviour = () => undefined) {
  const writes: Seen[] = []
  const queries: Seen[] = []
  const stored = new Set<string>()
  const state = { behaviour }
  const serve = async (request: IncomingMessage, response: ServerResponse) => {
    const seen = await read(request)
    if (new URL(seen.url, 'http://fake').pathname.endsWith('/query')) {
      queries.push(seen)
      response.writeHead(200).end('{}')
      return
    }
    writes.push(seen)
    const answer = state.behaviour(seen, response)
    if (answer === 'hang') return
    if (answer) {
      response.writeHead(answer.status, answer.headers).end(answer.body ?? '')
      return
    }
    for (const line of seen.lines) stored.add(line)
    response.writeHead(204).end()
  }
  // A client that hangs up in the middle of its request is part of the tests.
  const server = createServer(
    (request, response) => void serve(request, response).catch(() => response.destroy()),
  ).listen(0, '127.0.0.1')
  await once(server, 'listening')
  onTestFinished(async () => {
    server.closeAllConnections()
    await new Promise((done) => server.close(done))
  })
  const address = server.address()
  const port = typeof address === 'object' && address ? address.port : 0
  const connections = () =>
    new Promise<number>((resolve) => server.getConnections((_error, count) => resolve(count)))
  return { url: `http://127.0.0.1:${port}`, port, writes, queries, stored, state, connections }
}

async function read(request: IncomingMessage): Promise<Seen> {
  const chunks: Buffer[] = []
  for await (const chunk of request) chunks.push(Buffer.from(chunk))
  const body = Buffer.concat(chunks)
  const plain = request.headers['content-encoding'] === 'gzip' ? gunzipSync(body) : body
  return {
    url: request.url ?? '',
    authorization: request.headers.authorization,
    lines: plain.toString().split('\n').filter(Boolean),
  }
}
