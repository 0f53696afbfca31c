import type { Principal, Role } from '../schema/people.ts'
import { regionRange, within } from './scope.ts'

/** What a person can be allowed to do. Each holds within the person's scope. */
export const actions = [
  'region:read',
  'device:read',
  'alarm:read',
  'alarm:acknowledge',
  'alarm:close',
  'camera:watch',
  'system:read',
  'audit:read',
  'user:manage',
  'quarantine:read',
] as const
export type Action = (typeof actions)[number]

/** The one permission table: what each role may do inside its scope. */
export const grants: Readonly<Record<Role, readonly Action[]>> = {
  'village-duty': ['region:read', 'device:read', 'alarm:read', 'alarm:acknowledge', 'camera:watch'],
  'township-officer': [
    'region:read',
    'device:read',
    'alarm:read',
    'alarm:acknowledge',
    'alarm:close',
    'camera:watch',
    'system:read',
  ],
  // A crew mends cameras but has no business watching villagers: no camera:watch.
  crew: ['region:read', 'device:read', 'alarm:read', 'system:read', 'quarantine:read'],
  'county-supervisor': [
    'region:read',
    'device:read',
    'alarm:read',
    'alarm:acknowledge',
    'alarm:close',
    'camera:watch',
    'system:read',
  ],
  auditor: ['region:read', 'alarm:read', 'system:read', 'audit:read'],
  administrator: [
    'region:read',
    'device:read',
    'alarm:read',
    'system:read',
    'audit:read',
    'user:manage',
    'quarantine:read',
  ],
}

/** What a surface asks for: nothing, a session, or an action (checked against the region it touches). */
export type Need = 'public' | 'session' | Action

/** HTTP routes as Fastify registers them. A route that is not here stops the start. */
export const httpPolicy: Readonly<Record<string, Need>> = {
  // The console's files: they hold no data of the county.
  'GET /*': 'public',
  'GET /livez': 'public',
  'GET /readyz': 'public',
  'GET /metrics': 'public',
  'GET /api/openapi.json': 'session',
  'GET /api/docs': 'session',
  'GET /api/docs/': 'session',
  'GET /api/docs/json': 'session',
  'GET /api/docs/yaml': 'session',
  'GET /api/docs/static/*': 'session',
  'GET /api/docs/static/index.html': 'session',
  'GET /api/docs/static/swagger-initializer.js': 'session',
  'POST /api/v1/session': 'public',
  'GET /api/v1/session': 'session',
  'DELETE /api/v1/session': 'session',
  'POST /api/v1/session/password': 'session',
  'GET /api/v1/regions': 'region:read',
  'GET /api/v1/regions/:scope/summary': 'region:read',
  'GET /api/v1/regions/:scope/snapshot': 'region:read',
  'GET /api/v1/regions/:scope/strips': 'region:read',
  'GET /api/v1/devices': 'device:read',
  'GET /api/v1/devices/:id': 'device:read',
  'GET /api/v1/devices/:id/timeline': 'device:read',
  'GET /api/v1/alarms': 'alarm:read',
  'GET /api/v1/alarms/:id': 'alarm:read',
  'POST /api/v1/alarms/:id/acknowledge': 'alarm:acknowledge',
  'POST /api/v1/alarms/:id/close': 'alarm:close',
  'POST /api/v1/cameras/:id/grant': 'camera:watch',
  'GET /api/v1/system': 'system:read',
  'GET /api/v1/audit': 'audit:read',
  'GET /api/v1/users': 'user:manage',
  'GET /api/v1/quarantine': 'quarantine:read',
}

/** socket.io rooms by prefix (`devices:339901001`). */
export const roomPolicy: Readonly<Record<string, Need>> = {
  pulse: 'session',
  devices: 'device:read',
  villages: 'region:read',
  alarms: 'alarm:read',
}

/** Media paths behind the web role's upgrade dispatcher. */
export const mediaPolicy: Readonly<Record<string, Need>> = {
  '/media/live': 'camera:watch',
}

/** Who may publish and subscribe on a branch of the broker. */
export type MqttClient = 'device' | 'gateway' | 'role'
export const mqttPolicy: Readonly<
  Record<string, { publish: readonly MqttClient[]; subscribe: readonly MqttClient[] }>
> = {
  status: { publish: ['device', 'gateway'], subscribe: [] },
  hb: { publish: ['device', 'gateway'], subscribe: [] },
  t: { publish: ['device', 'gateway'], subscribe: [] },
  a: { publish: ['device', 'gateway'], subscribe: [] },
  c: { publish: ['role'], subscribe: ['device', 'gateway'] },
  r: { publish: ['device', 'gateway'], subscribe: [] },
  cfg: { publish: ['role'], subscribe: ['device', 'gateway'] },
  cfgr: { publish: ['device', 'gateway'], subscribe: [] },
  bus: { publish: ['role'], subscribe: ['role'] },
}

/** True when `principal` may do `action` in `region` (a 12-digit code or a scope). */
export const allows = (principal: Principal, action: Action, region: string) =>
  grants[principal.role].includes(action) && within(region, principal.scope)

/** True when the role may do it anywhere at all. */
export const mayEver = (principal: Principal, action: Action) =>
  grants[principal.role].includes(action)

/**
 * The region codes a query of this person is limited to: the overlap of the scope asked for with
 * the person's own; undefined when there is none or the role may not do it.
 */
export function regionFilter(principal: Principal, action: Action, asked = principal.scope) {
  if (!grants[principal.role].includes(action)) return undefined
  if (within(asked, principal.scope)) return regionRange(asked)
  if (within(principal.scope, asked)) return regionRange(principal.scope)
  return undefined
}

/** The roles that may do an action, in words: whom a refused person can ask. */
export const whoMay = (action: Action) =>
  Object.entries(grants)
    .filter(([, list]) => list.includes(action))
    .map(([role]) => role)
    .join(' or ')

/** What a person may do, in the order of `actions`: the console hides the rest. */
export const actionsOf = (principal: Pick<Principal, 'role'>) =>
  actions.filter((action) => grants[principal.role].includes(action))
