import type { FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { errors } from '../errors.ts'
import { observedUntil, stripOf, type StripWindow } from '../rules/strip.ts'
import { DevicePage, DeviceRow, Timeline } from '../schema/api.ts'
import { DeviceId, DeviceKind, type Device } from '../schema/device.ts'
import { Scope } from '../schema/region.ts'
import { DeviceState, type Interval } from '../schema/state.ts'
import { mayTouch, rangeOf, refuseObject } from './access.ts'
import type { WebDeps } from './deps.ts'
import type { World } from './world.ts'

const tags = ['devices']
const dayMs = 86_400_000
/** Longest window of one timeline. */
const windowMaxMs = 31 * dayMs

const Search = z.strictObject({
  scope: Scope.optional().describe('Only devices in this region; default: my whole scope'),
  kind: DeviceKind.optional(),
  state: DeviceState.optional().describe('Only devices in this state now'),
  text: z.string().max(64).optional().describe('Part of name, id or place'),
  after: z.coerce.number().int().min(0).optional().describe('`next` of the page before'),
  limit: z.coerce.number().int().min(1).max(500).default(100),
})
const DevicePath = z.object({ id: DeviceId })
const Window = z.strictObject({
  from: z.coerce.number().int().min(0).optional().describe('Epoch ms; default: 24 h before `to`'),
  to: z.coerce.number().int().min(0).optional().describe('Epoch ms; default: now'),
})

type Deps = Pick<WebDeps, 'world' | 'clock' | 'state' | 'audit'>

function rowOf(world: World, device: Device): DeviceRow {
  const { camera: _secret, ...rest } = device
  const { state, reason, since, seen } = world.table().present(device.n)
  return {
    ...rest,
    village: world.places().name(device.region),
    township: world.places().name(device.region.slice(0, 9)),
    state,
    reason,
    since,
    seen: seen || null,
  }
}

/** Devices of a page: by index, filtered in memory, where the present state is. */
function search(world: World, range: { from: string; to: string }, query: z.infer<typeof Search>) {
  const { kind, state, after = -1, limit } = query
  const text = query.text?.toLowerCase()
  const table = world.table()
  const found: Device[] = []
  for (let n = after + 1; n < table.size && found.length <= limit; n += 1) {
    const device = table.device(n)
    if (!device || device.region < range.from || device.region > range.to) continue
    if (kind && device.kind !== kind) continue
    if (state && table.present(n).state !== state) continue
    const { deviceId, name, place } = device
    if (text && !`${deviceId}\n${name}\n${place}`.toLowerCase().includes(text)) continue
    found.push(device)
  }
  return found
}

/** Intervals cut to a window; what an open one claims after intake was last heard is unknown. */
function clip(rows: readonly Interval[], window: Required<StripWindow>): Interval[] {
  const { from, to, observedTo } = window
  return rows.flatMap((row) => {
    const start = Math.max(row.from, from)
    const end = Math.min(row.to ?? to, to)
    const needsObserver = row.state !== 'excluded' && row.state !== 'uncommissioned'
    if (row.to !== null || !needsObserver || observedTo >= end)
      return [{ ...row, from: start, to: end }]
    const edge = Math.max(start, observedTo)
    const blind = { ...row, from: edge, to: end, state: 'unknown', reason: 'hub' } as const
    return edge > start ? [{ ...row, from: start, to: edge }, blind] : [blind]
  })
}

/** GET /devices, /devices/:id, /devices/:id/timeline */
export const deviceRoutes =
  (deps: Deps): FastifyPluginAsyncZod =>
  async (app) => {
    const { world, clock, state } = deps

    function deviceFor(request: FastifyRequest, id: string): Device {
      const device = world.table().byId(id)
      if (!device) throw errors.deviceNotFound(id)
      if (mayTouch(request, device.region)) return device
      refuseObject(deps, request, device.region)
      throw errors.deviceNotFound(id)
    }

    app.get(
      '/devices',
      {
        schema: {
          tags,
          summary: 'Devices with their present state, paged; state=down answers "since when"',
          querystring: Search,
          response: { 200: DevicePage },
        },
      },
      (request) => {
        const at = clock.now()
        const range = rangeOf(request, request.query.scope)
        if (!range) throw errors.regionNotFound(request.query.scope ?? '')
        const found = search(world, range, request.query)
        const items = found.slice(0, request.query.limit)
        const more = found.length > items.length
        return {
          at,
          items: items.map((device) => rowOf(world, device)),
          next: more ? String(items.at(-1)?.n) : null,
        }
      },
    )

    app.get(
      '/devices/:id',
      {
        schema: {
          tags,
          summary: 'One device',
          params: DevicePath,
          response: { 200: DeviceRow },
        },
      },
      (request) => rowOf(world, deviceFor(request, request.params.id)),
    )

    app.get(
      '/devices/:id/timeline',
      {
        config: { shed: true },
        schema: {
          tags,
          summary: 'States of one device as intervals, with the milliseconds of each state',
          params: DevicePath,
          querystring: Window,
          response: { 200: Timeline },
        },
      },
      (request) => {
        const { deviceId, commissionedAt } = deviceFor(request, request.params.id)
        const { from, to } = windowOf(request.query, clock.now())
        const now = clock.now()
        const observedTo = observedUntil(world.intakeAt() ?? undefined, now)
        const window = { from, to, now, observedTo, binMs: to - from }
        const rows = state.between([deviceId], from, to)
        const [totalsMs = []] = stripOf(rows, window, commissionedAt)
        return { deviceId, from, to, intervals: clip(rows, window), totalsMs }
      },
    )
  }

/** A window that ends at `now` and lasts 24 h where nothing else is asked. @throws BAD_REQUEST */
export function windowOf(asked: z.infer<typeof Window>, now: number, maxMs = windowMaxMs) {
  // What has not happened yet has no state.
  const to = Math.min(asked.to ?? now, now)
  const from = asked.from ?? to - dayMs
  if (from >= to) throw errors.badRequest('`from` must lie before `to`, and before now')
  if (to - from > maxMs)
    throw errors.badRequest(`The window is too long: at most ${maxMs / dayMs} days`)
  return { from, to }
}
