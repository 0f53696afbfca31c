import { describe, expect, test } from 'vitest'
import type { StateStore } from '../../hub/store/state-store.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { memoryState } from '../support/memory-state.ts'
import { someDevice, someDevices, statusDesk, steady } from '../support/status-desk.ts'

const hour = 3_600_000

describe('signs of life', () => {
  test('a device is unknown until it is heard, then up from receipt', () => {
    const desk = statusDesk(someDevices(1))
    const start = desk.clock.now()
    expect(desk.engine.state(0)).toEqual({ state: 'unknown', reason: 'new', since: start })
    desk.clock.advance(400)
    desk.engine.seen(0)
    expect(desk.engine.state(0)).toEqual({ state: 'up', reason: 'alive', since: start + 400 })
    desk.run(1)
    expect(desk.story(0)).toEqual([
      { from: start, to: start + 400, state: 'unknown', reason: 'new' },
      { from: start + 400, to: null, state: 'up', reason: 'alive' },
    ])
  })

  test('heartbeats write nothing while nothing changes', () => {
    const desk = statusDesk(someDevices(30))
    desk.run(120, steady)
    const before = desk.state.lastChange()
    desk.run(600, steady)
    expect(desk.state.lastChange()).toBe(before)
  })

  test('frozen silently: down when 180 s have passed, from the first missed beat', () => {
    const desk = statusDesk(someDevices(1))
    desk.run(1, () => true)
    const lastSeen = desk.clock.now()
    desk.run(179)
    expect(desk.engine.state(0)).toMatchObject({ state: 'up' })
    desk.run(1)
    expect(desk.engine.state(0)).toEqual({
      state: 'down',
      reason: 'silence',
      since: lastSeen + 60_000,
    })
  })

  test('a battery contact is judged by its own interval', () => {
    const desk = statusDesk([someDevice(0, { heartbeatS: 3600 })])
    desk.run(1, () => true)
    const lastSeen = desk.clock.now()
    desk.run(3 * 3600 - 1)
    expect(desk.engine.state(0)).toMatchObject({ state: 'up' })
    desk.run(1)
    expect(desk.engine.state(0)).toEqual({
      state: 'down',
      reason: 'silence',
      since: lastSeen + hour,
    })
  })

  test('a last will is down from receipt and the next packet up again', () => {
    const desk = statusDesk(someDevices(1))
    desk.run(1, () => true)
    desk.clock.advance(300)
    const lostAt = desk.clock.now()
    desk.engine.lost(0)
    expect(desk.engine.state(0)).toEqual({ state: 'down', reason: 'lwt', since: lostAt })
    desk.clock.advance(700)
    desk.engine.tick()
    expect(desk.story(0).at(-1)).toEqual({ from: lostAt, to: null, state: 'down', reason: 'lwt' })
    desk.run(1, () => true)
    expect(desk.engine.state(0)).toMatchObject({ state: 'up', since: desk.clock.now() })
  })

  test('a device that was lost and came back within one second keeps both edges', () => {
    const desk = statusDesk(someDevices(1))
    desk.run(1, () => true)
    desk.clock.advance(200)
    desk.engine.lost(0)
    desk.clock.advance(200)
    desk.engine.seen(0)
    desk.clock.advance(600)
    desk.engine.tick()
    expect(desk.story(0).map(({ state }) => state)).toEqual(['unknown', 'up', 'down', 'up'])
  })

  test('a packet in the same millisecond as the last will before it counts', () => {
    const desk = statusDesk(someDevices(1))
    desk.engine.lost(0)
    desk.engine.seen(0)
    expect(desk.engine.state(0)).toMatchObject({ state: 'up' })
  })

  test('an index nobody has is ignored', () => {
    const desk = statusDesk([someDevice(3)])
    for (const n of [0, 99]) {
      desk.engine.seen(n)
      desk.engine.lost(n)
      expect(desk.engine.state(n)).toBeUndefined()
    }
    desk.run(1)
    expect(desk.state.current().map(({ deviceId }) => deviceId)).toEqual(['d3'])
  })
})

describe('a retained birth or a replayed backlog', () => {
  test('never raises a device to up: only live packets reach the engine, and it waits for one', () => {
    const desk = statusDesk(someDevices(1))
    // The intake engine filters what is retained or replayed; nothing else may raise the state.
    desk.run(179)
    expect(desk.engine.state(0)).toMatchObject({ state: 'unknown' })
    expect(desk.engine.takeSeen()).toHaveLength(0)
  })

  test('in the last-seen row of an earlier life never raises a device to up', () => {
    const desk = statusDesk(someDevices(2))
    desk.run(60, steady)
    desk.restart(0)
    desk.run(1)
    expect(desk.engine.state(0)).toMatchObject({ state: 'unknown', reason: 'hub' })
    expect(desk.engine.takeSeen()).toHaveLength(0)
  })

  test('in a last-seen row from the future never raises a device to up', () => {
    const desk = statusDesk(someDevices(1))
    desk.run(1, () => true)
    desk.engine.close()
    desk.clock.stepWall(-hour)
    desk.restart(0)
    expect(desk.engine.state(0)).toMatchObject({ state: 'unknown' })
  })
})

describe('declared states', () => {
  test('maintenance outranks silence and last wills and ends with what is true then', () => {
    const desk = statusDesk(someDevices(1))
    desk.run(1, () => true)
    const from = desk.clock.now()
    desk.engine.exclude(0, true)
    desk.engine.lost(0)
    desk.run(1800)
    expect(desk.engine.state(0)).toEqual({ state: 'excluded', reason: 'maintenance', since: from })
    desk.engine.exclude(0, false)
    expect(desk.engine.state(0)).toMatchObject({ state: 'down', since: desk.clock.now() })
  })

  test('maintenance of a device that goes on beating ends with up', () => {
    const desk = statusDesk(someDevices(1))
    desk.run(1, () => true)
    desk.engine.exclude(0, true)
    desk.run(600, steady)
    expect(desk.engine.state(0)).toMatchObject({ state: 'excluded' })
    desk.engine.exclude(0, false)
    expect(desk.engine.state(0)).toMatchObject({ state: 'up', since: desk.clock.now() })
  })

  test('maintenance outlives a restart of the hub', () => {
    const desk = statusDesk(someDevices(1))
    desk.run(1, () => true)
    const from = desk.clock.now()
    desk.engine.exclude(0, true)
    desk.run(5)
    desk.restart(60_000)
    expect(desk.engine.state(0)).toMatchObject({ state: 'excluded', since: from })
  })

  test('trouble makes a live device degraded and silence makes it down', () => {
    const desk = statusDesk(someDevices(1))
    desk.run(1, () => true)
    desk.run(20)
    desk.engine.trouble(0, 'stream')
    expect(desk.engine.state(0)).toEqual({
      state: 'degraded',
      reason: 'stream',
      since: desk.clock.now(),
    })
    desk.run(180)
    expect(desk.engine.state(0)).toMatchObject({ state: 'down', reason: 'silence' })
    desk.run(1, () => true)
    expect(desk.engine.state(0)).toMatchObject({ state: 'degraded' })
    desk.engine.trouble(0, null)
    expect(desk.engine.state(0)).toMatchObject({ state: 'up', since: desk.clock.now() })
  })

  test('a planned commissioning begins to the second', () => {
    const desk = statusDesk([someDevice(0, { commissionedAt: 1_772_323_200_000 + 90_500 })])
    desk.run(60, () => true)
    expect(desk.engine.state(0)).toMatchObject({ state: 'uncommissioned' })
    desk.run(60, () => true)
    expect(desk.engine.state(0)).toMatchObject({ state: 'up', since: 1_772_323_200_000 + 90_500 })
  })

  test('a device that is never commissioned stays so whatever it sends', () => {
    const desk = statusDesk([someDevice(0, { commissionedAt: null })])
    desk.run(300, () => true)
    desk.engine.lost(0)
    expect(desk.engine.state(0)).toMatchObject({ state: 'uncommissioned', reason: 'new' })
  })
})

describe('late registration', () => {
  test('a device added later is new, then judged like any other', () => {
    const desk = statusDesk(someDevices(1))
    desk.run(10, () => true)
    desk.engine.add([someDevice(500)])
    const added = desk.clock.now()
    expect(desk.engine.state(500)).toEqual({ state: 'unknown', reason: 'new', since: added })
    expect(desk.engine.state(0)).toMatchObject({ state: 'up' })
    desk.run(180, () => true)
    expect(desk.engine.state(500)).toEqual({
      state: 'down',
      reason: 'silence',
      since: added + 180_000,
    })
    desk.engine.seen(500)
    expect(desk.engine.state(500)).toMatchObject({ state: 'up' })
  })

  test('new settings of a known device keep its state', () => {
    const desk = statusDesk(someDevices(1))
    desk.run(1, () => true)
    const { since } = desk.engine.state(0)!
    desk.engine.add([someDevice(0, { heartbeatS: 3600 })])
    desk.run(3600)
    expect(desk.engine.state(0)).toEqual({ state: 'up', reason: 'alive', since })
  })

  test('commissioning a device that beats makes it up from now', () => {
    const desk = statusDesk([someDevice(0, { commissionedAt: null })])
    desk.run(100, () => true)
    desk.engine.add([someDevice(0, { commissionedAt: 1 })])
    expect(desk.engine.state(0)).toMatchObject({ state: 'up', since: desk.clock.now() })
  })
})

describe('what the bus carries', () => {
  test('takeSeen gives each device heard since the last call with its time', () => {
    const desk = statusDesk(someDevices(3))
    desk.run(1, (n) => n !== 1)
    const at = desk.clock.now()
    desk.clock.advance(10)
    expect([...desk.engine.takeSeen()]).toEqual([0, at, 2, at])
    desk.engine.seen(1)
    desk.clock.advance(10)
    expect([...desk.engine.takeSeen()]).toEqual([1, at + 10])
    expect(desk.engine.takeSeen()).toHaveLength(0)
  })
})

describe('a store that another process holds', () => {
  test('gets every change at the next tick it is free, in order', () => {
    const state = memoryState()
    const desk = statusDesk(someDevices(1), { state })
    state.busy = true
    desk.run(1, () => true)
    desk.clock.advance(100)
    desk.engine.lost(0)
    desk.run(3)
    expect(state.of('d0').map((row) => row.state)).toEqual(['unknown'])
    expect(desk.engine.health().pending).toBe(2)
    state.busy = false
    desk.run(1)
    expect(state.of('d0').map((row) => row.state)).toEqual(['unknown', 'up', 'down'])
    expect(desk.engine.health().pending).toBe(0)
  })

  test('at the start still gives an engine that works', () => {
    const state = memoryState()
    state.busy = true
    const desk = statusDesk(someDevices(2), { state })
    desk.run(1, () => true)
    state.busy = false
    desk.run(1)
    expect(state.of('d1').map((row) => row.state)).toEqual(['unknown', 'up'])
  })

  test('gets no life row that vouches for changes it has not taken', () => {
    const state = memoryState()
    const clock = fakeClock()
    const writes: number[] = []
    const full: StateStore = {
      ...state,
      live: (life) => {
        state.live(life)
        writes.push(life.at)
      },
      change: (changes) => {
        if (clock.now() < 1_772_323_200_000 + 60_000) throw new Error('disk full')
        state.change(changes)
      },
    }
    const desk = statusDesk(someDevices(1), { state: full, clock })
    desk.run(59, () => true)
    expect(writes).toEqual([])
    expect(desk.lines.filter(({ msg }) => msg === 'states not stored')).toHaveLength(1)
    desk.run(1)
    expect(writes).toEqual([desk.clock.now()])
    expect(state.of('d0').at(-1)).toMatchObject({ state: 'up' })
  })

  test('at the stop leaves the last life row standing', () => {
    const state = memoryState()
    const desk = statusDesk(someDevices(1), { state })
    desk.run(10, () => true)
    const { at } = state.lastLife()!
    desk.run(3, () => true)
    state.busy = true
    desk.engine.close()
    expect(state.lastLife()!.at).toBe(at)
  })
})

describe('a mass change', () => {
  test('is stored over several ticks, in order, so that no tick holds alarms up', () => {
    const state = memoryState()
    const clock = fakeClock()
    // Each transaction takes 30 ms here; a tick may spend 40.
    const sizes: number[] = []
    const slow: StateStore = {
      ...state,
      change: (changes) => {
        clock.advance(30)
        sizes.push(changes.length)
        state.change(changes)
      },
    }
    const desk = statusDesk(someDevices(5000), { state: slow, clock })
    sizes.length = 0
    desk.run(1, () => true)
    expect(sizes).toEqual([1000, 1000])
    expect(desk.engine.health().pending).toBe(3000)
    desk.run(2)
    expect(sizes).toHaveLength(5)
    expect(desk.engine.health().pending).toBe(0)
    expect(state.current().filter((row) => row.state === 'up')).toHaveLength(5000)
  })
})
