import type { FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { errors, HubError } from '../errors.ts'
import { applyAction, type AlarmAction } from '../rules/alarm.ts'
import { AlarmState, AlarmView, type Alarm } from '../schema/alarm.ts'
import { AlarmClose, AlarmPage } from '../schema/api.ts'
import { Scope } from '../schema/region.ts'
import { mayTouch, rangeOf, refuseObject, visitOf } from './access.ts'
import { fromCursor, toCursor } from './cursor.ts'
import type { WebDeps } from './deps.ts'

const tags = ['alarms']
const AlarmPath = z.object({ id: z.string().min(1).max(64) })
const Search = z.strictObject({
  scope: Scope.optional().describe('Only alarms in this region; default: my whole scope'),
  open: z.enum(['true', 'false']).optional().describe('Only open, or only closed alarms'),
  state: AlarmState.optional(),
  before: z.string().max(256).optional().describe('`next` of the page before'),
  limit: z.coerce.number().int().min(1).max(500).default(100),
})

type Deps = Pick<WebDeps, 'alarms' | 'audit' | 'bus' | 'clock' | 'world'>

/** GET /alarms, /alarms/:id, POST /alarms/:id/acknowledge, /alarms/:id/close */
export const alarmRoutes =
  (deps: Deps): FastifyPluginAsyncZod =>
  async (app) => {
    const { alarms, clock, world } = deps

    app.get(
      '/alarms',
      {
        schema: {
          tags,
          summary: 'Alarms, newest first, paged',
          querystring: Search,
          response: { 200: AlarmPage },
        },
      },
      (request) => {
        const { query } = request
        const regions = rangeOf(request, query.scope)
        if (!regions) throw errors.regionNotFound(query.scope ?? '')
        const [raisedAt, id] = query.before === undefined ? [] : fromCursor(query.before)
        const found = alarms.list({
          regions,
          open: query.open === undefined ? undefined : query.open === 'true',
          states: query.state && [query.state],
          before: raisedAt === undefined || id === undefined ? undefined : { raisedAt, id },
          limit: query.limit,
        })
        const last = found.length === query.limit ? found.at(-1) : undefined
        return {
          at: clock.now(),
          items: found.map((alarm) => world.view(alarm)),
          next: last ? toCursor([last.raisedAt, last.id]) : null,
        }
      },
    )

    app.get(
      '/alarms/:id',
      {
        schema: { tags, summary: 'One alarm', params: AlarmPath, response: { 200: AlarmView } },
      },
      (request) => world.view(alarmFor(deps, request, request.params.id)),
    )

    app.post(
      '/alarms/:id/acknowledge',
      {
        schema: {
          tags,
          summary: 'Take an alarm; of two at once one wins, the other is told who',
          params: AlarmPath,
          response: { 200: AlarmView },
        },
      },
      (request) => act(deps, request, request.params.id, 'acknowledge'),
    )

    app.post(
      '/alarms/:id/close',
      {
        schema: {
          tags,
          summary: 'Close an alarm with its cause',
          params: AlarmPath,
          body: AlarmClose,
          response: { 200: AlarmView },
        },
      },
      (request) => act(deps, request, request.params.id, 'close', request.body.cause),
    )
  }

/** The alarm, if this request may touch it. @throws ALARM_NOT_FOUND, also outside the scope */
function alarmFor(deps: Deps, request: FastifyRequest, id: string): Alarm {
  const alarm = deps.alarms.get(id)
  if (!alarm) throw errors.alarmNotFound(id)
  if (mayTouch(request, alarm.region)) return alarm
  refuseObject(deps, request, alarm.region)
  throw errors.alarmNotFound(id)
}

/** Changes an alarm in one transaction and tells everybody; the audit has a line either way. */
function act(
  deps: Deps,
  request: FastifyRequest,
  id: string,
  action: AlarmAction,
  cause?: string,
): AlarmView {
  const { alarms, audit, bus, clock, world } = deps
  const { region } = alarmFor(deps, request, id)
  const { principal } = visitOf(request)
  const note = (outcome: 'ok' | 'failed', detail: string) =>
    audit.append({
      at: clock.now(),
      actor: principal.id,
      action: `alarm.${action}`,
      subject: id,
      region,
      outcome,
      detail,
    })
  let changed: Alarm | undefined
  try {
    changed = alarms.change(id, (alarm) =>
      applyAction(alarm, action, principal.displayName, clock.now(), { cause }),
    )
    if (!changed) throw errors.alarmNotFound(id)
  } catch (error) {
    if (error instanceof HubError) note('failed', error.code)
    throw error
  }
  note('ok', cause ?? '')
  bus.publish('alarms')
  world.readAlarms()
  return world.view(changed)
}
