import { describe, expect, test } from 'vitest'
import type { User } from '../../hub/schema/people.ts'
import { backends } from '../support/store-places.ts'

const user = (part: Partial<User> = {}): User => ({
  id: 'u1',
  name: 'wang.fang',
  displayName: '王芳',
  role: 'village-duty',
  scope: '339901001001',
  mustChange: true,
  ...part,
})
const session = (idHash: string, userId = 'u1', expiresAt = 9_000) => ({
  idHash,
  userId,
  createdAt: 1_000,
  lastAt: 1_000,
  expiresAt,
})

describe.each(backends.people)('people in $name', ({ place }) => {
  const opened = async () => {
    const store = await place().open()
    store.add(user(), '$argon2id$1')
    return store
  }

  test('a person is found by sign-in name and by id', async () => {
    const store = await opened()
    expect(store.byName('wang.fang')).toEqual({ user: user(), passwordHash: '$argon2id$1' })
    expect(store.byId('u1')).toEqual(user())
    expect([store.byName('u1'), store.byId('wang.fang')]).toEqual([undefined, undefined])
  })

  test('a name is given once', async () => {
    const store = await opened()
    expect(() => store.add(user({ id: 'u2' }), 'x')).toThrow(
      expect.objectContaining({ code: 'USER_EXISTS' }),
    )
    expect(store.byName('wang.fang')?.user.id).toBe('u1')
  })

  test('people are listed by name', async () => {
    const store = await opened()
    store.add(user({ id: 'u2', name: 'admin', role: 'administrator', mustChange: false }), 'x')
    expect(store.users().map(({ name, mustChange }) => [name, mustChange])).toEqual([
      ['admin', false],
      ['wang.fang', true],
    ])
  })

  test('a new password replaces the old one and says whether it must be changed', async () => {
    const store = await opened()
    store.setPassword('u1', '$argon2id$2', false)
    expect(store.byName('wang.fang')).toEqual({
      user: user({ mustChange: false }),
      passwordHash: '$argon2id$2',
    })
    expect(() => store.setPassword('u9', 'x', false)).toThrow(
      expect.objectContaining({ code: 'USER_NOT_FOUND' }),
    )
  })

  test('a session is opened, touched and closed', async () => {
    const store = await opened()
    store.openSession(session('s1'))
    store.touchSession('s1', 2_000)
    expect(store.session('s1')).toEqual({ ...session('s1'), lastAt: 2_000 })
    store.closeSession('s1')
    expect(store.session('s1')).toBeUndefined()
    // A page of a session that just ended may still touch it.
    store.touchSession('s1', 3_000)
    store.closeSession('s1')
    expect(store.session('s1')).toBeUndefined()
  })

  test('all sessions of one person end together, those of others stay', async () => {
    const store = await opened()
    store.add(user({ id: 'u2', name: 'li.qiang' }), 'x')
    for (const [id, owner] of [
      ['s1', 'u1'],
      ['s2', 'u1'],
      ['s3', 'u2'],
    ] as const)
      store.openSession(session(id, owner))
    store.closeSessionsOf('u1')
    expect(['s1', 's2', 's3'].map((id) => store.session(id)?.userId)).toEqual([
      undefined,
      undefined,
      'u2',
    ])
  })

  test('a session of nobody is refused', async () => {
    const store = await opened()
    expect(() => store.openSession(session('s1', 'u9'))).toThrow(/FOREIGN KEY/i)
  })

  test('expired sessions are removed at their very end', async () => {
    const store = await opened()
    store.openSession(session('s1', 'u1', 2_000))
    store.openSession(session('s2', 'u1', 2_001))
    expect(store.removeExpired(1_999)).toBe(0)
    expect(store.removeExpired(2_000)).toBe(1)
    expect([store.session('s1'), store.session('s2')?.idHash]).toEqual([undefined, 's2'])
  })

  test('a session closed by one connection is closed for the other', async () => {
    const at = place()
    const [web, media] = [await at.open(), await at.open({ busyTimeoutMs: 0 })]
    web.add(user(), 'x')
    web.openSession(session('s1'))
    expect(media.session('s1')?.userId).toBe('u1')
    web.closeSession('s1')
    expect(media.session('s1')).toBeUndefined()
    const release = at.hold()
    expect(() => media.openSession(session('s2'))).toThrow(
      expect.objectContaining({ code: 'STORE_BUSY' }),
    )
    release()
  })
})
