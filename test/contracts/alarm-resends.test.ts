import { describe, expect, test } from 'vitest'
import { county, edge } from '../support/store-alarms.ts'
import { backends } from '../support/store-places.ts'

describe.each(backends.alarms)('a packet that comes twice to $name', ({ place }) => {
  const opened = () => place().open()

  test('is known by device, boot and sequence, for ever and in one batch', async () => {
    const store = await opened()
    store.accept([edge()], [])
    const late = edge({ receivedAt: 1_000 + 30 * 86_400_000 })
    const fresh = edge({ seq: 2 })
    const outcomes = store.accept([late, fresh, fresh], []).map(({ outcome }) => outcome)
    expect(outcomes).toEqual(['duplicate', 'repeated', 'duplicate'])
    expect(store.list({ regions: county, limit: 9 })[0]?.count).toBe(2)
  })

  test.each([
    ['another boot', { boot: 'boot-2' }, 'repeated'],
    ['another sequence', { seq: 2 }, 'repeated'],
    ['another device', { deviceId: 'contact-2' }, 'raised'],
  ])('%s is another packet', async (_what, part, outcome) => {
    const store = await opened()
    store.accept([edge()], [])
    expect(store.accept([edge(part)], [])[0]?.outcome).toBe(outcome)
  })

  test.each([
    ['marked DUP within 60 s', { resent: true, receivedAt: 61_000 }, 'duplicate'],
    ['marked DUP, clock set back', { resent: true, receivedAt: 500 }, 'duplicate'],
    ['marked DUP after 60 s', { resent: true, receivedAt: 61_001 }, 'repeated'],
    ['not marked DUP', { receivedAt: 1_001 }, 'repeated'],
    ['of another text', { resent: true, fingerprint: 'f-2' }, 'repeated'],
    ['of another device', { resent: true, deviceId: 'contact-2' }, 'raised'],
  ])('without boot and sequence, %s: %s', async (_what, part, outcome) => {
    const store = await opened()
    const bare = { boot: null, seq: null }
    store.accept([edge(bare)], [])
    expect(store.accept([edge({ ...bare, ...part })], [])[0]?.outcome).toBe(outcome)
  })

  test.each([{ boot: null }, { seq: null }])('half a key (%o) is no key', async (half) => {
    const store = await opened()
    const outcomes = store.accept([edge(half), edge(half)], []).map(({ outcome }) => outcome)
    expect(outcomes).toEqual(['raised', 'repeated'])
  })

  test('a first packet marked DUP is taken: the hub never had it', async () => {
    const store = await opened()
    expect(store.accept([edge({ resent: true, boot: null })], [])[0]?.outcome).toBe('raised')
  })

  test('answers with the open row, and undefined when it is closed', async () => {
    const store = await opened()
    const id = store.accept([edge()], [])[0]?.alarm?.id ?? ''
    expect(store.accept([edge()], [])[0]?.alarm?.id).toBe(id)
    store.change(id, (alarm) => ({ ...alarm, state: 'closed', closedAt: 2_000 }))
    expect(store.accept([edge()], [])).toEqual([{ outcome: 'duplicate', alarm: undefined }])
  })

  test.each([
    ['another kind', { kind: 'panic' }, 'raised'],
    ['another point', { point: 'zone-2' }, 'raised'],
    ['another edge', { edge: 'cleared' as const }, 'returned'],
  ])(
    'a number used again for %s is no resend: the device counts anew',
    async (_what, part, outcome) => {
      const store = await opened()
      store.accept([edge()], [])
      const again = edge({ ...part, fingerprint: 'f-2', receivedAt: 2_000 })
      expect(store.accept([again], [])[0]?.outcome).toBe(outcome)
      const resent = { ...again, resent: true, receivedAt: 3_000 }
      expect(store.accept([resent], [])[0]?.outcome).toBe('duplicate')
    },
  )

  test('a number used again for the same words in another spelling is a resend', async () => {
    const store = await opened()
    store.accept([edge()], [])
    const other = edge({ fingerprint: 'f-2', deviceAt: 5_000 })
    expect(store.accept([other], [])[0]?.outcome).toBe('duplicate')
  })
})
