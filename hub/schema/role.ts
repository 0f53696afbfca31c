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
