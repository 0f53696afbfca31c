import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { figuresOf, percentText } from '../../hub/rules/figures.ts'
import { emptyStrip, addToStrip, stripSums } from '../../hub/rules/strip.ts'
import { sqliteState } from '../../hub/store/sqlite-state.ts'
import type { StateStore } from '../../hub/store/state-store.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { memoryState } from '../support/memory-state.ts'
import { someDevice, someDevices, statusDesk, steady } from '../support/status-desk.ts'

const hour = 3_600_000
const heard = () => true

describe.each(['memory', 'sqlite'])('restarts on the %s store', (backend) => {
  let folder: string
  let state: StateStore
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'status-'))
    state =
      backend === 'memory'
        ? memoryState()
        : await sqliteState(join(folder, 'state.db'), { busyTimeoutMs: 0 })
  })
  afterEach(async () => {
    state.close()
    await rm(folder, { recursive: true })
  })

  test('a hub that was stopped for a minute leaves exactly that minute unknown', () => {
    const desk = statusDesk(someDevices(1), { state })
    desk.run(60, steady)
    const stopped = desk.clock.now()
    desk.restart(60_000)
    desk.engine.seen(0)
    desk.run(30)
    expect(desk.story(0).slice(-2)).toEqual([
      { from: stopped, to: stopped + 60_000, state: 'unknown', reason: 'hub' },
      { from: stopped + 60_000, to: null, state: 'up', reason: 'alive' },
    ])
  })

  test('after a crash it is unknown from the last row of the hub’s own life', () => {
    const desk = statusDesk(someDevices(1), { state })
    desk.run(37, (_, second) => second === 1)
    const row = state.lastLife()!.at
    expect(desk.clock.now() - row).toBeLessThan(10_000)
    desk.crash(60_000)
    desk.engine.seen(0)
    desk.run(1)
    expect(desk.story(0).at(-2)).toEqual({
      from: row,
      to: desk.clock.now() - 1000,
      state: 'unknown',
      reason: 'hub',
    })
  })

  test('a change after the last life row proves that the hub was awake until then', () => {
    const desk = statusDesk(someDevices(1), { state })
    desk.run(35, (_, second) => second === 1)
    desk.engine.lost(0)
    desk.run(1)
    const lostAt = desk.engine.state(0)!.since
    expect(lostAt).toBeGreaterThan(state.lastLife()!.at)
    desk.crash(60_000)
    expect(desk.engine.state(0)).toEqual({ state: 'unknown', reason: 'hub', since: lostAt })
  })

  test('who stays silent after a restart is down when the limit has run from it', () => {
    const desk = statusDesk(someDevices(1), { state })
    desk.run(60, steady)
    desk.restart(60_000)
    const started = desk.clock.now()
    desk.run(179)
    expect(desk.engine.state(0)).toMatchObject({ state: 'unknown' })
    desk.run(1)
    expect(desk.story(0).at(-1)).toEqual({
      from: started + 180_000,
      to: null,
      state: 'down',
      reason: 'silence',
    })
  })

  test('a device that was down is unknown too while nobody watched', () => {
    const desk = statusDesk(someDevices(1), { state })
    desk.run(1, () => true)
    desk.run(300)
    const stopped = desk.clock.now()
    desk.restart(hour)
    expect(desk.engine.state(0)).toEqual({ state: 'unknown', reason: 'hub', since: stopped })
  })

  test('a hub that crashes again and again counts the unknown from the first crash', () => {
    const desk = statusDesk(someDevices(1), { state })
    desk.run(20, (_, second) => second === 1)
    const row = state.lastLife()!.at
    for (let crash = 0; crash < 5; crash++) {
      desk.crash(7000)
      desk.run(3)
    }
    expect(desk.story(0).at(-1)).toEqual({ from: row, to: null, state: 'unknown', reason: 'hub' })
  })

  test('the last-seen time of a silent device outlives two restarts', () => {
    const desk = statusDesk(someDevices(2), { state })
    desk.run(1, () => true)
    const seenAt = desk.clock.now()
    desk.restart(1000)
    desk.restart(1000)
    desk.engine.close()
    expect([...state.lastLife()!.seen]).toEqual([seenAt, seenAt])
  })

  test('the scripted day: 20 h up, 2 h down, 1 h maintenance, 1 h without a hub', () => {
    const clock = fakeClock()
    const desk = statusDesk([someDevice(0)], { state, clock })
    desk.engine.seen(0)
    const start = clock.now()
    desk.run(10 * 3600, heard)
    // The cable is pulled one missed beat before 10:00: down counts from the missed one.
    desk.run(59)
    desk.clock.advance(1000)
    desk.engine.tick()
    desk.run(2 * 3600 - 1)
    desk.clock.advance(1000)
    desk.engine.seen(0)
    desk.engine.tick()
    desk.run(5 * 3600, heard)
    desk.engine.exclude(0, true)
    desk.run(3600, heard)
    desk.engine.exclude(0, false)
    desk.run(3600, heard)
    desk.restart(hour)
    desk.engine.seen(0)
    desk.run(4 * 3600 - 60, heard)

    const h = (hours: number, seconds = 0) => start + hours * hour + seconds * 1000
    expect(desk.story(0).map(({ from, state: was }) => [was, from - start])).toEqual(
      [
        ['up', h(0)],
        ['down', h(10, 60)],
        ['up', h(12, 60)],
        ['excluded', h(17, 60)],
        ['up', h(18, 60)],
        ['unknown', h(19, 60)],
        ['up', h(20, 60)],
      ].map(([was, from]) => [was, Number(from) - start]),
    )

    const window = { from: start, to: start + 24 * hour, now: clock.now() }
    expect(window.now).toBe(window.to)
    const strip = emptyStrip(window)
    addToStrip(strip, window, state.between(['d0'], window.from, window.to), 0)
    const sums = stripSums(strip)
    expect(sums).toEqual([20 * hour, 0, 2 * hour, hour, hour, 0])
    const figures = figuresOf(sums)
    expect([figures.seen, figures.observed, figures.assured].map(percentText)).toEqual([
      '90.90 %',
      '95.65 %',
      '86.95 %',
    ])
  })
})
