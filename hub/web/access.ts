import type { FastifyInstance, FastifyRequest, RouteOptions } from 'fastify'
import { errors } from '../errors.ts'
import {
  allows,
  httpPolicy,
  mayEver,
  regionFilter,
  whoMay,
  type Action,
  type Need,
} from '../rules/policy.ts'
import type { Clock } from '../rules/clock.ts'
import { Scope } from '../schema/region.ts'
import type { RegionRange } from '../store/region-range.ts'
import type { AuditLine } from '../store/audit-store.ts'
import { cookieName } from './cookie.ts'
import { sameOrigin } from './origin.ts'
import type { Sessions, Visit } from './sessions.ts'

declare module 'fastify' {
  interface FastifyInstance {
    /** Every route of the running server as the policy names it: `GET /api/v1/devices/:id`. */
    policyRoutes: Set<string>
  }
  interface FastifyRequest {
    /** The session behind this request; null on public routes without one. */
    visit: Visit | null
    /** What the policy asks for this route. */
    need: Need
  }
}

export interface AccessDeps {
  sessions: Sessions
  audit: { append(line: AuditLine): unknown }
  clock: Clock
  secure: boolean
  /** True when the region exists; paths with `:scope` that name none answer 404. */
  regionExists: (scope: string) => boolean
}

const safeMethods = new Set(['GET', 'HEAD', 'OPTIONS'])
/** What a person whose password was made by the hub may still do. */
const beforeChange = new Set([
  'GET /api/v1/session',
  'DELETE /api/v1/session',
  'POST /api/v1/session/password',
])

/** `alarm:acknowledge` of the policy is `alarm.acknowledge` in the audit. */
const auditName = (need: Need) => need.replace(':', '.')

const keyOf = (method: string, url: string) => `${method === 'HEAD' ? 'GET' : method} ${url}`

/** @throws Error naming a route without a policy entry: it stops the start */
export function demandPolicy({ method, url }: Pick<RouteOptions, 'method' | 'url'>): void {
  for (const each of [method].flat())
    if (!Object.hasOwn(httpPolicy, keyOf(each, url)))
      throw new Error(`route '${each} ${url}' has no entry in hub/rules/policy.ts`)
}

/** The visit of a request behind the policy; a bug when the route is public. */
export function visitOf(request: FastifyRequest): Visit {
  if (!request.visit) throw errors.notSignedIn()
  return request.visit
}

/** The action the policy asks for this request's route. */
export function actionOf(request: FastifyRequest): Action {
  const { need } = request
  if (need === 'public' || need === 'session') throw new Error('this route needs no action')
  return need
}

/** Bounds of the regions this request may read, for the store's query; undefined = none. */
export const rangeOf = (request: FastifyRequest, asked?: string): RegionRange | undefined =>
  regionFilter(visitOf(request).principal, actionOf(request), asked)

/** True when this request's person may do this route's action in `region`. */
export const mayTouch = (request: FastifyRequest, region: string) =>
  allows(visitOf(request).principal, actionOf(request), region)

/**
 * The one gate of the HTTP API. It runs on `onRequest`, before a body is read, so that a stranger's
 * body is never parsed. Order: origin, session, forced password change, action, region of the path.
 */
export function guardRoutes(app: FastifyInstance, deps: AccessDeps): void {
  const { sessions, audit, clock, secure, regionExists } = deps
  const cookie = cookieName(secure)

  const refuse = (request: FastifyRequest, visit: Visit, region: string | null) => {
    audit.append({
      at: clock.now(),
      actor: visit.principal.id,
      action: auditName(request.need),
      subject: subjectOf(request),
      region,
      outcome: 'refused',
      detail: `${request.method} ${request.routeOptions.url ?? ''}`,
    })
  }

  app.decorateRequest('visit', null)
  app.decorateRequest('need', 'public')
  app.decorate('policyRoutes', new Set<string>())
  app.addHook('onRoute', (route) => {
    demandPolicy(route)
    for (const method of [route.method].flat()) app.policyRoutes.add(keyOf(method, route.url))
  })
  app.addHook('onRequest', async (request) => {
    if (!safeMethods.has(request.method) && !sameOrigin(request.headers))
      throw errors.foreignOrigin()
    if (request.is404) return
    const route = keyOf(request.method, request.routeOptions.url ?? '')
    const need = httpPolicy[route]
    if (need === undefined) throw errors.notFound(route)
    request.need = need
    request.visit = sessions.visit(request.cookies[cookie]) ?? null
    if (need === 'public') return
    const visit = visitOf(request)
    if (visit.user.mustChange && !beforeChange.has(route)) throw errors.mustChangePassword()
    if (need === 'session') return
    if (!mayEver(visit.principal, need)) {
      refuse(request, visit, null)
      throw errors.forbidden(whoMay(need))
    }
    const scope = scopeParam(request)
    if (scope === undefined) return
    if (!allows(visit.principal, need, scope)) {
      refuse(request, visit, scope)
      throw errors.regionNotFound(scope)
    }
    if (!regionExists(scope)) throw errors.regionNotFound(scope)
  })
}

function paramsOf(request: FastifyRequest): Record<string, unknown> {
  return typeof request.params === 'object' && request.params !== null ? { ...request.params } : {}
}

/** What was touched, short enough for one line of the audit. */
function subjectOf(request: FastifyRequest): string {
  const { scope, id } = paramsOf(request)
  const subject = id ?? scope
  return typeof subject === 'string' ? subject.slice(0, 64) : ''
}

/** A well-formed `:scope`; a malformed one is left to the schema, which answers 400. */
function scopeParam(request: FastifyRequest): string | undefined {
  const parsed = Scope.safeParse(paramsOf(request)['scope'])
  return parsed.success ? parsed.data : undefined
}

/** Notes a refused object and answers as if it did not exist. */
export function refuseObject(
  { audit, clock }: Pick<AccessDeps, 'audit' | 'clock'>,
  request: FastifyRequest,
  region: string,
): void {
  audit.append({
    at: clock.now(),
    actor: visitOf(request).principal.id,
    action: auditName(actionOf(request)),
    subject: subjectOf(request),
    region,
    outcome: 'refused',
    detail: 'outside scope',
  })
}
