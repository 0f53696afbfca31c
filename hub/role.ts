import { monitorEventLoopDelay } from 'node:perf_hooks'
import { systemClock } from './clock.ts'
import { HubError, errors } from './errors.ts'
import { createLog } from './log.ts'
import {
  roleNames,
  type Peers,
  type RoleName,
  type RoleOrder,
  type RoleReport,
  type RoleStart,
  type RunningRole,
} from './schema/role.ts'
import { startRole } from './start-role.ts'

const metricsEachMs = 2000
/** A role without a supervisor has this long to close in order, ms. */
const orphanMs = 3000

/** The forked process of one role: starts it on the supervisor's order, ends when told or left alone. */
async function serve(role: RoleName) {
  // Ctrl-C goes to the whole group; the supervisor orders who stops when.
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {})
  const orders = orderBook()
  const start = await orders.start
  const log = createLog({ role, level: start.settings.HUB_LOG_LEVEL })
  const die = (error: unknown) => {
    log.fatal({ err: error }, 'unexpected failure, the role ends')
    process.exit(1)
  }
  process.on('uncaughtException', die)
  process.on('unhandledRejection', die)

  let running: RunningRole
  try {
    running = await startRole(role, { start, clock: systemClock, log, peers: orders.peers })
  } catch (error) {
    const known = explain(role, start, error)
    if (!known) {
      die(error)
      return
    }
    await tell({ type: 'failed', code: known.code, message: known.message })
    process.exit(1)
  }
  await tell({ type: 'ready', ports: running.ports })
  const vital = vitalSigns()
  const timer = setInterval(() => {
    void tell({ type: 'metrics', metrics: { ...running.metrics(), ...vital() } })
  }, metricsEachMs)

  const why = await orders.stop
  clearInterval(timer)
  log.info({ why }, 'role stops')
  await running.close()
  process.exit(0)
}

/** What the supervisor says over the channel. A closed channel is a stop: no role outlives its hub. */
function orderBook() {
  const start = Promise.withResolvers<RoleStart>()
  const stop = Promise.withResolvers<'ordered' | 'orphaned'>()
  let peers: Peers = { mediaPort: 0, metrics: {}, restarts: {} }
  process.on('message', (order: RoleOrder) => {
    if (order.type === 'start') {
      peers = { ...peers, mediaPort: order.start.mediaPort }
      start.resolve(order.start)
    } else if (order.type === 'peers') peers = order.peers
    else stop.resolve('ordered')
  })
  process.once('disconnect', () => {
    stop.resolve('orphaned')
    setTimeout(() => process.exit(1), orphanMs)
  })
  return { start: start.promise, stop: stop.promise, peers: () => peers }
}

/** Sends a report; resolves when it left. A supervisor that is gone is noticed by `disconnect`. */
const tell = (report: RoleReport) =>
  new Promise<void>((resolve) => {
    if (process.connected) process.send?.(report, () => resolve())
    else resolve()
  })

/** The sentence for a failure a person can mend; undefined for a bug. */
function explain(role: RoleName, { settings }: RoleStart, error: unknown): HubError | undefined {
  if (error instanceof HubError) return error
  if (!(error instanceof Error) || !('code' in error)) return undefined
  const door =
    role === 'intake'
      ? { what: 'the device broker', kind: 'MQTT' as const }
      : { what: 'the console', kind: 'HTTP' as const }
  const port = settings[`HUB_${door.kind}_PORT`]
  if (error.code === 'EADDRINUSE') return errors.portTaken(door.what, port, `HUB_${door.kind}_PORT`)
  if (error.code === 'EADDRNOTAVAIL' || (error.code === 'EACCES' && 'port' in error)) {
    const host = settings[`HUB_${door.kind}_HOST`]
    return errors.addressRefused(door.what, `${host}:${port}`, `HUB_${door.kind}_HOST`)
  }
  // SQLITE_IOERR 10, READONLY 8, FULL 13, CANTOPEN 14, in the low byte of the extended code.
  const sqlite = 'errcode' in error ? Number(error.errcode) & 0xff : undefined
  if (sqlite !== undefined && [8, 10, 13, 14].includes(sqlite))
    return errors.dataNotWritable(settings.HUB_DATA_DIR)
  return undefined
}

/** Memory, processor time and event-loop lag of this process since the last call. */
function vitalSigns() {
  const lag = monitorEventLoopDelay({ resolution: 10 })
  lag.enable()
  return () => {
    const { user, system } = process.cpuUsage()
    const signs = {
      process_resident_memory_bytes: process.memoryUsage.rss(),
      process_cpu_seconds_total: (user + system) / 1e6,
      event_loop_lag_p99_seconds: lag.percentile(99) / 1e9,
    }
    lag.reset()
    return signs
  }
}

const name = roleNames.find((each) => each === process.argv[2])
if (!name || !process.send) throw new Error('hub/role.ts is started by the supervisor alone')
await serve(name)
