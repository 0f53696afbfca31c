import type { Logger } from 'pino'
import type { Clock } from '../rules/clock.ts'
import type { RoleStart, RunningRole } from '../schema/role.ts'
import type { AlarmStore } from '../store/alarm-store.ts'
import type { AuditStore } from '../store/audit-store.ts'
import type { MetricsStore } from '../store/metrics-store.ts'
import type { RegistryStore } from '../store/registry-store.ts'
import type { StateStore } from '../store/state-store.ts'
import { type DoorLimits, openDoor } from './door.ts'
import { type StatusEngine, statusEngine } from './status-engine.ts'

export interface IntakeDeps {
  start: RoleStart
  clock: Clock
  log: Logger
  alarms: Pick<AlarmStore, 'accept'>
  registry: Pick<RegistryStore, 'allDevices' | 'secretHash' | 'quarantine' | 'lastChange'>
  state: StateStore
  metrics: Pick<MetricsStore, 'append'>
  audit: Pick<AuditStore, 'append'>
  limits?: DoorLimits
}

const tickMs = 1000

/**
 * Takes in what devices say. Every device is `unknown` until the door is open and it speaks.
 * Needs no other role: web, media and sink may be away.
 * @throws PORT_TAKEN, CONFIG_INVALID
 */
export async function startIntake(deps: IntakeDeps): Promise<RunningRole> {
  const { log, clock, state } = deps
  const devices = deps.registry.allDevices()
  const status: StatusEngine = statusEngine({ devices, state, clock, log })
  const door = await openDoor({ ...deps, status }).catch((error: unknown) => {
    status.close()
    throw error
  })
  let stateChange = state.lastChange()
  let heartbeats = 0
  let heartbeatRate = 0

  function hintStates() {
    const change = state.lastChange()
    if (change !== stateChange) door.bus.publish('states')
    stateChange = change
  }

  function tick() {
    status.tick()
    const seen = status.takeSeen()
    door.bus.publish('seen', new Uint8Array(seen.buffer, seen.byteOffset, seen.byteLength))
    door.tick()
    hintStates()
    const total = door.counters.read()['heartbeats'] ?? 0
    heartbeatRate = total - heartbeats
    heartbeats = total
  }
  const timer = setInterval(tick, tickMs)

  return {
    ports: { mqtt: door.port },
    metrics() {
      const { pending, held, lagging, collapsed } = status.health()
      return {
        ...door.counters.read(),
        heartbeats_per_second: heartbeatRate,
        status_pending: pending,
        status_held: held,
        status_lagging: Number(lagging),
        status_collapsed: Number(collapsed),
      }
    },
    async close() {
      clearInterval(timer)
      await door.close()
      status.close()
    },
  }
}
