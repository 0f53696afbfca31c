import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { addToStrip, emptyStrip, stripSums } from '../../hub/rules/strip.ts'
import { deviceStates } from '../../hub/schema/state.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { memoryState } from '../support/memory-state.ts'
import { someDevice, statusDesk } from '../support/status-desk.ts'

type Step =
  | { what: 'beat' | 'lost' | 'exclude' | 'include' | 'trouble' | 'mended' }
  | { what: 'wait'; seconds: number }
  | { what: 'stop' | 'crash' | 'stall'; ms: number }
  | { what: 'busy'; busy: boolean }

const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ what: fc.constant('beat' as const) }) },
  {
    weight: 4,
    arbitrary: fc.record({
      what: fc.constant('wait' as const),
      seconds: fc.oneof(fc.integer({ min: 1, max: 90 }), fc.integer({ min: 170, max: 400 })),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({
      what: fc.constantFrom('lost', 'exclude', 'include', 'trouble', 'mended'),
    }),
  },
  {
    weight: 1,
    arbitrary: fc.record({
      what: fc.constantFrom('stop', 'crash', 'stall'),
      ms: fc.integer({ min: 0, max: 300_000 }),
    }),
  },
  { weight: 1, arbitrary: fc.record({ what: fc.constant('busy' as const), busy: fc.boolean() }) },
)

/** Lives through the steps with one device; keeps when it was heard and since when the hub watches. */
function live(steps: readonly Step[], heartbeatS: number) {
  const clock = fakeClock()
  const start = clock.now()
  const state = memoryState()
  const desk = statusDesk([someDevice(0, { heartbeatS })], { state, clock })
  const known = { heardAt: -Infinity, watchedFrom: start }
  const moments: { at: number; heardAt: number; watchedFrom: number; state: string }[] = []
  const acts: Record<string, () => void> = {
    beat: () => {
      desk.engine.seen(0)
      known.heardAt = clock.now()
    },
    lost: () => desk.engine.lost(0),
    exclude: () => desk.engine.exclude(0, true),
    include: () => desk.engine.exclude(0, false),
    trouble: () => desk.engine.trouble(0, 'stream'),
    mended: () => desk.engine.trouble(0, null),
  }
  for (const one of steps) {
    if (one.what === 'wait') desk.run(one.seconds)
    else if (one.what === 'busy') state.busy = one.busy
    else if (one.what === 'stall') {
      clock.advance(one.ms)
      desk.engine.tick()
    } else if (one.what === 'stop' || one.what === 'crash') {
      if (one.what === 'stop') desk.restart(one.ms)
      else desk.crash(one.ms)
      known.watchedFrom = clock.now()
    } else acts[one.what]!()
    moments.push({ at: clock.now(), ...known, state: desk.engine.state(0)!.state })
  }
  state.busy = false
  desk.run(1)
  return { desk, start, end: clock.now(), moments, limitMs: Math.max(60, heartbeatS) * 3000 }
}

const life = fc.tuple(fc.array(step, { maxLength: 30 }), fc.constantFrom(5, 60, 300))

describe('any order of events, stalls, stops and crashes', () => {
  test('leaves intervals without gap or overlap whose six states sum to the time that passed', () => {
    fc.assert(
      fc.property(life, ([steps, heartbeatS]) => {
        const { desk, start, end } = live(steps, heartbeatS)
        const story = desk.story(0)
        expect(story[0]!.from).toBe(start)
        expect(story.at(-1)!.to).toBeNull()
        for (const [index, { from, to }] of story.entries()) {
          expect(to ?? end).toBeGreaterThan(from - 1)
          expect(story[index + 1]?.from ?? null).toBe(to)
        }
        const window = { from: start, to: end, now: end }
        const strip = emptyStrip(window)
        addToStrip(strip, window, story, 0)
        expect(stripSums(strip).reduce((sum, ms) => sum + ms, 0)).toBe(end - start)
      }),
      { numRuns: 300 },
    )
  })

  test('ends with the store telling what the engine says', () => {
    fc.assert(
      fc.property(life, ([steps, heartbeatS]) => {
        const { desk } = live(steps, heartbeatS)
        const { from, state, reason } = desk.story(0).at(-1)!
        const told = desk.engine.state(0)!
        expect({ state, reason }).toEqual({ state: told.state, reason: told.reason })
        // The store joins what a state of no length had parted.
        expect(told.since).toBeGreaterThanOrEqual(from)
      }),
    )
  })

  test('never says up without a live packet of this watch within the silence limit', () => {
    fc.assert(
      fc.property(life, ([steps, heartbeatS]) => {
        const { moments, limitMs } = live(steps, heartbeatS)
        // A verdict comes with the tick that follows the limit, or after the loop caught up.
        const slackMs = 1000 + 2 * 11_000
        for (const { at, heardAt, watchedFrom, state } of moments) {
          const proved = heardAt >= watchedFrom && at - heardAt <= limitMs + slackMs
          expect(proved || (state !== 'up' && state !== 'degraded')).toBe(true)
        }
      }),
      { numRuns: 300 },
    )
  })

  test('never says down to a device that was heard within its silence limit, but by a last will', () => {
    fc.assert(
      fc.property(life, ([steps, heartbeatS]) => {
        const { moments, limitMs } = live(
          steps.filter(({ what }) => what !== 'lost'),
          heartbeatS,
        )
        for (const { at, heardAt, state } of moments)
          expect(at - heardAt < limitMs && state === 'down').toBe(false)
      }),
      { numRuns: 300 },
    )
  })

  test('gives the same strip whatever the width of its bins', () => {
    fc.assert(
      fc.property(life, fc.constantFrom(1000, 60_000, 300_000), ([steps, heartbeatS], binMs) => {
        const { desk, start, end } = live(steps, heartbeatS)
        const story = desk.story(0)
        const strip = emptyStrip({ from: start, to: end, now: end, binMs })
        addToStrip(strip, { from: start, to: end, now: end, binMs }, story, 0)
        const sums = deviceStates.map((state) =>
          story
            .filter((interval) => interval.state === state)
            .reduce((sum, { from, to }) => sum + (to ?? end) - from, 0),
        )
        expect(stripSums(strip)).toEqual(sums)
      }),
    )
  })
})
