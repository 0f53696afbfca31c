import { normalizeIP } from '@fastify/rate-limit'
import { errors } from '../errors.ts'
import { actionsOf } from '../rules/policy.ts'
import type { Me, PasswordChange, SignIn } from '../schema/api.ts'
import type { WebDeps } from './deps.ts'
import type { Visit } from './sessions.ts'
import { tryLimit } from './try-limit.ts'

export type SignInDeps = Pick<
  WebDeps,
  'people' | 'sessions' | 'passwords' | 'audit' | 'clock' | 'bus' | 'world' | 'limits'
>

/** A session that was just opened: its cookie's value and what the person is told. */
export interface Entered {
  token: string
  me: Me
}

/** Lets people in and out, with limits and a line in the audit for each try. */
export interface SignInDesk {
  me(visit: Visit): Me
  /** Opens a session; one that the request came with is closed. @throws SIGN_IN_FAILED, TOO_MANY_TRIES */
  enter(given: SignIn, address: string, old: Visit | null): Promise<Entered>
  leave(visit: Visit): void
  /** Ends every session of the person and opens a new one. @throws SIGN_IN_FAILED, PASSWORD_TOO_WEAK */
  change(visit: Visit, given: PasswordChange, address: string): Promise<Entered>
}

/** One per web role: it owns the counters of tries. */
export function signInDesk(deps: SignInDeps): SignInDesk {
  const { people, sessions, passwords, audit, clock, bus, world, limits } = deps
  const perAccount = tryLimit(clock, limits.signIns)
  const perAddress = tryLimit(clock, limits.signIns)

  /** A password typed into the name field must not reach the audit: unknown names stay out. */
  function note(action: string, who: Visit['user'] | undefined, ok: boolean, detail = '') {
    const actor = who?.id ?? 'unknown'
    const outcome = ok ? 'ok' : 'refused'
    const region = who?.scope ?? null
    audit.append({ at: clock.now(), actor, action, subject: actor, region, outcome, detail })
  }
  /** Both are counted, so that one address cannot try many accounts nor many addresses one account. */
  function limit(account: string, address: string) {
    // A line of IPv6 owns a whole /64.
    const fromHere = perAddress.take(normalizeIP(address, 64))
    if (!perAccount.take(account) || !fromHere) throw errors.tooManyTries()
  }
  const me = ({ user, expiresAt }: Visit): Me => ({
    at: clock.now(),
    user,
    actions: user.mustChange ? [] : actionsOf(user),
    path: world.places().path(user.scope),
    expiresAt,
  })
  function open(user: Visit['user']): Entered {
    const { token, visit } = sessions.open(user)
    return { token, me: me(visit) }
  }

  return {
    me,
    async enter({ name, password }, address, old) {
      limit(name, address)
      const known = people.byName(name)
      const right = await passwords.check(password, known?.passwordHash)
      if (!known || !right) {
        note('sign-in', known?.user, false, address)
        throw errors.signInFailed()
      }
      if (old) sessions.close(old.idHash)
      note('sign-in', known.user, true, address)
      return open(known.user)
    },
    leave({ idHash, user }) {
      sessions.close(idHash)
      bus.publish('sessions')
      note('sign-out', user, true)
    },
    async change({ user }, { current, next }, address) {
      limit(user.name, address)
      const known = people.byName(user.name)
      if (!(await passwords.check(current, known?.passwordHash))) {
        note('password', user, false)
        throw errors.signInFailed()
      }
      if (next === current || next === user.name) throw errors.passwordTooWeak()
      people.setPassword(user.id, await passwords.make(next), false)
      sessions.closeAllOf(user.id)
      bus.publish('sessions')
      note('password', user, true)
      return open({ ...user, mustChange: false })
    },
  }
}
