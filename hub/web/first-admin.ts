import { randomBytes, randomUUID } from 'node:crypto'
import type { Settings } from '../schema/settings.ts'
import type { PeopleStore } from '../store/people-store.ts'
import { hashPassword } from './password.ts'

/** 20 characters of an alphabet without look-alikes: about 99 bits, readable from a screen. */
function oneTimePassword(): string {
  const alphabet = 'abcdefghjkmnpqrstuvwxyz23456789-'
  return [...randomBytes(20)].map((byte) => alphabet[byte % alphabet.length]).join('')
}

/**
 * Makes the first administrator, `admin`, in a hub that has none. Returns the one-time password for the
 * caller to print once; undefined when there was an administrator, or when HUB_ADMIN_PASSWORD gave it.
 */
export async function ensureAdmin(
  people: PeopleStore,
  settings: Pick<Settings, 'HUB_ADMIN_PASSWORD' | 'HUB_REGION'>,
): Promise<{ name: string; password: string } | undefined> {
  if (people.users().some(({ role }) => role === 'administrator')) return undefined
  const given = settings.HUB_ADMIN_PASSWORD
  const password = given ?? oneTimePassword()
  const name = 'admin'
  people.add(
    {
      id: randomUUID(),
      name,
      displayName: '管理员',
      role: 'administrator',
      scope: settings.HUB_REGION,
      mustChange: given === undefined,
    },
    await hashPassword(password),
  )
  return given === undefined ? { name, password } : undefined
}
