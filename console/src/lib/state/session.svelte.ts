import type { Me } from '#schema/api.ts'
import { ApiError, type Api } from './api.ts'

/** Who is signed in. `me` is undefined until the hub has answered, null when nobody is. */
export class Session {
  me: Me | null | undefined = $state.raw(undefined)
  /** The hub did not answer when it was asked who this is. */
  unreachable = $state(false)
  /** The session ended while somebody worked with it. */
  ended = $state(false)

  readonly user = $derived(this.me?.user)
  readonly scope = $derived(this.me?.user.scope ?? '')

  /** True when the person may do an action of the hub's policy somewhere in the scope. */
  may(action: string): boolean {
    return this.me?.actions.includes(action) ?? false
  }

  async restore(api: Pick<Api, 'me'>) {
    try {
      this.me = await api.me()
      this.unreachable = false
    } catch (failure) {
      if (failure instanceof ApiError && failure.status === 401) this.me = null
      else this.unreachable = true
    }
  }

  enter(me: Me) {
    this.me = me
    this.ended = false
    this.unreachable = false
  }

  /** @param unwanted the hub ended it, not the person */
  leave(unwanted: boolean) {
    if (this.me && unwanted) this.ended = true
    this.me = null
  }
}
