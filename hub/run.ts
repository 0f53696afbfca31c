import type { Logger } from 'pino'
import { setTimeout as delay } from 'node:timers/promises'
import { join } from 'node:path'
import { isLoopback } from './config.ts'
import { claimDataDir } from './data-dir.ts'
import { HubError } from './errors.ts'
import { createLog } from './log.ts'
import type { Settings } from './schema/settings.ts'
import { sqlitePeople } from './store/sqlite-people.ts'
import { supervise, type Supervisor } from './supervisor.ts'
import { ensureAdmin } from './web/first-admin.ts'

export interface RunOptions {
  settings: Settings
  /** Ends the hub, also while it starts. */
  signal: AbortSignal
  /** Ends a stop that takes too long. */
  impatient: AbortSignal
  demo?: boolean
  /** File descriptor that takes all logs; absent: stderr of this process. */
  output?: number
}

export interface StartedHub {
  /** Where a browser finds the console. */
  address: string
  mqttPort: number
  /** The first administrator, only at the start that made it. */
  admin: { name: string; password: string } | undefined
  roles: Supervisor['roles']
}

/** How long roles of a killed hub may hold their ports, ms. */
const orphansGoneMs = 6000

/**
 * Runs a hub from data folder to last role: takes the folder, makes the first administrator, starts
 * the roles, calls `started`, waits for `signal`, stops everything.
 * @throws coded errors of the start, each one sentence that says what to do
 */
export async function runHub(
  options: RunOptions,
  started: (hub: StartedHub) => void | Promise<void>,
): Promise<void> {
  const { settings, signal } = options
  const log = createLog({ role: 'main', level: settings.HUB_LOG_LEVEL }, options.output)
  const dataDir = claimDataDir(settings.HUB_DATA_DIR)
  try {
    const admin = await firstAdmin(settings)
    const supervisor = await superviseAfterKill({ ...options, log }, dataDir.afterKill)
    options.impatient.addEventListener('abort', () => supervisor.kill(), { once: true })
    try {
      const ports = supervisor.ports()
      await started({
        address: `${settings.HUB_TLS_CERT ? 'https' : 'http'}://${settings.HUB_HTTP_HOST}:${ports.http}/`,
        // With TLS intake reports the roles' plain loopback door; devices knock at the configured one.
        mqttPort: isLoopback(settings.HUB_MQTT_HOST) ? (ports.mqtt ?? 0) : settings.HUB_MQTT_PORT,
        admin,
        roles: () => supervisor.roles(),
      })
      await aborted(signal)
    } finally {
      await supervisor.stop()
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    dataDir.release()
  }
}

async function firstAdmin(settings: Settings) {
  const people = await sqlitePeople(join(settings.HUB_DATA_DIR, 'registry.db'), {
    busyTimeoutMs: 5000,
  })
  try {
    return await ensureAdmin(people, settings)
  } finally {
    people.close()
  }
}

/** Roles of a hub that was killed end by themselves; until then their ports are theirs. */
async function superviseAfterKill(options: RunOptions & { log: Logger }, afterKill: boolean) {
  const deadline = performance.now() + (afterKill ? orphansGoneMs : 0)
  for (;;) {
    try {
      return await supervise(options)
    } catch (error) {
      const orphaned = error instanceof HubError && error.code === 'PORT_TAKEN'
      if (!orphaned || performance.now() > deadline) throw error
      await delay(200, undefined, { signal: options.signal })
    }
  }
}

const aborted = (signal: AbortSignal) =>
  new Promise<void>((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })

/**
 * Runs a program until SIGINT or SIGTERM (the second one makes it impatient) and sets the exit code.
 * A coded error is one sentence on stderr; any other one is a bug and keeps its stack. What it and
 * its children write is for their owner alone.
 */
export async function asProgram(
  run: (signals: { signal: AbortSignal; impatient: AbortSignal }) => Promise<void>,
): Promise<void> {
  process.umask(0o077)
  const first = new AbortController()
  const second = new AbortController()
  const onSignal = () => (first.signal.aborted ? second : first).abort()
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(name, onSignal)
  try {
    await run({ signal: first.signal, impatient: second.signal })
  } catch (error) {
    process.exitCode = 1
    if (!(error instanceof HubError)) throw error
    process.stderr.write(`${error.message}\n`)
  } finally {
    for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.off(name, onSignal)
  }
}
