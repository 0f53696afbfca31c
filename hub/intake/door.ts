import type { Logger } from 'pino'
import { modelById } from '../../devices/index.ts'
import type { Bus } from '../bus/bus.ts'
import { localBus } from '../bus/local-bus.ts'
import type { Clock } from '../rules/clock.ts'
import { mqttPolicy } from '../rules/policy.ts'
import type { RoleStart } from '../schema/role.ts'
import type { AlarmStore } from '../store/alarm-store.ts'
import type { AuditStore } from '../store/audit-store.ts'
import type { MetricsStore } from '../store/metrics-store.ts'
import type { RegistryStore } from '../store/registry-store.ts'
import { acceptance, acceptanceLimits, type AcceptanceLimits } from './acceptance.ts'
import { mqttAcl } from './acl.ts'
import { type BrokerLimits, mqttBroker } from './broker.ts'
import { counters, type Counters } from './counters.ts'
import { clientsFor, openFileLimit } from './descriptors.ts'
import { frames } from './frames.ts'
import { guardLimits, guardReasons } from './guard.ts'
import { identities } from './identity.ts'
import { openListeners } from './listeners.ts'
import { pointBuffer } from './point-buffer.ts'
import { securityLog } from './security-log.ts'
import type { StatusEngine } from './status-engine.ts'

export interface DoorLimits {
  broker: BrokerLimits
  acceptance: AcceptanceLimits
}

export const doorLimits: DoorLimits = {
  broker: { keepaliveS: 3600, unadmitted: 4096, guard: guardLimits },
  acceptance: acceptanceLimits,
}

/** Counters that are shown from the start. */
const known = [
  ...guardReasons.map((reason) => `guard_${reason}`),
  'heartbeats',
  'telemetry',
  'alarms_accepted',
  'alarms_duplicate',
  'alarms_waiting',
  'alarms_lost_to_sender',
  'rejects',
  'refused_unknown-device',
  'refused_wrong-secret',
  'refused_empty-client-id',
  'refused_keepalive',
  'refused_too-fast',
  'refused_too_many_unadmitted',
  'forbidden_publish',
  'forbidden_subscribe',
  'retained_refused',
  'clean_forced',
  'takeovers',
  'keepalive_timeouts',
  'wills_stale',
  'wills_keepalive',
  'points_written',
  'points_dropped',
  'readings_refused',
  'store_busy',
  'store_failures',
  'commits',
  'forwards_shed',
]

/** The MQTT door: from a socket to durable alarms, signs of life and readings. */
export interface Door {
  port: number
  tlsPort: number | undefined
  bus: Bus
  counters: Counters
  /** Once a second: spool readings, write security events, look whether the registry changed. */
  tick(): void
  /** Takes nothing new, stores and acknowledges what waits (10 s at most), then ends connections. */
  close(): Promise<void>
}

export interface DoorDeps {
  start: Pick<RoleStart, 'settings' | 'busSecret'>
  clock: Clock
  log: Logger
  alarms: Pick<AlarmStore, 'accept'>
  registry: Pick<RegistryStore, 'allDevices' | 'secretHash' | 'quarantine' | 'lastChange'>
  metrics: Pick<MetricsStore, 'append'>
  audit: Pick<AuditStore, 'append'>
  status: Pick<StatusEngine, 'seen' | 'lost' | 'add'>
  limits?: DoorLimits
}

const drainMs = 8000

/** Opens the door. @throws PORT_TAKEN, CONFIG_INVALID */
export async function openDoor(deps: DoorDeps): Promise<Door> {
  const { clock, log, registry, status } = deps
  const limits = deps.limits ?? doorLimits
  const count = counters(known)
  const who = identities({ registry, busSecret: deps.start.busSecret })
  let registryChange = registry.lastChange()
  who.reload()
  const security = securityLog({ audit: deps.audit, registry, clock, log, counters: count })
  let metricsHint = false
  const points = pointBuffer({
    metrics: deps.metrics,
    log,
    counters: count,
    written: () => {
      metricsHint = true
    },
  })
  const accept = acceptance({
    alarms: deps.alarms,
    clock,
    log,
    counters: count,
    committed: () => bus.publish('alarms'),
    limits: limits.acceptance,
  })
  const broker = await mqttBroker({
    identities: who,
    acl: mqttAcl(mqttPolicy),
    security,
    counters: count,
    clock,
    log,
    limits: limits.broker,
    take: frames({
      models: modelById(),
      status,
      acceptance: accept,
      points,
      counters: count,
      clock,
      log,
    }),
  })
  const bus = localBus(
    (topic, payload) => broker.publish(topic, payload),
    (error) => log.error({ err: error }, 'bus listener failed'),
  )
  broker.listen('hub/bus/#', (topic, payload) => bus.deliver(topic, payload))

  function lookAtRegistry() {
    try {
      readRegistry()
    } catch (error) {
      // An import holds the file: what is known stays in force until the next second.
      count.add('registry_read_failures')
      log.warn({ err: error }, 'registry not read yet')
    }
  }

  function readRegistry() {
    const change = registry.lastChange()
    if (change === registryChange) return
    const changed = who.reload()
    if (changed.length > 0) status.add(changed)
    broker.recheck()
    registryChange = change
    log.info({ changed: changed.length, devices: who.size() }, 'registry read again')
  }
  bus.on('registry', lookAtRegistry)

  const limit = openFileLimit()
  const clients = limit === undefined ? undefined : clientsFor(limit)
  if (clients !== undefined && clients < who.size())
    log.warn(
      { limit, clients, devices: who.size() },
      'open files hold fewer direct clients than devices',
    )
  const listeners = await openListeners({
    settings: deps.start.settings,
    serve: (socket) => broker.serve(socket),
    maxConnections: clients,
    refused: () => count.add('refused_too_many_connections'),
  })
  log.info(
    { port: listeners.port, tlsPort: listeners.tlsPort, devices: who.size(), limit, clients },
    'mqtt door open',
  )

  return {
    port: listeners.port,
    tlsPort: listeners.tlsPort,
    bus,
    counters: count,
    tick() {
      points.flush()
      security.flush()
      lookAtRegistry()
      if (metricsHint) bus.publish('metrics')
      metricsHint = false
    },
    async close() {
      listeners.close()
      broker.beginClose()
      await within(drainMs, accept.drained())
      accept.close()
      // Two turns of the loop: the acknowledgements of the last commit leave before the sockets end.
      await new Promise((resolve) => setImmediate(() => setImmediate(resolve)))
      await bus.close()
      await broker.close()
      points.flush()
      security.flush()
    },
  }
}

/** Waits for `work`, but `ms` at most. */
async function within(ms: number, work: Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<void>((resolve) => {
    timer = setTimeout(resolve, ms)
  })
  await Promise.race([work, late])
  clearTimeout(timer)
}
