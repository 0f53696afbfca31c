import { fork, type ChildProcess } from 'node:child_process'
import { join, resolve as absolute } from 'node:path'
import type { Logger } from 'pino'
import { HubError, errors } from './errors.ts'
import type { RoleName, RoleOrder, RoleReady, RoleReport, RoleStart } from './schema/role.ts'

/** Waits between restarts: doubled from `firstMs` to `mostMs`; forgotten after `steadyMs` of work. */
export interface BackOff {
  firstMs: number
  mostMs: number
  steadyMs: number
}

export interface RoleProcessDeps {
  log: Logger
  /** Script that is forked with the role's name as its argument. */
  roleFile: string
  /** Where the compiled code of the roles is kept, too. */
  dataDir: string
  backOff: BackOff
  /** A role that is not ready by then is killed and counts as crashed. */
  readyMs: number
  /** File descriptor for the role's stdout and stderr; absent: those of this process. */
  output?: number | undefined
  /** What the role is told; asked at each start, since ports are known only later. */
  startOrder(): RoleStart
  /** The role became ready, went away, or sent metrics. */
  changed(what: 'ready' | 'away' | 'metrics'): void
}

export interface RoleProcess {
  readonly name: RoleName
  readonly pid: number | undefined
  /** Undefined while the role is away. */
  readonly ports: RoleReady['ports'] | undefined
  readonly metrics: Record<string, number> | undefined
  readonly restarts: number
  /** True while the role crashed five times within a minute. */
  readonly crashLoop: boolean
  /**
   * Starts it. A coded failure (port taken, newer store) rejects. A crash rejects when `insist`;
   * otherwise the role goes on trying with back-off and the hub goes on without it.
   */
  start(insist: boolean): Promise<void>
  tell(order: RoleOrder): void
  /** Orders the stop; kills after `withinMs`. Resolves when the process is gone. */
  stop(withinMs: number): Promise<void>
  kill(): void
}

const crashWindowMs = 60_000
const crashLoopAt = 5

/** One forked role, kept alive until `stop`. */
export function roleProcess(name: RoleName, deps: RoleProcessDeps): RoleProcess {
  const { log, backOff } = deps
  let child: ChildProcess | undefined
  let ports: RoleReady['ports'] | undefined
  let metrics: Record<string, number> | undefined
  let stopping = false
  let restarts = 0
  let waitMs = backOff.firstMs
  let crashes: number[] = []
  let retry: NodeJS.Timeout | undefined
  let steady: NodeJS.Timeout | undefined

  function launch(): Promise<void> {
    const born = forkRole(name, deps)
    child = born
    return new Promise<void>((resolve, reject) => {
      const late = setTimeout(() => born.kill('SIGKILL'), deps.readyMs)
      const settle = (error?: Error) => {
        clearTimeout(late)
        if (error) reject(error)
        else resolve()
      }
      born.on('message', (report: RoleReport) => {
        if (report.type === 'ready') {
          ports = report.ports
          steady = setTimeout(calmDown, backOff.steadyMs)
          log.info({ name, pid: born.pid, ports }, 'role ready')
          settle()
          deps.changed('ready')
        } else if (report.type === 'metrics') {
          metrics = report.metrics
          deps.changed('metrics')
        } else settle(new HubError(report.code, 500, report.message))
      })
      born.once('error', (error) => log.error({ name, err: error }, 'role process failed'))
      born.once('exit', (code, signal) => {
        const wasReady = ports !== undefined
        child = ports = metrics = undefined
        clearTimeout(steady)
        settle(errors.roleFailed(name, signal ?? `exit code ${code}`))
        if (stopping) return
        noteCrash({ code, signal })
        deps.changed('away')
        if (wasReady) restartLater()
      })
      born.send({ type: 'start', start: deps.startOrder() } satisfies RoleOrder, () => {})
    })
  }

  function noteCrash(how: { code: number | null; signal: string | null }) {
    const now = performance.now()
    crashes = [...crashes.filter((at) => now - at < crashWindowMs), now]
    log.error({ name, ...how, crashes: crashes.length }, 'role ended unexpectedly')
    if (crashes.length === crashLoopAt) log.fatal({ name, waitMs }, 'role is in a crash loop')
  }

  function restartLater() {
    const delayMs = waitMs
    waitMs = Math.min(waitMs * 2, backOff.mostMs)
    retry = setTimeout(() => {
      restarts += 1
      launch().catch((error: unknown) => {
        if (stopping) return
        log.error({ name, err: error, waitMs }, 'role did not start')
        restartLater()
      })
    }, delayMs)
  }

  function calmDown() {
    waitMs = backOff.firstMs
    crashes = []
  }

  async function stop(withinMs: number) {
    stopping = true
    clearTimeout(retry)
    clearTimeout(steady)
    const last = child
    if (!last) return
    const gone = new Promise<void>((resolve) => last.once('exit', () => resolve()))
    const late = setTimeout(() => {
      log.error({ name, withinMs }, 'role did not stop in time, killed')
      last.kill('SIGKILL')
    }, withinMs)
    tell({ type: 'stop' })
    await gone
    clearTimeout(late)
  }

  function tell(order: RoleOrder) {
    // A role that is just dying closes its channel first: its exit event follows.
    if (child?.connected) child.send(order, () => {})
  }

  return {
    name,
    get pid() {
      return child?.pid
    },
    get ports() {
      return ports
    },
    get metrics() {
      return metrics
    },
    get restarts() {
      return restarts
    },
    get crashLoop() {
      const now = performance.now()
      return crashes.filter((at) => now - at < crashWindowMs).length >= crashLoopAt
    },
    async start(insist) {
      try {
        await launch()
      } catch (error) {
        if (insist || stopping || !isCrash(error)) throw error
        log.error({ name, err: error }, 'role did not start, the hub goes on without it')
        restartLater()
      }
    },
    tell,
    stop,
    kill: () => child?.kill('SIGKILL'),
  }
}

const isCrash = (error: unknown) => error instanceof HubError && error.code === 'ROLE_FAILED'

/**
 * A role gets no `HUB_*` variable: its settings come over the channel, read once by main. Compiled
 * code is kept beside the data: a second start takes about half the time, and a role about 30 MB
 * less, since the type stripper is not loaded at all.
 */
function forkRole(name: RoleName, { roleFile, output, dataDir }: RoleProcessDeps): ChildProcess {
  const env = {
    ...Object.fromEntries(Object.entries(process.env).filter(([key]) => !key.startsWith('HUB_'))),
    NODE_COMPILE_CACHE: join(absolute(dataDir), 'code-cache'),
  }
  const sink = output ?? 'inherit'
  return fork(roleFile, [name], { env, execArgv: [], stdio: ['ignore', sink, sink, 'ipc'] })
}
