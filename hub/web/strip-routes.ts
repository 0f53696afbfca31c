import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { errors } from '../errors.ts'
import { mayEver, whoMay } from '../rules/policy.ts'
import { levelOf } from '../rules/scope.ts'
import { stripBinMs } from '../rules/strip.ts'
import { Strips } from '../schema/api.ts'
import { Scope } from '../schema/region.ts'
import { visitOf } from './access.ts'
import type { WebDeps } from './deps.ts'
import { stripReader } from './strips.ts'

const dayMs = 86_400_000
/** Longest window: a week of 5-minute bins. */
const windowMaxMs = 7 * dayMs

const Window = z.strictObject({
  from: z.coerce.number().int().min(0).optional().describe('Epoch ms; default: 24 h before `to`'),
  to: z.coerce.number().int().min(0).optional().describe('Epoch ms; default: now, bins rounded up'),
  limit: z.coerce.number().int().min(1).max(500).default(100).describe('Rows, worst first'),
})

/** Whole bins: pages that ask seconds apart get the same bins, and share one answer. */
function binned({ from, to }: z.infer<typeof Window>, now: number) {
  const last = Math.ceil(Math.min(to ?? now, now) / stripBinMs) * stripBinMs
  const first = from === undefined ? last - dayMs : Math.floor(from / stripBinMs) * stripBinMs
  if (first >= last || (from ?? 0) >= Math.min(to ?? now, now))
    throw errors.badRequest('`from` must lie before `to`, and before now')
  if (last - first > windowMaxMs) throw errors.badRequest('The window is too long: at most 7 days')
  return { from: first, to: last }
}

/** GET /regions/:scope/strips: 24-hour strips in 5-minute bins. */
export const stripRoutes =
  (deps: Pick<WebDeps, 'world' | 'state' | 'clock'>): FastifyPluginAsyncZod =>
  async (app) => {
    const read = stripReader(deps)
    app.get(
      '/regions/:scope/strips',
      {
        config: { shed: true },
        schema: {
          tags: ['regions'],
          summary: 'State strips: of devices in a village, of villages in a township, of townships',
          params: z.object({ scope: Scope }),
          querystring: Window,
          response: { 200: Strips },
        },
      },
      (request) => {
        const { scope } = request.params
        // A village's strips name its devices.
        const needed = 'device:read'
        if (levelOf(scope) === 'village' && !mayEver(visitOf(request).principal, needed))
          throw errors.forbidden(whoMay(needed))
        const cut = (strips: Strips) => ({
          ...strips,
          rows: strips.rows.slice(0, request.query.limit),
        })
        return read(scope, binned(request.query, deps.clock.now())).then(cut)
      },
    )
  }
