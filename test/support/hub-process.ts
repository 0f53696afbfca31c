import { spawn, type ChildProcess } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { until } from './until.ts'

/** Root of the project. */
export const projectRoot = resolve(fileURLToPath(new URL('../..', import.meta.url)))

/** A new folder that disappears with `using`. */
export function temporaryFolder(name = 'hub') {
  const path = mkdtempSync(join(tmpdir(), `jifang-${name}-`))
  return {
    path,
    [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true, maxRetries: 5 }),
  }
}

export interface Program {
  readonly child: ChildProcess
  /** What it wrote so far. */
  readonly stdout: string
  readonly stderr: string
  /** Waits for a match on stdout and returns it; fails with stderr when the program ends first. */
  says(pattern: RegExp, withinMs?: number): Promise<RegExpExecArray>
  /** Exit code, or the signal's name. */
  readonly ended: Promise<number | string>
  [Symbol.asyncDispose](): Promise<void>
}

/** Runs a Node program of this project, as a real process with its own process group. */
export function runProgram(
  args: readonly string[],
  options: { env?: Record<string, string>; cwd?: string; node?: string } = {},
): Program {
  const child = spawn(options.node ?? process.execPath, args, {
    cwd: options.cwd ?? projectRoot,
    env: { ...withoutHubSettings(process.env), ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
    detached: true,
  })
  let stdout = ''
  let stderr = ''
  let over = false
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
  const ended = new Promise<number | string>((done) => {
    child.once('close', (code, signal) => {
      over = true
      done(code ?? signal ?? 'unknown')
    })
  })
  return {
    child,
    get stdout() {
      return stdout
    },
    get stderr() {
      return stderr
    },
    says: (pattern, withinMs = 30_000) =>
      until(
        `the program says ${pattern}; so far: ${stdout.slice(-2000)}`,
        () => {
          const match = pattern.exec(stdout)
          if (!match && over) throw new Error(`it ended without saying ${pattern}: ${stderr}`)
          return match
        },
        withinMs,
      ),
    ended,
    async [Symbol.asyncDispose]() {
      if (!over) child.kill('SIGTERM')
      const late = setTimeout(() => child.kill('SIGKILL'), 15_000)
      await ended
      clearTimeout(late)
    },
  }
}

/** What a developer has set for a hub of their own stays out of tests. */
const withoutHubSettings = (env: NodeJS.ProcessEnv) =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('HUB_')))

export interface HubProcess extends Program {
  /** e.g. `http://127.0.0.1:41234` */
  readonly address: string
  readonly mqttPort: number
  /** One-time password of `admin`; empty at every start but the first. */
  readonly adminPassword: string
}

/** Starts a whole hub, `node hub/main.ts`, on free ports, and waits until it says it is ready. */
export async function startHub(
  dataDir: string,
  settings: Record<string, string> = {},
): Promise<HubProcess> {
  const program = runProgram(['hub/main.ts'], {
    env: { HUB_DATA_DIR: dataDir, HUB_HTTP_PORT: '0', HUB_MQTT_PORT: '0', ...settings },
  })
  const [, address = ''] = await program.says(/The hub is ready: (\S+?)\/?\n/, 60_000)
  const [, mqttPort] = await program.says(/MQTT to port (\d+)/)
  const [, adminPassword = ''] = /one-time password (\S+)/.exec(program.stdout) ?? []
  return Object.assign(program, { address, mqttPort: Number(mqttPort), adminPassword })
}

/** Processes whose ancestor is `pid`, by what the kernel says now. */
export function descendants(pid: number): number[] {
  const parents = new Map<number, number>()
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      // `pid (name) state ppid`: the name may hold anything, so read from its last bracket.
      const [, ppid] = readFileSync(`/proc/${entry}/stat`, 'utf8').split(') ').at(-1)!.split(' ')
      parents.set(Number(entry), Number(ppid))
    } catch {
      // It ended while we looked.
    }
  }
  const found = new Set([pid])
  // A child may stand before its parent in the list: look until nothing new turns up.
  for (let before = 0; before < found.size;) {
    before = found.size
    for (const [child, parent] of parents) if (found.has(parent)) found.add(child)
  }
  found.delete(pid)
  return [...found]
}

/** True while a process exists (a zombie does not count). */
export function isAlive(pid: number): boolean {
  try {
    return !/\) Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'))
  } catch {
    return false
  }
}
