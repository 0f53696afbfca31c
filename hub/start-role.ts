import { join } from 'node:path'
import type { Logger } from 'pino'
import { auditWriter } from './audit/audit.ts'
import { mqttBus } from './bus/mqtt-bus.ts'
import type { Clock } from './rules/clock.ts'
import type { Peers, RoleName, RoleStart, RunningRole } from './schema/role.ts'
import { sqliteAlarms } from './store/sqlite-alarms.ts'
import { sqliteAudit } from './store/sqlite-audit.ts'
import { sqliteMetrics } from './store/sqlite-metrics.ts'
import { sqlitePeople } from './store/sqlite-people.ts'
import { sqliteRegistry } from './store/sqlite-registry.ts'
import { sqliteState } from './store/sqlite-state.ts'

/** What every role works with, beside its stores. */
export interface RoleContext {
  start: RoleStart
  clock: Clock
  log: Logger
  /** The other roles, as the supervisor told last. */
  peers: () => Peers
}

/** How long a role waits for another role's transaction, ms. */
const busyTimeoutMs = 5000
/**
 * Intake never waits, on no file: a foreign transaction of 3 s blocked its loop 3.03 s with a
 * timeout and 6.5 ms with none. What it could not write it writes at its next tick.
 */
const neverWait = { busyTimeoutMs: 0 }

/**
 * Opens exactly the stores that role `name` needs, connects its bus, and starts it. Closing the
 * role closes them in reverse.
 */
export async function startRole(name: RoleName, context: RoleContext): Promise<RunningRole> {
  const opened: { close(): void | Promise<void> }[] = []
  const closeAll = async () => {
    for (const each of opened.toReversed()) await each.close()
  }
  const keep = <Each extends { close(): void | Promise<void> }>(each: Each) => {
    opened.push(each)
    return each
  }
  try {
    const role = await starters[name](context, keep)
    return {
      ports: role.ports,
      metrics: () => role.metrics(),
      async close() {
        await role.close()
        await closeAll()
      },
    }
  } catch (error) {
    await closeAll()
    throw error
  }
}

type Keep = <Each extends { close(): void | Promise<void> }>(each: Each) => Each

// Each role's code is imported in its own process only: intake never loads the web's packages.
const starters: Record<RoleName, (context: RoleContext, keep: Keep) => Promise<RunningRole>> = {
  async intake(context, keep) {
    const { startIntake } = await import('./intake/role.ts')
    const file = files(context.start)
    return startIntake({
      ...context,
      alarms: keep(await sqliteAlarms(file('alarms'), neverWait)),
      registry: keep(await sqliteRegistry(file('registry'), neverWait)),
      state: keep(await sqliteState(file('state'), neverWait)),
      metrics: keep(await sqliteMetrics(file('metrics'), neverWait)),
      audit: keep(auditWriter(await sqliteAudit(file('audit'), neverWait), context.clock)),
    })
  },

  async media(context, keep) {
    const { startMedia } = await import('./media/role.ts')
    const file = files(context.start)
    return startMedia({
      ...context,
      registry: keep(await sqliteRegistry(file('registry'), { busyTimeoutMs })),
      people: keep(await sqlitePeople(file('registry'), { busyTimeoutMs })),
      metrics: keep(await sqliteMetrics(file('metrics'), { busyTimeoutMs })),
      bus: keep(await busOf('media', context)),
    })
  },

  async sink(context, keep) {
    const { startSink } = await import('./sink/role.ts')
    const file = files(context.start)
    return startSink({
      ...context,
      metrics: keep(await sqliteMetrics(file('metrics'), { busyTimeoutMs })),
      bus: keep(await busOf('sink', context)),
    })
  },

  async web(context, keep) {
    const { startWeb } = await import('./web/role.ts')
    const file = files(context.start)
    return startWeb({
      ...context,
      alarms: keep(await sqliteAlarms(file('alarms'), { busyTimeoutMs })),
      registry: keep(await sqliteRegistry(file('registry'), { busyTimeoutMs })),
      state: keep(await sqliteState(file('state'), { busyTimeoutMs })),
      metrics: keep(await sqliteMetrics(file('metrics'), { busyTimeoutMs })),
      audit: keep(auditWriter(await sqliteAudit(file('audit'), { busyTimeoutMs }), context.clock)),
      people: keep(await sqlitePeople(file('registry'), { busyTimeoutMs })),
      bus: keep(await busOf('web', context)),
    })
  },
}

const files =
  ({ settings }: RoleStart) =>
  (store: string) =>
    join(settings.HUB_DATA_DIR, `${store}.db`)

const busOf = (role: RoleName, { start, log }: RoleContext) =>
  mqttBus({ url: `mqtt://127.0.0.1:${start.mqttPort}`, role, secret: start.busSecret, log })
