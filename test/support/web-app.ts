import type { FastifyInstance, InjectOptions, LightMyRequestResponse } from 'fastify'
import type { Peers } from '../../hub/schema/role.ts'
import { cookieName } from '../../hub/web/cookie.ts'
import { defaultLimits, type WebDeps } from '../../hub/web/deps.ts'
import { passwords } from '../../hub/web/password.ts'
import { buildWeb } from '../../hub/web/server.ts'
import { sessions } from '../../hub/web/sessions.ts'
import { world } from '../../hub/web/world.ts'
import { webCounty, type WebCounty } from './web-county.ts'

/** The HTTP side over a small county, driven by `inject`. */
export interface WebApp extends AsyncDisposable {
  county: WebCounty
  app: FastifyInstance
  deps: WebDeps
  /** Opens a session without the cost of a password; returns its cookie. */
  cookieOf(name: string): string
  /** A request as this person; `undefined` = nobody. */
  ask(name: string | undefined, options: InjectOptions | string): Promise<LightMyRequestResponse>
}

function rethrow(error: unknown): never {
  throw error
}

/** Builds the app; `change` replaces some of what it works with. */
export async function webApp(change: Partial<WebDeps> = {}): Promise<WebApp> {
  const county = await webCounty()
  const { people, clock } = county
  const picture = world({ ...county, failed: rethrow })
  const peers: Peers = { mediaPort: 0, metrics: {}, restarts: {} }
  const deps: WebDeps = {
    ...county,
    secure: false,
    sessions: sessions({ people, clock }),
    passwords: passwords(),
    world: picture,
    peers: () => peers,
    ownMetrics: () => ({}),
    consoleDir: '/nonexistent',
    limits: defaultLimits,
    ...change,
  }
  const app = await buildWeb(deps)
  const cookieOf = (name: string) => {
    const { token } = deps.sessions.open(county.user(name))
    return `${cookieName(deps.secure)}=${token}`
  }
  const cookies = new Map<string, string>()
  return {
    county,
    app,
    deps,
    cookieOf,
    async ask(name, options) {
      const request = typeof options === 'string' ? { url: options } : options
      const cookie = name === undefined ? undefined : (cookies.get(name) ?? cookieOf(name))
      if (name !== undefined && cookie !== undefined) cookies.set(name, cookie)
      const headers = cookie === undefined ? {} : { cookie }
      return app.inject({ ...request, headers: { ...headers, ...request.headers } })
    },
    async [Symbol.asyncDispose]() {
      await app.close()
      picture.close()
      county.closeStores()
    },
  }
}
