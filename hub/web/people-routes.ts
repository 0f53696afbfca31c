import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { within } from '../rules/scope.ts'
import { AuditPage, QuarantineList, UserList } from '../schema/api.ts'
import { mayTouch, visitOf } from './access.ts'
import type { WebDeps } from './deps.ts'

type Deps = Pick<WebDeps, 'audit' | 'people' | 'registry' | 'settings' | 'world'>

const tags = ['administration']
const AuditSearch = z.strictObject({
  before: z.coerce.number().int().min(1).optional().describe('`next` of the page before'),
  limit: z.coerce.number().int().min(1).max(500).default(100),
})
/** Lines read at most for one page of a person who sees a part of the hub only. */
const auditScanMax = 5000

/** GET /audit, /users, /quarantine, each cut to the scope of who asks. */
export const peopleRoutes =
  ({ audit, people, registry, settings, world }: Deps): FastifyPluginAsyncZod =>
  async (app) => {
    const { HUB_REGION } = settings
    /** Rows without a region belong to the whole hub. */
    const seesAll = (scope: string) => within(HUB_REGION, scope)

    app.get(
      '/audit',
      {
        config: { shed: true },
        schema: {
          tags,
          summary: 'Who did or tried what, newest first, paged',
          querystring: AuditSearch,
          response: { 200: AuditPage },
        },
      },
      (request) => {
        const { scope } = visitOf(request).principal
        const { before, limit } = request.query
        const all = seesAll(scope)
        const scan = audit.list({ before, limit: all ? limit : auditScanMax })
        const items = scan
          .filter(({ region }) => all || (region !== null && within(region, scope)))
          .slice(0, limit)
        const full = items.length === limit || (!all && scan.length === auditScanMax)
        const last = items.length === limit ? items.at(-1) : scan.at(-1)
        return { items, next: full && last ? String(last.seq) : null }
      },
    )

    app.get(
      '/users',
      {
        schema: {
          tags,
          summary: 'People of my scope; never a password or its hash',
          response: { 200: UserList },
        },
      },
      (request) => ({
        items: people.users().filter((user) => mayTouch(request, user.scope)),
      }),
    )

    app.get(
      '/quarantine',
      {
        schema: {
          tags,
          summary: 'Clients that knocked without a known identity, newest first',
          response: { 200: QuarantineList },
        },
      },
      (request) => {
        const { scope } = visitOf(request).principal
        const known = (clientId: string) => {
          const device = world.table().byId(clientId)
          return device !== undefined && mayTouch(request, device.region)
        }
        // A stranger's region is not known: only who answers for the whole hub sees it.
        return {
          items: registry
            .quarantined(500)
            .filter(({ clientId }) => seesAll(scope) || known(clientId)),
        }
      },
    )
  }
