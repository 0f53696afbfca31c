import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { roleNames } from '../schema/role.ts'
import type { WebDeps } from './deps.ts'
import { prometheusText } from './prometheus.ts'

type Deps = Pick<
  WebDeps,
  'alarms' | 'audit' | 'clock' | 'ownMetrics' | 'peers' | 'registry' | 'state' | 'world'
>

/** Intake that was not heard for this long cannot be said to take alarms. */
const intakeSilentMs = 30_000
const tags = ['health']

/** GET /livez (the loop turns), /readyz (alarms can be taken and shown), /metrics (Prometheus). */
export const healthRoutes =
  (deps: Deps): FastifyPluginAsyncZod =>
  async (app) => {
    const { alarms, clock, ownMetrics, peers, registry, state, world } = deps

    app.get(
      '/livez',
      {
        schema: {
          tags,
          summary: 'The web role lives',
          response: { 200: z.object({ ok: z.literal(true) }) },
        },
      },
      async () => ({ ok: true as const }),
    )

    const Readiness = z.object({
      ready: z.boolean(),
      stores: z.boolean().describe('The databases answer'),
      intake: z.boolean().describe('Intake was heard in the last 30 s'),
    })
    app.get(
      '/readyz',
      {
        schema: {
          tags,
          summary: 'Alarms can be taken and shown',
          response: { 200: Readiness, 503: Readiness },
        },
      },
      async (request, reply) => {
        const at = world.intakeAt()
        const intake = at !== null && clock.now() - at <= intakeSilentMs
        let stores = true
        try {
          alarms.lastChange()
          registry.lastChange()
          state.lastChange()
        } catch (error) {
          request.log.error({ err: error }, 'a store does not answer')
          stores = false
        }
        const ready = intake && stores
        return reply.code(ready ? 200 : 503).send({ ready, stores, intake })
      },
    )

    app.get(
      '/metrics',
      {
        schema: {
          tags,
          summary: 'Counters of all roles in the Prometheus text format',
          response: {
            200: {
              description: 'Prometheus text format 0.0.4',
              content: { 'text/plain; version=0.0.4; charset=utf-8': { schema: z.string() } },
            },
          },
        },
        serializerCompiler: () => String,
      },
      async (_request, reply) => {
        const { metrics, restarts } = peers()
        const roles = roleNames.map((role) => ({
          role,
          up: role === 'web' || metrics[role] !== undefined,
          restarts: restarts[role] ?? 0,
          metrics: role === 'web' ? { ...metrics.web, ...ownMetrics() } : (metrics[role] ?? {}),
        }))
        return reply.type('text/plain; version=0.0.4; charset=utf-8').send(prometheusText(roles))
      },
    )
  }
