import type { Settings } from './settings.ts'

export const roleNames = ['intake', 'media', 'sink', 'web'] as const
export type RoleName = (typeof roleNames)[number]

/** What the supervisor hands to a role when it starts it. Secrets are random per start of the hub. */
export interface RoleStart {
  settings: Settings
  /** Password of the roles' own MQTT client (`hub-<role>`) on the broker's internal branch. */
  busSecret: string
  /** Key of media grants: made by web, checked by media (HMAC-SHA-256). */
  grantSecret: string
  /** Port intake's broker really listens on; 0 for intake itself. */
  mqttPort: number
  /** Port media really listens on (loopback); 0 for roles started before it. */
  mediaPort: number
  /** `127.0.0.1` bind port of the loopback broker door used by roles; equals `mqttPort` unless TLS is on. */
  demo: boolean
}

/** What a role answers once it is ready to work. */
export interface RoleReady {
  ports: Partial<Record<'mqtt' | 'media' | 'http', number>>
}

/** A running role. */
export interface RunningRole extends RoleReady {
  /** Counters and gauges for `/metrics`, read by the supervisor and handed to web. */
  metrics(): Record<string, number>
  close(): Promise<void>
}

/**
 * The other roles as the supervisor sees them, renewed each 2 s and at once when a port moves.
 * `hub/role.ts` passes `peers: () => Peers` to the roles that need it (web).
 */
export interface Peers {
  /** Port media listens on now (loopback); 0 while media is away. It changes when media restarts. */
  mediaPort: number
  /** Newest metrics of each role; a role that is away has none. */
  metrics: Partial<Record<RoleName, Record<string, number>>>
  /** Restarts of each role since the hub started. */
  restarts: Partial<Record<RoleName, number>>
}

/** Supervisor -> role, over the fork's own channel. */
export type RoleOrder =
  | { type: 'start'; start: RoleStart }
  | { type: 'peers'; peers: Peers }
  | { type: 'stop' }

/** Role -> supervisor. `failed` carries the sentence of a coded error; the process then ends. */
export type RoleReport =
  | { type: 'ready'; ports: RoleReady['ports'] }
  | { type: 'metrics'; metrics: Record<string, number> }
  | { type: 'failed'; code: string; message: string }
