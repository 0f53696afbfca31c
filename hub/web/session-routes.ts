import type { FastifyReply } from 'fastify'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { Me, PasswordChange, SignIn } from '../schema/api.ts'
import { visitOf } from './access.ts'
import { cookieName, cookieOptions } from './cookie.ts'
import { signInDesk, type Entered, type SignInDeps } from './sign-in.ts'

const tags = ['session']

/** POST, GET, DELETE /session and POST /session/password */
export const sessionRoutes = (deps: SignInDeps & { secure: boolean }): FastifyPluginAsyncZod => {
  const { secure } = deps
  const desk = signInDesk(deps)
  function withCookie(reply: FastifyReply, { token, me }: Entered): Me {
    void reply.setCookie(cookieName(secure), token, cookieOptions(secure))
    return me
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
      async ({ body, ip, visit }, reply) => withCookie(reply, await desk.enter(body, ip, visit)),
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
      (request) => desk.me(visitOf(request)),
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
      (request, reply) => {
        desk.leave(visitOf(request))
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
      async (request, reply) =>
        withCookie(reply, await desk.change(visitOf(request), request.body, request.ip)),
    )
  }
}
