import { chmodSync, mkdirSync, unlinkSync } from 'node:fs'
import { connect, createServer, type Socket } from 'node:net'
import { dirname } from 'node:path'
import { z } from 'zod'
import type { Answer, Faults } from './faults.ts'

const Request = z.object({ do: z.string().max(200) })
const Reply = z.object({ ok: z.boolean(), message: z.string() })
/** Longest path of a unix socket on Linux, bytes. */
const pathLimit = 107
const lineLimit = 4 * 1024

/** The door for commands: a unix socket only its owner may open. */
export interface Control {
  close(): Promise<void>
}

/**
 * Opens the control socket: a line of words in, a line `ok ...` or `error ...` out; a line of JSON
 * `{"do": "..."}` is answered with JSON `{ok, message}`.
 * @throws Error in one sentence when the path is too long or another simulator answers there
 */
export async function openControl(path: string, faults: Faults): Promise<Control> {
  if (Buffer.byteLength(path) > pathLimit)
    throw new Error(`the control path is longer than ${pathLimit} bytes: choose another --control`)
  mkdirSync(dirname(path), { recursive: true })
  if (await answers(path))
    throw new Error(`another simulator listens on '${path}': stop it or choose another --control`)
  // Left behind by one that was killed.
  removeSocket(path)
  const sockets = new Set<Socket>()
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
    serveLines(socket, faults)
  })
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject)
    server.listen(path, resolve)
  })
  chmodSync(path, 0o600)
  return {
    close: () =>
      new Promise((resolve) => {
        // Node removes the socket file itself.
        server.close(() => resolve())
        for (const socket of sockets) socket.destroy()
      }),
  }
}

function serveLines(socket: Socket, faults: Faults) {
  let held = ''
  socket.setEncoding('utf8')
  socket.on('error', () => socket.destroy())
  socket.on('data', (chunk: string) => {
    held += chunk
    const lines = held.split('\n')
    held = lines.pop() ?? ''
    for (const line of lines) if (line.trim()) socket.write(`${reply(line.trim(), faults)}\n`)
    if (held.length > lineLimit) socket.end('error a command is one short line\n')
  })
}

function reply(line: string, faults: Faults): string {
  if (!line.startsWith('{')) {
    const { ok, message } = faults(line)
    return `${ok ? 'ok' : 'error'} ${message}`
  }
  return JSON.stringify(jsonReply(line, faults))
}

function jsonReply(line: string, faults: Faults): Answer {
  try {
    return faults(Request.parse(JSON.parse(line)).do)
  } catch {
    return { ok: false, message: 'a JSON command is {"do": "<words>"}' }
  }
}

/** Sends one command to a running simulator. @throws Error when none listens or answers in time */
export function ask(path: string, words: string, timeoutMs = 5_000): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const socket = connect(path)
    const none = () =>
      new Error(`no simulator listens on '${path}': start one with 'run', or give its --control`)
    socket.setTimeout(timeoutMs, () => socket.destroy(new Error('the simulator does not answer')))
    socket.on('error', (error) => reject('code' in error ? none() : error))
    socket.on('connect', () => socket.write(`${JSON.stringify({ do: words })}\n`))
    let held = ''
    socket.setEncoding('utf8')
    socket.on('data', (chunk: string) => {
      held += chunk
      if (held.endsWith('\n')) socket.end()
    })
    socket.on('close', () => {
      const answer = held.endsWith('\n') ? Reply.safeParse(JSON.parse(held)) : undefined
      if (answer?.success) resolve(answer.data)
      else reject(none())
    })
  })
}

const answers = (path: string) =>
  new Promise<boolean>((resolve) => {
    const socket = connect(path)
    socket.on('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.on('error', () => resolve(false))
  })

function removeSocket(path: string) {
  try {
    unlinkSync(path)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error
  }
}
