import type { Bus } from '../bus/bus.ts'
import type { Clock } from '../rules/clock.ts'
import type { Peers } from '../schema/role.ts'
import type { Settings } from '../schema/settings.ts'
import type { AlarmStore } from '../store/alarm-store.ts'
import type { AuditStore } from '../store/audit-store.ts'
import type { MetricsStore } from '../store/metrics-store.ts'
import type { PeopleStore } from '../store/people-store.ts'
import type { RegistryStore } from '../store/registry-store.ts'
import type { StateStore } from '../store/state-store.ts'
import type { Passwords } from './password.ts'
import type { Sessions } from './sessions.ts'
import type { World } from './world.ts'

/** What the HTTP routes work with; each takes the few members it uses. */
export interface WebDeps {
  settings: Settings
  /** True when the door speaks TLS: Secure cookies, `__Host-` name, HSTS. */
  secure: boolean
  clock: Clock
  /** Key of media grants, shared with media for one start of the hub. */
  grantSecret: string
  alarms: AlarmStore
  registry: RegistryStore
  state: StateStore
  metrics: Pick<MetricsStore, 'status'>
  audit: Pick<AuditStore, 'append' | 'list'>
  people: PeopleStore
  bus: Pick<Bus, 'publish'>
  sessions: Sessions
  passwords: Passwords
  world: World
  peers: () => Peers
  /** Web's own counters for `/metrics`. */
  ownMetrics: () => Record<string, number>
  /** Folder of the built console. */
  consoleDir: string
  limits: Limits
}

/** How much one client may ask for. */
export interface Limits {
  /** Requests per minute and address. */
  requests: number
  /** Sign-in tries per minute, counted per account and per address. */
  signIns: number
}
export const defaultLimits: Limits = { requests: 3000, signIns: 20 }
