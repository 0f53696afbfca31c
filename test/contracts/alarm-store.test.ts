import { expect, describe, test } from 'vitest'
import { applyAction } from '../../hub/rules/alarm.ts'
import type { AlarmStore } from '../../hub/store/alarm-store.ts'
import { county, edge, reject, village } from '../support/store-alarms.ts'
import { backends } from '../support/store-places.ts'

/** Six alarms in two villages, two of each time: ties are broken by id. */
function filled(store: AlarmStore) {
  const accepted = store.accept(
    [1, 2, 3, 4, 5, 6].map((n) =>
      edge({
        deviceId: `contact-${n}`,
        region: `33990100${n % 2}001`,
        receivedAt: 1_000 * Math.ceil(n / 2),
      }),
    ),
    [],
  )
  return { store, ids: accepted.map(({ alarm }) => alarm?.id ?? '') }
}

describe.each(backends.alarms)('alarms in $name', ({ place }) => {
  const opened = () => place().open()

  test('a first active edge raises an alarm with everything the device said', async () => {
    const store = await opened()
    const [accepted] = store.accept([edge({ point: 'zone-3', priority: 1 })], [])
    expect(accepted).toEqual({
      outcome: 'raised',
      alarm: {
        id: expect.stringMatching(/^[0-9A-HJKMNP-TV-Z]{26}$/),
        change: 1,
        deviceId: 'contact-1',
        region: village,
        kind: 'intrusion',
        point: 'zone-3',
        priority: 1,
        state: 'unack-active',
        raisedAt: 1_000,
        deviceAt: 900,
        lastAt: 1_000,
        count: 1,
        acknowledgedAt: null,
        acknowledgedBy: null,
        returnedAt: null,
        closedAt: null,
        closedBy: null,
        cause: null,
      },
    })
    expect(store.get(accepted?.alarm?.id ?? '')).toEqual(accepted?.alarm)
  })

  test('fifty repeats are one row with count 50', async () => {
    const store = await opened()
    const edges = Array.from({ length: 50 }, (_, n) => edge({ seq: n, receivedAt: 1_000 + n }))
    const outcomes = store.accept(edges, []).map(({ outcome }) => outcome)
    expect(outcomes).toEqual(['raised', ...Array.from({ length: 49 }, () => 'repeated')])
    expect(store.list({ regions: county, limit: 10 })).toEqual([
      expect.objectContaining({ count: 50, raisedAt: 1_000, lastAt: 1_049 }),
    ])
  })

  test.each([
    ['another kind', { kind: 'tamper' }],
    ['another point', { point: 'zone-2' }],
    ['another device', { deviceId: 'contact-2' }],
  ])('%s is a row of its own', async (_what, other) => {
    const store = await opened()
    const outcomes = store.accept([edge(), edge({ seq: 2, ...other })], [])
    expect(outcomes.map(({ outcome }) => outcome)).toEqual(['raised', 'raised'])
  })

  test('a condition that ends returns the row; one that comes back rings again', async () => {
    const store = await opened()
    const steps = store.accept(
      [
        edge({ seq: 1 }),
        edge({ seq: 2, edge: 'cleared', receivedAt: 2_000 }),
        edge({ seq: 3, edge: 'pulse', receivedAt: 3_000 }),
      ],
      [],
    )
    expect(steps.map(({ outcome, alarm }) => [outcome, alarm?.state, alarm?.returnedAt])).toEqual([
      ['raised', 'unack-active', null],
      ['returned', 'returned-unack', 2_000],
      ['repeated', 'unack-active', null],
    ])
  })

  test('a row that somebody took rings again when its condition comes back', async () => {
    const store = await opened()
    const id = store.accept([edge()], [])[0]?.alarm?.id ?? ''
    store.change(id, (alarm) => applyAction(alarm, 'acknowledge', '王芳', 1_500))
    const [returned] = store.accept([edge({ seq: 2, edge: 'cleared', receivedAt: 2_000 })], [])
    expect(returned?.alarm).toMatchObject({ state: 'ack-active', returnedAt: 2_000 })
    const [again] = store.accept([edge({ seq: 3, receivedAt: 3_000 })], [])
    expect(again?.alarm).toMatchObject({
      id,
      state: 'unack-active',
      acknowledgedBy: null,
      acknowledgedAt: null,
      count: 2,
    })
  })

  test('the more urgent priority wins', async () => {
    const store = await opened()
    const priorities = [3, 4, 1, 2].map((priority, seq) => edge({ priority, seq }))
    const after = store.accept(priorities, []).map(({ alarm }) => alarm?.priority)
    expect(after).toEqual([3, 3, 1, 1])
  })

  test('an end without a beginning is a stray, and its packet is known all the same', async () => {
    const store = await opened()
    const cleared = edge({ edge: 'cleared' })
    expect(store.accept([cleared], [])).toEqual([{ outcome: 'stray', alarm: undefined }])
    expect(store.accept([cleared], [])[0]?.outcome).toBe('duplicate')
    expect(store.list({ regions: county, limit: 10 })).toEqual([])
    expect(store.lastChange()).toBe(0)
  })

  test('a closed row stays closed: the next edge opens a new one', async () => {
    const store = await opened()
    const id = store.accept([edge()], [])[0]?.alarm?.id ?? ''
    store.change(id, (alarm) => applyAction(alarm, 'acknowledge', '王芳', 1_500))
    store.change(id, (alarm) => applyAction(alarm, 'close', '李强', 1_600, { cause: '误报' }))
    const [next] = store.accept([edge({ seq: 2, receivedAt: 2_000 })], [])
    expect(next).toMatchObject({ outcome: 'raised', alarm: { count: 1, raisedAt: 2_000 } })
    expect(next?.alarm?.id).not.toBe(id)
    expect(store.get(id)).toMatchObject({ state: 'closed', closedBy: '李强', cause: '误报' })
  })

  describe('change', () => {
    test('numbers grow over edges and actions, and since() reads past a cursor', async () => {
      const store = await opened()
      const id = store.accept([edge()], [])[0]?.alarm?.id ?? ''
      store.accept([edge({ deviceId: 'contact-2' })], [])
      const taken = store.change(id, (alarm) => ({ ...alarm, state: 'ack-active' }))
      expect(taken).toMatchObject({ change: 3, state: 'ack-active' })
      expect(store.lastChange()).toBe(3)
      expect(store.since(0, 10).map(({ change }) => change)).toEqual([2, 3])
      expect(store.since(0, 1).map(({ change }) => change)).toEqual([2])
      expect(store.since(2, 10)).toEqual([taken])
      expect(store.since(3, 10)).toEqual([])
    })

    test('of an unknown alarm answers undefined', async () => {
      const store = await opened()
      expect(store.change('nobody', (alarm) => alarm)).toBeUndefined()
    })

    test('that throws leaves everything as it was', async () => {
      const store = await opened()
      const before = store.accept([edge()], [])[0]?.alarm
      const change = () =>
        store.change(before?.id ?? '', () => {
          throw new Error('not allowed')
        })
      expect(change).toThrow('not allowed')
      expect(store.get(before?.id ?? '')).toEqual(before)
      expect(store.lastChange()).toBe(1)
      // And the store is free for the next transaction.
      expect(store.accept([edge({ seq: 2 })], [])[0]?.outcome).toBe('repeated')
    })

    test('cannot choose its own number', async () => {
      const store = await opened()
      const id = store.accept([edge()], [])[0]?.alarm?.id ?? ''
      expect(store.change(id, (alarm) => ({ ...alarm, change: 900 }))?.change).toBe(2)
    })
  })

  test('a batch is taken whole or not at all', async () => {
    const store = await opened()
    const broken = edge({ seq: 2, receivedAt: 0.5 })
    expect(() => store.accept([edge(), broken], [reject()])).toThrow(/integer|datatype/i)
    expect(store.lastChange()).toBe(0)
    expect(store.rejects(10)).toEqual([])
    expect(store.accept([edge()], [])[0]?.outcome).toBe('raised')
  })

  test('an empty batch is no change', async () => {
    const store = await opened()
    expect(store.accept([], [])).toEqual([])
    expect(store.lastChange()).toBe(0)
  })

  describe('list', () => {
    test('is newest first, ties by id, page by page without gap or double', async () => {
      const { store } = filled(await opened())
      const whole = store.list({ regions: county, limit: 500 })
      const keys = whole.map(({ raisedAt, id }) => [raisedAt, id] as const)
      expect(keys).toEqual([...keys].toSorted(([a, x], [b, y]) => b - a || (x < y ? -1 : 1)))
      const paged = []
      for (let page = store.list({ regions: county, limit: 2 }); page.length > 0;) {
        paged.push(...page)
        const before = page.at(-1)
        page = before ? store.list({ regions: county, limit: 2, before }) : []
      }
      expect(paged).toEqual(whole)
    })

    test('keeps to the regions asked for', async () => {
      const { store } = filled(await opened())
      const regions = { from: '339901001000', to: '339901001999' }
      const found = store.list({ regions, limit: 500 })
      expect(found.map(({ region }) => region)).toEqual(Array.from({ length: 3 }, () => village))
    })

    test('of one village is paged like a wider one', async () => {
      const store = await opened()
      filled(store)
      const regions = { from: village, to: village }
      const whole = store.list({ regions, limit: 500 })
      expect(whole.map(({ region, raisedAt }) => [region, raisedAt])).toEqual([
        [village, 3_000],
        [village, 2_000],
        [village, 1_000],
      ])
      const before = whole[0]
      expect(before && store.list({ regions, limit: 1, before })).toEqual([whole[1]])
      expect(store.list({ regions, open: false, limit: 9 })).toEqual([])
    })

    test('tells open from closed, and filters states', async () => {
      const { store, ids } = filled(await opened())
      store.change(ids[0] ?? '', (alarm) => ({ ...alarm, state: 'closed', closedAt: 9_000 }))
      store.change(ids[1] ?? '', (alarm) => ({ ...alarm, state: 'ack-active' }))
      const idsOf = (query: object) =>
        store.list({ regions: county, limit: 500, ...query }).map(({ id }) => id)
      expect(idsOf({ open: false })).toEqual([ids[0]])
      expect(idsOf({ open: true })).toHaveLength(5)
      expect(idsOf({})).toHaveLength(6)
      expect(new Set(idsOf({ states: ['ack-active', 'closed'] }))).toEqual(new Set(ids.slice(0, 2)))
      expect(idsOf({ open: true, states: ['closed'] })).toEqual([])
      expect(idsOf({ states: [] })).toEqual([])
    })
  })

  test('open and unacknowledged rows are counted per village', async () => {
    const store = await opened()
    const other = '339901002001'
    const accepted = store.accept(
      ['a', 'b', 'c', 'd']
        .map((deviceId) => edge({ deviceId }))
        .concat(
          edge({ deviceId: 'e', region: other }),
          edge({ deviceId: 'd', seq: 2, edge: 'cleared' }),
        ),
      [],
    )
    const set = (n: number, state: 'ack-active' | 'closed') =>
      store.change(accepted[n]?.alarm?.id ?? '', (alarm) => ({ ...alarm, state }))
    set(0, 'ack-active')
    set(1, 'closed')
    expect(store.countsByVillage(county)).toEqual([
      { region: village, open: 3, unack: 2 },
      { region: other, open: 1, unack: 1 },
    ])
    expect(store.countsByVillage({ from: other, to: other })).toEqual([
      { region: other, open: 1, unack: 1 },
    ])
  })

  describe('rejects', () => {
    test('are kept raw, newest first', async () => {
      const store = await opened()
      store.accept([], [reject({ at: 1 }), reject({ at: 2, payload: new Uint8Array() })])
      expect(store.rejects(10)).toEqual([
        reject({ at: 2, payload: new Uint8Array() }),
        reject({ at: 1 }),
      ])
      expect(store.rejects(1)).toHaveLength(1)
    })

    test('are 10,000 at most, the oldest go; a payload keeps its first 8 KiB', async () => {
      const store = await opened()
      store.accept([], [reject({ payload: new Uint8Array(100_000).fill(7) })])
      expect(store.rejects(1)[0]?.payload).toEqual(new Uint8Array(8_192).fill(7))
      store.accept(
        [],
        Array.from({ length: 10_000 }, (_, at) => reject({ at: at + 2_000 })),
      )
      const kept = store.rejects(20_000)
      expect(kept).toHaveLength(10_000)
      expect(kept.at(-1)?.at).toBe(2_000)
    })
  })

  describe('with another connection', () => {
    test('while it writes, acceptance without patience answers STORE_BUSY at once and stores nothing', async () => {
      const at = place()
      const store = await at.open({ busyTimeoutMs: 0 })
      const release = at.hold()
      const began = performance.now()
      expect(() => store.accept([edge()], [reject()])).toThrow(
        expect.objectContaining({ code: 'STORE_BUSY' }),
      )
      expect(performance.now() - began).toBeLessThan(200)
      // Reading goes on.
      expect(store.list({ regions: county, limit: 1 })).toEqual([])
      release()
      expect(store.accept([edge()], [])[0]?.outcome).toBe('raised')
      expect(store.rejects(1)).toEqual([])
    })

    test('each sees what the other committed, under one sequence of changes', async () => {
      const at = place()
      const [intake, web] = [await at.open(), await at.open()]
      const id = intake.accept([edge()], [])[0]?.alarm?.id ?? ''
      web.change(id, (alarm) => applyAction(alarm, 'acknowledge', '王芳', 1_500))
      intake.accept([edge({ seq: 2, receivedAt: 2_000 })], [])
      expect(web.since(2, 10)).toEqual([
        expect.objectContaining({ id, change: 3, state: 'ack-active', count: 2 }),
      ])
    })

    test('two people take one alarm: one wins, the other is told who', async () => {
      const at = place()
      const [one, two] = [await at.open(), await at.open()]
      const id = one.accept([edge()], [])[0]?.alarm?.id ?? ''
      one.change(id, (alarm) => applyAction(alarm, 'acknowledge', '王芳', 1_500))
      expect(() =>
        two.change(id, (alarm) => applyAction(alarm, 'acknowledge', '李强', 1_501)),
      ).toThrow(
        expect.objectContaining({ code: 'ALARM_TAKEN', message: expect.stringContaining('王芳') }),
      )
    })
  })

  test('everything is there after the store was closed and opened again', async () => {
    const at = place()
    const first = await at.open()
    const alarm = first.accept([edge()], [reject()])[0]?.alarm
    first.close()
    const again = await at.open()
    expect(again.get(alarm?.id ?? '')).toEqual(alarm)
    expect(again.rejects(1)).toEqual([reject()])
    expect(again.accept([edge()], [])[0]?.outcome).toBe('duplicate')
    expect(again.lastChange()).toBe(1)
  })

  describe('a device that names ever new points', () => {
    const named = (count: number, from = 0) =>
      Array.from({ length: count }, (_, i) =>
        edge({ seq: from + i + 1, point: `zone-${from + i}`, priority: i === 299 ? 1 : 3 }),
      )

    test('fills 256 rows; all beyond is one row that counts and rings once', async () => {
      const store = await opened()
      const outcomes = store.accept(named(300), []).map(({ outcome }) => outcome)
      expect(outcomes).toEqual([
        ...Array.from({ length: 257 }, () => 'raised'),
        ...Array.from({ length: 43 }, () => 'repeated'),
      ])
      const [flood, ...rest] = store
        .list({ regions: county, open: true, limit: 500 })
        .toSorted((a, b) => b.count - a.count)
      expect(flood).toMatchObject({ kind: 'alarm-flood', point: '', count: 44, priority: 1 })
      expect(rest).toHaveLength(256)
    })

    test('keeps its open points working, and another device its own rows', async () => {
      const store = await opened()
      store.accept(named(300), [])
      const known = store.accept([edge({ seq: 400, point: 'zone-3' })], [])[0]
      expect(known).toMatchObject({ outcome: 'repeated', alarm: { kind: 'intrusion', count: 2 } })
      const other = store.accept([edge({ deviceId: 'contact-2' })], [])[0]
      expect(other).toMatchObject({ outcome: 'raised', alarm: { kind: 'intrusion' } })
    })

    test('has room again when rows were closed', async () => {
      const store = await opened()
      const id = store.accept(named(256), [])[0]?.alarm?.id ?? ''
      expect(store.accept(named(1, 256), [])[0]?.alarm?.kind).toBe('alarm-flood')
      for (const taken of store.list({ regions: county, open: true, limit: 500 }))
        if (taken.id === id || taken.kind === 'alarm-flood')
          store.change(taken.id, (alarm) => ({ ...alarm, state: 'closed', closedAt: 2_000 }))
      expect(store.accept(named(1, 300), [])[0]?.alarm?.kind).toBe('intrusion')
    })
  })
})
