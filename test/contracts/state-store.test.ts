import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { deviceStates, type Interval, type StateReason } from '../../hub/schema/state.ts'
import type { StateChange } from '../../hub/store/state-store.ts'
import { backends } from '../support/store-places.ts'

type Short = readonly [from: number, state: Interval['state'], reason?: StateReason]

/** Changes of one device in few words. */
const changes = (deviceId: string, ...list: readonly Short[]): StateChange[] =>
  list.map(([from, state, reason = 'alive']) => ({ deviceId, from, state, reason }))

/** Intervals in few words: from, to, state. */
const brief = (list: readonly Interval[]) => list.map(({ from, to, state }) => [from, to, state])

describe.each(backends.state)('states in $name', ({ place }) => {
  const opened = () => place().open()

  test('a change closes the open interval where the next begins', async () => {
    const store = await opened()
    store.change(changes('a', [100, 'unknown', 'new'], [200, 'up'], [300, 'down', 'lwt']))
    expect(store.between(['a'], 0, 1_000)).toEqual([
      { deviceId: 'a', from: 100, to: 200, state: 'unknown', reason: 'new' },
      { deviceId: 'a', from: 200, to: 300, state: 'up', reason: 'alive' },
      { deviceId: 'a', from: 300, to: null, state: 'down', reason: 'lwt' },
    ])
    expect(store.current()).toEqual([
      { deviceId: 'a', from: 300, to: null, state: 'down', reason: 'lwt' },
    ])
  })

  test('a change equal in state and reason to the open interval is no change', async () => {
    const store = await opened()
    store.change(changes('a', [100, 'up'], [200, 'up'], [100, 'up']))
    expect(brief(store.current())).toEqual([[100, null, 'up']])
    expect(store.lastChange()).toBe(1)
  })

  test('another reason of the same state is a change', async () => {
    const store = await opened()
    store.change(changes('a', [100, 'down', 'silence'], [200, 'down', 'parent']))
    expect(store.between(['a'], 0, 1_000)).toHaveLength(2)
  })

  describe('a change before the start of the open interval', () => {
    test('replaces it', async () => {
      const store = await opened()
      // Up was written before silence was decided: down from the first missed beat.
      store.change(changes('a', [100, 'up'], [300, 'unknown', 'hub'], [250, 'down', 'silence']))
      expect(brief(store.between(['a'], 0, 1_000))).toEqual([
        [100, 250, 'up'],
        [250, null, 'down'],
      ])
    })

    test('replaces everything after it', async () => {
      const store = await opened()
      store.change(changes('a', [100, 'up'], [200, 'down'], [300, 'up'], [150, 'unknown', 'hub']))
      expect(brief(store.between(['a'], 0, 1_000))).toEqual([
        [100, 150, 'up'],
        [150, null, 'unknown'],
      ])
    })

    test('continues the interval before it when that is the same', async () => {
      const store = await opened()
      store.change(changes('a', [100, 'up'], [200, 'down', 'silence'], [150, 'up']))
      expect(brief(store.current())).toEqual([[100, null, 'up']])
      // It is a change all the same: readers that saw `down` must hear of it.
      expect(brief(store.since(2, 10))).toEqual([[100, null, 'up']])
    })

    test('at its very start takes its place', async () => {
      const store = await opened()
      store.change(changes('a', [100, 'unknown', 'new'], [100, 'up']))
      expect(brief(store.between(['a'], 0, 1_000))).toEqual([[100, null, 'up']])
    })

    test('before all of them becomes the whole history', async () => {
      const store = await opened()
      store.change(changes('a', [100, 'up'], [200, 'down', 'lwt'], [50, 'unknown', 'new']))
      expect(brief(store.between(['a'], 0, 1_000))).toEqual([[50, null, 'unknown']])
    })
  })

  test('devices do not touch each other', async () => {
    const store = await opened()
    store.change([...changes('b', [100, 'up']), ...changes('a', [150, 'down', 'lwt'])])
    expect(
      store
        .current()
        .map(({ deviceId, from }) => `${deviceId} ${from}`)
        .toSorted(),
    ).toEqual(['a 150', 'b 100'])
  })

  test.each([
    [0, 100, []],
    [0, 101, [[100, 200, 'up']]],
    [199, 200, [[100, 200, 'up']]],
    [200, 201, [[200, 300, 'down']]],
    [
      150,
      250,
      [
        [100, 200, 'up'],
        [200, 300, 'down'],
      ],
    ],
    [900, 999, [[300, null, 'unknown']]],
  ] as const)('what touches [%i, %i) is found', async (from, to, found) => {
    const store = await opened()
    store.change(changes('a', [100, 'up'], [200, 'down'], [300, 'unknown', 'hub']))
    expect(brief(store.between(['a'], from, to))).toEqual(found)
  })

  test('several devices are answered by device, then time; unknown ones are left out', async () => {
    const store = await opened()
    store.change([...changes('b', [1, 'up'], [5, 'down', 'lwt']), ...changes('a', [3, 'up'])])
    const found = store.between(['b', 'nobody', 'a'], 0, 10)
    expect(found.map(({ deviceId, from }) => `${deviceId} ${from}`)).toEqual(['a 3', 'b 1', 'b 5'])
  })

  test('since() reads opened intervals past a cursor, in order', async () => {
    const store = await opened()
    expect(store.lastChange()).toBe(0)
    store.change([
      ...changes('a', [1, 'up']),
      ...changes('b', [2, 'up']),
      ...changes('a', [3, 'down']),
    ])
    expect(store.since(0, 10).map(({ change, deviceId, to }) => [change, deviceId, to])).toEqual([
      [1, 'a', 3],
      [2, 'b', null],
      [3, 'a', null],
    ])
    expect(store.since(1, 1).map(({ change }) => change)).toEqual([2])
    expect(store.lastChange()).toBe(3)
  })

  test('numbers grow even when the newest interval is replaced', async () => {
    const store = await opened()
    store.change(changes('a', [100, 'up'], [200, 'down', 'lwt']))
    store.change(changes('a', [150, 'unknown', 'hub']))
    expect(store.lastChange()).toBe(3)
  })

  test('one bad change undoes its whole batch', async () => {
    const store = await opened()
    const bad = [...changes('a', [100, 'up']), ...changes('b', [0.5, 'up'])]
    expect(() => store.change(bad)).toThrow(/integer|datatype/i)
    expect(store.current()).toEqual([])
  })

  test('whatever comes, intervals follow each other without gap, overlap or equal neighbours', async () => {
    const store = await opened()
    const someChange = fc.record({
      deviceId: fc.constant('a'),
      from: fc.integer({ min: 0, max: 40 }),
      state: fc.constantFrom(...deviceStates),
      reason: fc.constantFrom('alive' as const, 'silence' as const),
    })
    let round = 0
    fc.assert(
      fc.property(fc.array(someChange, { minLength: 1, maxLength: 12 }), (list) => {
        round += 1
        const id = `device-${round}`
        store.change(list.map((change) => ({ ...change, deviceId: id })))
        const all = store.between([id], 0, 1_000)
        expect(all.at(-1)?.to).toBeNull()
        for (const [index, next] of all.slice(1).entries()) {
          const before = all[index]
          expect(before?.to).toBe(next.from)
          expect(before?.from).toBeLessThan(next.from)
          expect([before?.state, before?.reason]).not.toEqual([next.state, next.reason])
        }
        // The newest word is what is true now.
        const last = list.at(-1)
        expect([all.at(-1)?.state, all.at(-1)?.reason]).toEqual([last?.state, last?.reason])
      }),
      { numRuns: 300, seed: 20_261_123 },
    )
  })

  describe("the hub's own life", () => {
    test('is nothing before the first start', async () => {
      const store = await opened()
      expect(store.lastLife()).toBeUndefined()
    })

    test('is renewed while it lasts; a new start is a new life', async () => {
      const store = await opened()
      store.live({ from: 1_000, at: 1_000, seen: Float64Array.of(0, 0) })
      store.live({ from: 1_000, at: 11_000, seen: Float64Array.of(10_500, 0) })
      expect(store.lastLife()).toEqual({
        from: 1_000,
        at: 11_000,
        seen: Float64Array.of(10_500, 0),
      })
      store.live({ from: 50_000, at: 50_000, seen: Float64Array.of(10_500, 0, 49_000) })
      expect(store.lastLife()).toMatchObject({ from: 50_000, at: 50_000 })
      expect(store.lastLife()?.seen).toEqual(Float64Array.of(10_500, 0, 49_000))
    })

    test('is the newest start, also when the clock was set back between', async () => {
      const store = await opened()
      store.live({ from: 90_000, at: 95_000, seen: new Float64Array() })
      store.live({ from: 10_000, at: 10_000, seen: Float64Array.of(1) })
      expect(store.lastLife()?.from).toBe(10_000)
    })

    test('takes a part of a larger array as it is', async () => {
      const store = await opened()
      const whole = Float64Array.of(1, 2, 3, 4)
      store.live({ from: 1, at: 2, seen: whole.subarray(1, 3) })
      expect(store.lastLife()?.seen).toEqual(Float64Array.of(2, 3))
    })

    test('of 50,000 devices is written in few milliseconds', async () => {
      const store = await opened()
      const seen = new Float64Array(50_000).fill(1_795_413_601_234)
      const began = performance.now()
      for (let at = 0; at < 10; at += 1) store.live({ from: 1, at, seen })
      expect((performance.now() - began) / 10).toBeLessThan(100)
      expect(store.lastLife()?.seen).toEqual(seen)
    })
  })

  test('another connection reads while one writes, and STORE_BUSY leaves no trace', async () => {
    const at = place()
    const [intake, web] = [await at.open({ busyTimeoutMs: 0 }), await at.open()]
    intake.change(changes('a', [100, 'up']))
    const release = at.hold()
    expect(() => intake.change(changes('a', [200, 'down', 'lwt']))).toThrow(
      expect.objectContaining({ code: 'STORE_BUSY' }),
    )
    expect(brief(web.current())).toEqual([[100, null, 'up']])
    release()
    intake.change(changes('a', [200, 'down', 'lwt']))
    expect(brief(web.current())).toEqual([[200, null, 'down']])
  })
})
