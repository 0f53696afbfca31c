import { normalizeIP } from '@fastify/rate-limit'
import type { FastifyReply, FastifyRequest } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { errors } from '../errors.ts'
import { actionsOf } from '../rules/policy.ts'
import { Me, PasswordChange, SignIn } from '../schema/api.ts'
import { visitOf } from './access.ts'
import { cookieName, cookieOptions } from './cookie.ts'
import type { WebDeps } from './deps.ts'
import type { Visit } from './sessions.ts'
import { tryLimit } from './try-limit.ts'

type Deps = Pick<
  WebDeps,
  'people' | 'sessions' | 'passwords' | 'audit' | 'clock' | 'secure' | 'bus' | 'world' | 'limits'
>

const tags = ['session']

/** POST, GET, DELETE /session and POST /session/password */
export const sessionRoutes = (deps: Deps): FastifyPluginAsyncZod => {
  const { people, sessions, passwords, audit, clock, secure, bus, world, limits } = deps
  const perAccount = tryLimit(clock, limits.signIns)
  const perAddress = tryLimit(clock, limits.signIns)

  const note = (
    action: string,
    actor: string,
    region: string | null,
    outcome: 'ok' | 'refused',
    detail = '',
  ) => audit.append({ at: clock.now(), actor, action, subject: actor, region, outcome, detail })

  const me = ({ user, expiresAt }: Visit): Me => ({
    at: clock.now(),
    user,
    actions: user.mustChange ? [] : actionsOf(user),
    path: world.places().path(user.scope),
    expiresAt,
  })

  function limit(request: FastifyRequest, account: string) {
    // Both are counted, so that one address cannot try many accounts nor many addresses one account.
    // A line of IPv6 owns a whole /64.
    const address = perAddress.take(normalizeIP(request.ip, 64))
    if (!perAccount.take(account) || !address) throw errors.tooManyTries()
  }
  function enter(reply: FastifyReply, visit: { token: string; visit: Visit }): Me {
    void reply.setCookie(cookieName(secure), visit.token, cookieOptions(secure))
    return me(visit.visit)
  }

  return async (app) => {
    app.post(
      '/session',
      {
        schema: {
          tags,
          summary: 'Sign in; the answer sets the session cookie',
          body: SignIn,
          response: { 200: Me },
        },
      },
      async (request, reply) => {
        const { name, password } = request.body
        limit(request, name)
        const known = people.byName(name)
        const right = await passwords.check(password, known?.passwordHash)
        if (!known || !right) {
          // A password typed into the name field must not reach the audit: unknown names stay out.
          const actor = known?.user.id ?? 'unknown'
          note('sign-in', actor, known?.user.scope ?? null, 'refused', request.ip)
          throw errors.signInFailed()
        }
        if (request.visit) sessions.close(request.visit.idHash)
        note('sign-in', known.user.id, known.user.scope, 'ok', request.ip)
        return enter(reply, sessions.open(known.user))
      },
    )

    app.get(
      '/session',
      {
        schema: {
          tags,
          summary: 'Who am I, what may I do, and where',
          response: { 200: Me },
        },
      },
      (request) => me(visitOf(request)),
    )

    app.delete(
      '/session',
      {
        schema: {
          tags,
          summary: 'Sign out; open sockets of this session are closed',
          response: { 204: z.undefined().describe('Signed out') },
        },
      },
      async (request, reply) => {
        const { idHash, principal } = visitOf(request)
        sessions.close(idHash)
        bus.publish('sessions')
        note('sign-out', principal.id, principal.scope, 'ok')
        void reply.clearCookie(cookieName(secure), cookieOptions(secure))
        return reply.code(204).send()
      },
    )

    app.post(
      '/session/password',
      {
        schema: {
          tags,
          summary: 'Change the own password; every other session of this person ends',
          body: PasswordChange,
          response: { 200: Me },
        },
      },
      async (request, reply) => {
        const { user } = visitOf(request)
        limit(request, user.name)
        const { current, next } = request.body
        const known = people.byName(user.name)
        if (!(await passwords.check(current, known?.passwordHash))) {
          note('password', user.id, user.scope, 'refused')
          throw errors.signInFailed()
        }
        if (next === current || next === user.name) throw errors.passwordTooWeak()
        people.setPassword(user.id, await passwords.make(next), false)
        sessions.closeAllOf(user.id)
        bus.publish('sessions')
        note('password', user.id, user.scope, 'ok')
        return enter(reply, sessions.open({ ...user, mustChange: false }))
      },
    )
  }
}
