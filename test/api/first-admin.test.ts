import { expect, test } from 'vitest'
import { sqlitePeople } from '../../hub/store/sqlite-people.ts'
import { ensureAdmin } from '../../hub/web/first-admin.ts'
import { hashPassword, passwords } from '../../hub/web/password.ts'

const open = () => sqlitePeople(':memory:', { busyTimeoutMs: 100 })

test('a new hub makes one administrator with a one-time password that must be changed', async () => {
  const people = await open()
  const made = await ensureAdmin(people, { HUB_REGION: '339901' })
  const known = people.byName('admin')
  expect(made?.password).toMatch(/^[a-z2-9-]{20}$/)
  expect(known?.user).toMatchObject({ role: 'administrator', scope: '339901', mustChange: true })
  expect(await passwords().check(made?.password ?? '', known?.passwordHash)).toBe(true)
})

test('the second start makes none and prints none', async () => {
  const people = await open()
  await ensureAdmin(people, { HUB_REGION: '339901' })
  expect(await ensureAdmin(people, { HUB_REGION: '339901' })).toBeUndefined()
  expect(people.users()).toHaveLength(1)
})

test('a password from the settings is used and not printed', async () => {
  const people = await open()
  const settings = { HUB_REGION: '339901', HUB_ADMIN_PASSWORD: 'chosen by the operator' }
  expect(await ensureAdmin(people, settings)).toBeUndefined()
  const known = people.byName('admin')
  expect(known?.user.mustChange).toBe(false)
  expect(await passwords().check('chosen by the operator', known?.passwordHash)).toBe(true)
})

test('two hubs share no password', async () => {
  const made = await Promise.all(
    Array.from({ length: 20 }, async () => ensureAdmin(await open(), { HUB_REGION: '339901' })),
  )
  expect(new Set(made.map((admin) => admin?.password)).size).toBe(20)
})

test('a stored password is an argon2id PHC string with its own salt (RFC 9106)', async () => {
  const [one, two] = [await hashPassword('same'), await hashPassword('same')]
  expect(one).toMatch(/^\$argon2id\$v=19\$m=7168,t=5,p=1\$[A-Za-z0-9+/]{22}\$[A-Za-z0-9+/]{43}$/)
  expect(one).not.toBe(two)
})

test('another implementation’s hash is checked by its own cost', async () => {
  // A known answer of argon2id with other costs: "password" with the salt "somesalt".
  const reference =
    '$argon2id$v=19$m=65536,t=2,p=4$c29tZXNhbHQ$GpZ3sK/oH9p7VIiV56G/64Zo/8GaUw434IimaPqxwCo'
  expect(await passwords().check('password', reference)).toBe(true)
  expect(await passwords().check('Password', reference)).toBe(false)
})

test('at most two hashes run at once, and more than 64 waiting are refused', async () => {
  const check = passwords()
  const stored = await hashPassword('right password')
  const tries = await Promise.allSettled(
    Array.from({ length: 70 }, () => check.check('right password', stored)),
  )
  const refused = tries.filter((each) => each.status === 'rejected')
  expect(refused).toHaveLength(4)
  for (const { reason } of refused)
    expect(reason).toMatchObject({ code: 'OVERLOADED', status: 503 })
  expect(tries.filter((each) => each.status === 'fulfilled' && each.value)).toHaveLength(66)
})

test.each(['', 'short', '123456789'])('the password "%s" is too weak', async (weak) => {
  await expect(passwords().make(weak)).rejects.toMatchObject({ code: 'PASSWORD_TOO_WEAK' })
})
