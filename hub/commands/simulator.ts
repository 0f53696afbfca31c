import { fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:net'
import { fileURLToPath } from 'node:url'
import { errors } from '../errors.ts'

// The simulator is another program: it is run, never imported.
const program = fileURLToPath(new URL('../../simulators/main.ts', import.meta.url))

/** Makes the county file of the demo. */
export async function makeCounty(out: string, rtspPort: number): Promise<void> {
  const args = ['county', '--seed', '7', '--out', out, '--rtsp-port', String(rtspPort)]
  const child = spawn(process.execPath, [program, ...args], {
    stdio: ['ignore', 'ignore', 'inherit'],
  })
  const [code] = await once(child, 'exit')
  if (code !== 0) throw errors.badRequest('The demo county could not be made, see above')
}

export interface Simulator {
  /** Resolves when it ends by itself, with what it said last. */
  readonly ended: Promise<void>
  stop(): Promise<void>
}

/** Longest wait for a simulator that was told to stop, ms. */
const stopMs = 5000

/**
 * Runs the county against a hub; resolves when its devices are connected. It ends with this process:
 * the channel between them closes.
 */
export async function startSimulator(options: {
  county: string
  mqttPort: number
  control: string
  output: number
}): Promise<Simulator> {
  const { county, mqttPort, control, output } = options
  const args = ['run', '--county', county, '--mqtt-port', String(mqttPort), '--control', control]
  const child = fork(program, args, {
    execArgv: [],
    // Ctrl-C reaches it too; it then stops a little before it is told.
    stdio: ['ignore', output, output, 'ipc'],
  })
  const ended = once(child, 'exit').then(() => undefined)
  await Promise.race([once(child, 'message'), ended])
  if (child.exitCode !== null)
    throw errors.badRequest('The simulator did not start: see simulator.log in the demo folder')
  return {
    ended,
    async stop() {
      if (child.exitCode !== null || child.signalCode !== null) return
      child.kill('SIGTERM')
      const late = setTimeout(() => child.kill('SIGKILL'), stopMs)
      await ended
      clearTimeout(late)
    },
  }
}

/** A TCP port of this machine that nobody listens on now. */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  const address = server.address()
  server.close()
  if (address === null || typeof address === 'string') throw new Error('no port was given')
  return address.port
}

/** True when nobody listens on the port now. */
export const isFree = (port: number) =>
  new Promise<boolean>((resolve) => {
    const server = createServer()
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
