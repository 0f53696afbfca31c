import cookie from '@fastify/cookie'
import helmet from '@fastify/helmet'
import rateLimit from '@fastify/rate-limit'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import underPressure from '@fastify/under-pressure'
import fastify, {
  LogController,
  type FastifyBaseLogger,
  type FastifyError,
  type FastifyInstance,
  type FastifyReply,
} from 'fastify'
import {
  hasZodFastifySchemaValidationErrors,
  jsonSchemaTransform,
  serializerCompiler,
  validatorCompiler,
} from 'fastify-type-provider-zod'
import { HubError, errors } from '../errors.ts'
import { guardRoutes } from './access.ts'
import { alarmRoutes } from './alarm-routes.ts'
import { cameraRoutes } from './camera-routes.ts'
import { consoleFiles, pageScripts } from './console-files.ts'
import { contentSecurityPolicy } from './csp.ts'
import type { WebDeps } from './deps.ts'
import { deviceRoutes } from './device-routes.ts'
import { healthRoutes } from './health-routes.ts'
import { peopleRoutes } from './people-routes.ts'
import { regionRoutes } from './region-routes.ts'
import { sessionRoutes } from './session-routes.ts'
import { stripRoutes } from './strip-routes.ts'
import { systemRoutes, versionsNow } from './system-routes.ts'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** History that is refused first when the role is overloaded; alarms and sign-in never are. */
    shed?: boolean
  }
}

/** Largest body, bytes: no route takes a file yet. */
const bodyMaxBytes = 16_384
/** A whole request must have arrived by then, its head by half of it: slow senders are cut. */
const requestMaxMs = 8_000
/** Event loop behind by this: history is refused, ms. */
const busyLoopMs = 1_000

export interface BuildOptions {
  log?: FastifyBaseLogger | undefined
  tls?: { cert: Buffer; key: Buffer } | undefined
}

function openServer({ log, tls }: BuildOptions): FastifyInstance {
  const timeouts = {
    headersTimeout: requestMaxMs / 2,
    requestTimeout: requestMaxMs,
    // Node looks for late requests only this often; its default of 30 s would keep them 30 s.
    connectionsCheckingInterval: 1_000,
    maxHeaderSize: 16_384,
  }
  const options = {
    bodyLimit: bodyMaxBytes,
    requestTimeout: requestMaxMs,
    keepAliveTimeout: 65_000,
    routerOptions: { maxParamLength: 128, caseSensitive: true },
    return503OnClosing: true,
    // Addresses that cannot be decoded fail before any hook of ours.
    frameworkErrors: (error: FastifyError, _request: unknown, reply: FastifyReply) => {
      const { code, message } = errors.badRequest(error.message)
      void reply.code(error.statusCode ?? 400).send({ code, message })
    },
    forceCloseConnections: true,
    // Ids, methods and addresses only: a query or cookie never reaches the log.
    logController: new LogController({ disableRequestLogging: true }),
    ...(log ? { loggerInstance: log } : { logger: false }),
  }
  if (!tls) return fastify({ ...options, http: timeouts })
  const https = { ...timeouts, ...tls, minVersion: 'TLSv1.2' as const }
  return fastify({ ...options, https })
}

/** The one shape of a failure: `{code, message}`; what is not ours leaves as a bare 500. */
function answerErrors(app: FastifyInstance) {
  app.setErrorHandler((error: FastifyError | HubError, request, reply) => {
    const send = ({ status, code, message }: HubError) => reply.code(status).send({ code, message })
    if (error instanceof HubError) {
      if (error.status === 429) void reply.header('retry-after', '60')
      return send(error)
    }
    if (hasZodFastifySchemaValidationErrors(error)) return send(errors.badRequest(error.message))
    const { statusCode = 500 } = error
    if (statusCode === 429) return send(errors.tooManyTries())
    if (statusCode < 500) {
      const { code, message } = errors.badRequest(error.message)
      return reply.code(statusCode).send({ code, message })
    }
    request.log.error({ err: error, route: request.routeOptions.url }, 'request failed')
    return send(errors.internal())
  })
}

async function guardTraffic(app: FastifyInstance, { limits, secure, consoleDir, clock }: WebDeps) {
  await app.register(helmet, {
    contentSecurityPolicy: false,
    strictTransportSecurity: secure ? { maxAge: 31_536_000 } : false,
    referrerPolicy: { policy: 'no-referrer' },
    xFrameOptions: { action: 'deny' },
  })
  const scripts = pageScripts(consoleDir, clock)
  app.addHook('onRequest', async (request, reply) => {
    void reply.headers({
      'content-security-policy': contentSecurityPolicy(scripts(), request.headers.host, secure),
      'permissions-policy': 'camera=(), microphone=(), payment=(), usb=()',
    })
    // By the route, never by the address as written: /%61pi/ is /api/, too. Only the console's files
    // (they say it themselves) may be kept.
    if (request.routeOptions.url?.startsWith('/api/') || request.url.startsWith('/api/'))
      void reply.header('cache-control', 'no-store')
  })
  await app.register(rateLimit, {
    max: limits.requests,
    timeWindow: 60_000,
    errorResponseBuilder: () => errors.tooManyTries(),
  })
  await app.register(underPressure, {
    maxEventLoopDelay: busyLoopMs,
    pressureHandler: (request) => {
      if (request.routeOptions.config.shed) throw errors.overloaded()
    },
  })
  await app.register(cookie)
}

/**
 * Builds the HTTP side without listening; tests drive it with `inject`. Every route must have an
 * entry in `hub/rules/policy.ts`, or building fails.
 */
export async function buildWeb(
  deps: WebDeps,
  options: BuildOptions = {},
): Promise<FastifyInstance> {
  const app = openServer(options)
  app.setValidatorCompiler(validatorCompiler)
  app.setSerializerCompiler(serializerCompiler)
  app.removeContentTypeParser('text/plain')
  answerErrors(app)
  await guardTraffic(app, deps)
  guardRoutes(app, {
    ...deps,
    regionExists: (scope) => deps.world.places().get(scope) !== undefined,
  })
  await app.register(swagger, {
    openapi: {
      openapi: '3.1.0',
      info: {
        title: 'Duty hub',
        version: versionsNow()['hub'] ?? '0',
        description:
          'Times are epoch milliseconds of the hub. Failures are `{code, message}`, see docs/errors.md.',
      },
      components: {
        securitySchemes: { session: { type: 'apiKey', in: 'cookie', name: 'hub' } },
      },
      security: [{ session: [] }],
    },
    transform: jsonSchemaTransform,
  })
  await app.register(healthRoutes(deps))
  await app.register(
    async (api) => {
      api.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
      // The page tries requests as whoever is signed in; `validatorUrl` would tell a stranger's server.
      await api.register(swaggerUi, {
        routePrefix: '/docs',
        // Its files are named relative to the page, which so needs the slash.
        uiHooks: {
          onRequest: (request, reply, done) =>
            request.url === '/api/docs' ? void reply.redirect('/api/docs/') : done(),
        },
        uiConfig: { validatorUrl: null, docExpansion: 'none' },
      })
      await api.register(sessionRoutes(deps), { prefix: '/v1' })
      await api.register(regionRoutes(deps), { prefix: '/v1' })
      await api.register(stripRoutes(deps), { prefix: '/v1' })
      await api.register(deviceRoutes(deps), { prefix: '/v1' })
      await api.register(alarmRoutes(deps), { prefix: '/v1' })
      await api.register(cameraRoutes(deps), { prefix: '/v1' })
      await api.register(systemRoutes(deps), { prefix: '/v1' })
      await api.register(peopleRoutes(deps), { prefix: '/v1' })
    },
    { prefix: '/api' },
  )
  await consoleFiles(app, deps.consoleDir)
  return app
}
