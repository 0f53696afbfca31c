import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { mayEver } from '../rules/policy.ts'
import { RegionRow, Summary } from '../schema/api.ts'
import { Snapshot } from '../schema/live.ts'
import { Scope } from '../schema/region.ts'
import { visitOf } from './access.ts'
import type { WebDeps } from './deps.ts'
import { regionsWithin, snapshotOf, summaryOf } from './snapshot.ts'

const ScopePath = z.object({ scope: Scope.describe('6, 9 or 12 digits') })
const tags = ['regions']

/** GET /regions, /regions/:scope/summary, /regions/:scope/snapshot. The gate checked `:scope`. */
export const regionRoutes =
  ({ world, clock }: Pick<WebDeps, 'world' | 'clock'>): FastifyPluginAsyncZod =>
  async (app) => {
    app.get(
      '/regions',
      {
        schema: {
          tags,
          summary: 'All regions in my scope, by code',
          response: { 200: z.object({ items: z.array(RegionRow) }) },
        },
      },
      (request) => ({ items: regionsWithin(world, visitOf(request).principal.scope) }),
    )

    app.get(
      '/regions/:scope/summary',
      {
        schema: {
          tags,
          summary: 'Counts of states and alarms of a region and its parts',
          params: ScopePath,
          response: { 200: Summary },
        },
      },
      (request) => summaryOf(world, request.params.scope, clock.now()),
    )

    app.get(
      '/regions/:scope/snapshot',
      {
        schema: {
          tags,
          summary:
            'All a duty screen needs for its first picture; empty where the role may not look',
          params: ScopePath,
          response: { 200: Snapshot },
        },
      },
      (request) => {
        const { principal } = visitOf(request)
        const all = snapshotOf(world, request.params.scope, clock.now())
        return {
          ...all,
          devices: mayEver(principal, 'device:read') ? all.devices : [],
          alarms: mayEver(principal, 'alarm:read') ? all.alarms : [],
          cameras: mayEver(principal, 'camera:watch') ? all.cameras : [],
        }
      },
    )
  }
