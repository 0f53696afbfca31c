import { describe, expect, test } from 'vitest'
import { someDevice, someDevices, statusDesk, steady } from '../support/status-desk.ts'

const states = (desk: ReturnType<typeof statusDesk>, from: number, to: number) => [
  ...new Set(
    Array.from({ length: to - from }, (_, index) => desk.engine.state(from + index)!.state),
  ),
]

const other = (n: number, second: number) => n !== 5 && steady(n, second)
const forty = (n: number, second: number) => n < 40 && steady(n, second)

describe('the whole heartbeat rate collapses', () => {
  test('silence is unknown from the first missed beat, not down', () => {
    const desk = statusDesk(someDevices(100))
    desk.run(120, steady)
    desk.run(300)
    expect(states(desk, 0, 100)).toEqual(['unknown'])
    expect(desk.engine.health()).toMatchObject({ collapsed: true, held: 100 })
    // Device 7 beat last at second 67 of the two minutes: 53 s before the end of them.
    const lastBeat = desk.clock.now() - 300_000 - 53_000
    expect(desk.engine.state(7)).toEqual({
      state: 'unknown',
      reason: 'hub',
      since: lastBeat + 60_000,
    })
  })

  test('everybody is up again from receipt when the observer hears again', () => {
    const desk = statusDesk(someDevices(100))
    desk.run(120, steady)
    desk.run(3600)
    desk.run(60, steady)
    expect(states(desk, 0, 100)).toEqual(['up'])
    desk.run(2, steady)
    expect(desk.engine.health()).toMatchObject({ collapsed: false, held: 0 })
  })

  test('who stays silent after it is down when the limit has run from its end', () => {
    const desk = statusDesk(someDevices(100))
    desk.run(120, steady)
    desk.run(600)
    const back = desk.clock.now()
    desk.run(60, other)
    expect(desk.engine.state(5)).toMatchObject({ state: 'unknown' })
    desk.run(200, other)
    const verdict = desk.engine.state(5)!
    expect(verdict).toMatchObject({ state: 'down', reason: 'silence' })
    expect(verdict.since).toBeGreaterThanOrEqual(back + 180_000)
    expect(verdict.since).toBeLessThanOrEqual(back + 60_000 + 180_000)
    expect(states(desk, 6, 100)).toEqual(['up'])
  })

  test('a device that was late but not judged when it ended is unknown, not down', () => {
    const desk = statusDesk(someDevices(100))
    desk.run(120, steady)
    // The limit of the first devices runs out 120 s after the cut; it ends before that.
    desk.run(110)
    desk.run(45, (n, second) => n > 40 && second % 45 === n % 45)
    expect(states(desk, 0, 40)).not.toContain('down')
  })

  test('those that are still heard are judged by their own silence', () => {
    const desk = statusDesk(someDevices(100))
    desk.run(120, steady)
    desk.run(400, forty)
    expect(states(desk, 0, 40)).toEqual(['up'])
    expect(states(desk, 40, 100)).toEqual(['unknown'])
    desk.run(240, (n, second) => n !== 3 && forty(n, second))
    expect(desk.engine.state(3)).toMatchObject({ state: 'down', reason: 'silence' })
    expect(states(desk, 40, 100)).toEqual(['unknown'])
  })

  test('battery contacts with long heartbeats do not hide that every lamp fell silent', () => {
    const contacts = Array.from({ length: 150 }, (_, n) =>
      someDevice(50 + n, { heartbeatS: 21_600 }),
    )
    const desk = statusDesk([...someDevices(50), ...contacts])
    desk.run(60, steady)
    desk.run(60, (n, second) => n < 50 && steady(n, second))
    desk.run(200)
    expect(states(desk, 0, 50)).toEqual(['unknown'])
    expect(states(desk, 50, 200)).toEqual(['up'])
  })

  test('a last will is proof even then', () => {
    const desk = statusDesk(someDevices(100))
    desk.run(120, steady)
    desk.run(100)
    desk.engine.lost(9)
    desk.run(300)
    expect(desk.engine.state(9)).toMatchObject({ state: 'down', reason: 'lwt' })
  })

  test('a restart during it does not turn silence into down', () => {
    const desk = statusDesk(someDevices(100))
    desk.run(120, steady)
    desk.restart(30_000)
    desk.run(600)
    expect(states(desk, 0, 100)).toEqual(['unknown'])
    desk.restart(30_000)
    desk.run(600)
    expect(states(desk, 0, 100)).toEqual(['unknown'])
  })

  test('slow devices that nobody waits for yet do not hide it after a restart', () => {
    const slow = Array.from({ length: 400 }, (_, n) => someDevice(40 + n, { heartbeatS: 300 }))
    const desk = statusDesk([...someDevices(40), ...slow])
    desk.run(300, (n, second) => second % (n < 40 ? 60 : 300) === n % 60)
    desk.restart(1000)
    desk.run(400)
    expect(states(desk, 0, 40)).toEqual(['unknown'])
  })

  test('blindness of the hub itself begins anew: the dead are down when the limit has run', () => {
    const desk = statusDesk(someDevices(100))
    desk.run(120, steady)
    desk.run(300)
    desk.clock.advance(20_000)
    desk.engine.tick()
    expect(desk.engine.health()).toMatchObject({ collapsed: false, lagging: true })
    desk.run(200, other)
    expect(desk.engine.health()).toMatchObject({ lagging: false, held: 0 })
    expect(desk.engine.state(5)).toMatchObject({ state: 'down', reason: 'silence' })
  })

  test('a device that got a longer heartbeat meanwhile is released with the others', () => {
    const desk = statusDesk(someDevices(100))
    desk.run(120, steady)
    desk.run(300)
    desk.engine.add([someDevice(5, { heartbeatS: 600 })])
    desk.run(200, other)
    expect(desk.engine.health()).toMatchObject({ collapsed: false, held: 0 })
    desk.run(1800, other)
    expect(desk.engine.state(5)).toMatchObject({ state: 'down', reason: 'silence' })
  })

  test('who was down before a restart counts again once it is heard', () => {
    const desk = statusDesk(someDevices(100))
    desk.run(60, steady)
    for (let n = 0; n < 100; n++) desk.engine.lost(n)
    desk.restart(60_000)
    desk.run(60, steady)
    desk.run(240)
    expect(states(desk, 0, 100)).toEqual(['unknown'])
  })
})

describe('less than a collapse', () => {
  test('one hundred of a thousand frozen silently are down at 180 s', () => {
    const desk = statusDesk(someDevices(1000))
    desk.run(60, steady)
    desk.run(60, (n, second) => n >= 100 && steady(n, second))
    desk.run(120, (n, second) => n >= 100 && steady(n, second))
    expect(states(desk, 0, 100)).toEqual(['down'])
    expect(states(desk, 100, 1000)).toEqual(['up'])
    expect(desk.engine.health()).toMatchObject({ collapsed: false, held: 0 })
  })

  test('a village of nineteen devices is too small to blame the observer: all are down', () => {
    const desk = statusDesk(someDevices(19))
    desk.run(60, steady)
    desk.run(240)
    expect(states(desk, 0, 19)).toEqual(['down'])
  })

  test('devices that were registered and never spoke are down, not a collapse', () => {
    const desk = statusDesk(someDevices(100))
    desk.run(180)
    expect(states(desk, 0, 100)).toEqual(['down'])
  })

  test('devices that never spoke are down after a restart, too', () => {
    const desk = statusDesk(someDevices(100))
    desk.run(10)
    desk.restart(1000)
    desk.run(180)
    expect(states(desk, 0, 100)).toEqual(['down'])
  })

  test.each(['restart', 'stall'])('what was down for long is down again after a %s', (way) => {
    const desk = statusDesk(someDevices(100))
    desk.run(60, steady)
    // One after another, so that it is sixty faults and no collapse.
    desk.run(4000, (n, second) => (n < 40 || second < (n - 39) * 60) && steady(n, second))
    expect(states(desk, 40, 100)).toEqual(['down'])
    if (way === 'restart') desk.restart(60_000)
    else desk.clock.advance(60_000)
    desk.run(240, forty)
    expect(states(desk, 0, 40)).toEqual(['up'])
    expect(states(desk, 40, 100)).toEqual(['down'])
  })

  test('a restart after an hour is no collapse while the limit has not run', () => {
    const desk = statusDesk(someDevices(100))
    desk.run(120, steady)
    desk.restart(3_600_000)
    desk.run(60, steady)
    expect(desk.engine.health()).toMatchObject({ collapsed: false, held: 0 })
    expect(desk.lines.filter(({ msg }) => msg.includes('collapsed'))).toEqual([])
  })

  test('devices that fail one after another over hours are each down', () => {
    const desk = statusDesk(someDevices(100))
    desk.run(60, steady)
    desk.run(6000, (n, second) => second < n * 60 && steady(n, second))
    expect(states(desk, 0, 90)).toEqual(['down'])
  })
})

describe('the event loop comes late', () => {
  test('a verdict waits until the packets that lay in the sockets are read', () => {
    const desk = statusDesk(someDevices(1))
    desk.run(1, () => true)
    desk.run(177)
    // The loop stands still while the limit passes; the packet arrived but nobody read it.
    desk.clock.advance(5000)
    desk.engine.tick()
    expect(desk.engine.health()).toMatchObject({ lagging: true })
    expect(desk.engine.state(0)).toMatchObject({ state: 'up' })
    desk.engine.seen(0)
    desk.run(10)
    expect(desk.engine.state(0)).toMatchObject({ state: 'up' })
    expect(desk.engine.health()).toMatchObject({ lagging: false })
  })

  test('a verdict that was only delayed still begins with the first missed beat', () => {
    const desk = statusDesk(someDevices(1))
    desk.run(1, () => true)
    const lastSeen = desk.clock.now()
    desk.run(177)
    desk.clock.advance(5000)
    desk.engine.tick()
    desk.run(5)
    expect(desk.engine.state(0)).toMatchObject({ state: 'down', since: lastSeen + 60_000 })
  })

  test('two seconds late is no reason to wait', () => {
    const desk = statusDesk(someDevices(1))
    desk.run(1, () => true)
    desk.run(177)
    desk.clock.advance(3000)
    desk.engine.tick()
    expect(desk.engine.state(0)).toMatchObject({ state: 'down' })
  })

  test('a gap longer than a life row is blindness: unknown from the last tick until heard', () => {
    const desk = statusDesk(someDevices(2))
    desk.run(60, steady)
    const lastTick = desk.clock.now()
    desk.clock.advance(120_000)
    desk.engine.tick()
    expect(desk.engine.state(0)).toEqual({ state: 'unknown', reason: 'hub', since: lastTick })
    desk.engine.seen(0)
    desk.run(180, (n, second) => n === 0 && second === 60)
    expect(desk.story(0).slice(-2)).toEqual([
      { from: lastTick, to: lastTick + 120_000, state: 'unknown', reason: 'hub' },
      { from: lastTick + 120_000, to: null, state: 'up', reason: 'alive' },
    ])
    expect(desk.engine.state(1)).toEqual({
      state: 'down',
      reason: 'silence',
      since: lastTick + 300_000,
    })
  })

  test('a stall of minutes holds no later verdict back: a beat after it counts 180 s, no more', () => {
    const desk = statusDesk([someDevice(0)])
    desk.run(1)
    desk.clock.advance(205_001)
    desk.engine.tick()
    desk.engine.seen(0)
    desk.run(182)
    expect(desk.engine.state(0)!.state).toBe('down')
  })

  test('a machine that slept is blind although its monotonic clock stood still', () => {
    const desk = statusDesk(someDevices(1))
    desk.run(60, steady)
    const lastTick = desk.clock.now()
    desk.clock.stepWall(3_600_000)
    desk.run(1)
    expect(desk.state.lastLife()).toMatchObject({ from: desk.clock.now(), at: desk.clock.now() })
    expect(desk.engine.state(0)).toEqual({ state: 'unknown', reason: 'hub', since: lastTick })
  })

  test('a wall clock that is set back moves no interval backwards', () => {
    const desk = statusDesk(someDevices(1))
    desk.run(60, steady)
    desk.clock.stepWall(-3_600_000)
    desk.run(1)
    desk.engine.lost(0)
    desk.run(10)
    const { from: began, at } = desk.state.lastLife()!
    expect(at).toBeGreaterThanOrEqual(began)
    const story = desk.story(0)
    expect(story.map(({ state }) => state)).toEqual(['unknown', 'down'])
    for (const { from, to } of story) expect(from).toBeLessThanOrEqual(to ?? Infinity)
  })
})
