import { randomBytes } from 'node:crypto'
import { fileURLToPath } from 'node:url'
import type { Logger } from 'pino'
import { roleProcess, type BackOff, type RoleProcess } from './role-process.ts'
import {
  roleNames,
  type Peers,
  type RoleName,
  type RoleReady,
  type RoleStart,
} from './schema/role.ts'
import type { Settings } from './schema/settings.ts'

export interface SupervisorDeps {
  settings: Settings
  log: Logger
  demo?: boolean
  /** Script that is forked per role; tests pass a small one. */
  roleFile?: string
  backOff?: BackOff
  /** Longest time a role may take to get ready, ms. */
  readyMs?: number
  /** Longest time all roles together may take to stop, ms. */
  stopMs?: number
  /** File descriptor that takes the roles' output. */
  output?: number | undefined
  /** Gives the start up. */
  signal?: AbortSignal
}

export interface Supervisor {
  /** Ports the roles really listen on; the last known one while a role is away. */
  ports(): RoleReady['ports']
  /** Pid (undefined while away) and restarts of each role. */
  roles(): { name: RoleName; pid: number | undefined; restarts: number; crashLoop: boolean }[]
  /** Stops the roles in the reverse order of starting. */
  stop(): Promise<void>
  /** Ends all roles at once, for the impatient second Ctrl-C. */
  kill(): void
}

const peersEachMs = 2000

/**
 * Starts intake, media, sink and web, each after the one before is ready, and keeps them running.
 * A role that crashes is started again with back-off; no crash touches another role.
 * @throws the coded error of a role that could not start (PORT_TAKEN, STORE_NEWER...), after
 * stopping those that had
 */
export async function supervise(deps: SupervisorDeps): Promise<Supervisor> {
  const { log, stopMs = 10_000 } = deps
  // The password is for main's first start alone; no other process needs it.
  const { HUB_ADMIN_PASSWORD: _, ...settings } = deps.settings
  const secrets = { busSecret: newSecret(), grantSecret: newSecret() }
  const listening: RoleReady['ports'] = {}
  const roles = new Map<RoleName, RoleProcess>()

  const startOrder = (): RoleStart => ({
    ...secrets,
    // A role that comes back takes the ports it had: devices and browsers know them.
    settings: {
      ...settings,
      HUB_MQTT_PORT: settings.HUB_MQTT_PORT || (listening.mqtt ?? 0),
      HUB_HTTP_PORT: settings.HUB_HTTP_PORT || (listening.http ?? 0),
    },
    mqttPort: listening.mqtt ?? 0,
    mediaPort: mediaPort(),
    demo: deps.demo ?? false,
  })
  const mediaPort = () => roles.get('media')?.ports?.media ?? 0
  const tellPeers = () => roles.get('web')?.tell({ type: 'peers', peers: peersOf(roles) })

  for (const name of roleNames)
    roles.set(
      name,
      roleProcess(name, {
        log,
        roleFile: deps.roleFile ?? fileURLToPath(new URL('role.ts', import.meta.url)),
        dataDir: deps.settings.HUB_DATA_DIR,
        backOff: deps.backOff ?? { firstMs: 100, mostMs: 10_000, steadyMs: 60_000 },
        readyMs: deps.readyMs ?? 60_000,
        output: deps.output,
        startOrder,
        changed(what) {
          if (what === 'metrics') return
          Object.assign(listening, roles.get(name)?.ports)
          tellPeers()
        },
      }),
    )
  const telling = setInterval(tellPeers, peersEachMs)

  async function stop() {
    clearInterval(telling)
    const deadline = performance.now() + stopMs
    const inReverse = [...roles.values()].toReversed()
    for (const [index, role] of inReverse.entries()) {
      const leftMs = Math.max(0, deadline - performance.now())
      await role.stop(leftMs / (inReverse.length - index))
    }
  }

  const giveUp = () => void stop()
  deps.signal?.addEventListener('abort', giveUp, { once: true })
  try {
    // Without intake there is no hub; the others may be away for a while.
    for (const [name, role] of roles) {
      deps.signal?.throwIfAborted()
      await role.start(name === 'intake')
    }
    deps.signal?.throwIfAborted()
  } catch (error) {
    await stop()
    throw error
  } finally {
    deps.signal?.removeEventListener('abort', giveUp)
  }
  return {
    ports: () => ({ ...listening }),
    roles: () =>
      [...roles.values()].map(({ name, pid, restarts, crashLoop }) => ({
        name,
        pid,
        restarts,
        crashLoop,
      })),
    stop,
    kill() {
      for (const role of roles.values()) role.kill()
    },
  }
}

const newSecret = () => randomBytes(32).toString('base64url')

function peersOf(roles: ReadonlyMap<RoleName, RoleProcess>): Peers {
  const peers: Peers = {
    mediaPort: roles.get('media')?.ports?.media ?? 0,
    metrics: {},
    restarts: {},
  }
  for (const [name, role] of roles) {
    peers.restarts[name] = role.restarts
    if (role.metrics) peers.metrics[name] = role.metrics
  }
  return peers
}
