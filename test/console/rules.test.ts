import { expect, test } from 'vitest'
import type { Strip } from '#schema/state.ts'
import { actions, grants } from '../../hub/rules/policy.ts'
import { Role } from '../../hub/schema/people.ts'
import { deskOrder, withAlarm } from '../../console/src/lib/rules/alarm-order.ts'
import { childrenOf, lookOfVillage } from '../../console/src/lib/rules/children.ts'
import { chooseCameras } from '../../console/src/lib/rules/live-choice.ts'
import { ringNow, softAtArrival } from '../../console/src/lib/rules/ring.ts'
import { homeOf, screens, screensOf } from '../../console/src/lib/rules/screens.ts'
import { liveHeight } from '../../console/src/lib/rules/live-layout.ts'
import {
  binWords,
  drawStrip,
  firstUseAt,
  type StripCanvas,
} from '../../console/src/lib/rules/strip-bins.ts'
import { Text } from '../../console/src/lib/text/text.svelte.ts'
import { dayTime, runningAge, spanWords } from '../../console/src/lib/text/times.ts'
import { alarm, memoryStorage, noon, villageRow } from './support/fakes.ts'

const text = new Text(memoryStorage())

test('the desk shows unacknowledged first, then priority, then newest', () => {
  const rows = [
    alarm({ id: 'taken', state: 'ack-active' }),
    alarm({ id: 'low-new', priority: 3, raisedAt: noon }),
    alarm({ id: 'old', raisedAt: noon - 60_000 }),
    alarm({ id: 'new', raisedAt: noon - 1000 }),
    alarm({ id: 'back', state: 'returned-unack', priority: 2 }),
  ]
  expect(rows.sort(deskOrder).map(({ id }) => id)).toEqual([
    'new',
    'old',
    'back',
    'low-new',
    'taken',
  ])
})

test('an older row than the one held changes nothing', () => {
  const desk = [alarm({ change: 9, state: 'ack-active' })]
  expect(withAlarm(desk, alarm({ change: 8 }))).toBe(desk)
})

const ago = (s: number, priority: number) =>
  alarm({ priority, raisedAt: noon - s * 1000, lastAt: noon - s * 1000 })

test.each([
  ['village', ago(1, 1), 'critical'],
  ['township', ago(59, 1), undefined],
  ['township', ago(60, 1), 'critical'],
  ['county', ago(179, 1), undefined],
  ['county', ago(180, 1), 'critical'],
  ['village', ago(1, 2), 'high'],
  ['village', ago(181, 2), undefined],
  ['township', ago(181, 2), 'high'],
  ['county', ago(900, 2), undefined],
  ['village', ago(1, 3), undefined],
  ['village', alarm({ state: 'ack-active' }), undefined],
] as const)('%s rings %#', (level, one, pattern) => {
  expect(ringNow([one], level, noon)).toBe(pattern)
})

test('one alarm sounds at a time, the highest first', () => {
  expect(ringNow([ago(5, 2), ago(5, 1)], 'village', noon)).toBe('critical')
})

test('a level above hears one soft tone when an alarm arrives that it rings later for', () => {
  expect(softAtArrival(ago(0, 1), 'county')).toBe(true)
  expect(softAtArrival(ago(0, 1), 'village')).toBe(false)
  expect(softAtArrival(ago(0, 3), 'village')).toBe(true)
  expect(softAtArrival(ago(0, 4), 'village')).toBe(false)
})

test('children stand worst first: unacknowledged, open, offline, unseen', () => {
  const quiet = villageRow('339901001001')
  const counts = { ...quiet.counts, down: 3 }
  const rows = childrenOf(
    [
      { scope: '339901001', name: 'a' },
      { scope: '339901002', name: 'b' },
      { scope: '339901003', name: 'c' },
      { scope: '339901004', name: 'd' },
    ],
    [
      quiet,
      villageRow('339901002001', { counts }),
      villageRow('339901003001', { open: 1 }),
      villageRow('339901004001', { open: 1, unack: 1 }),
    ],
  )
  expect(rows.map(({ name }) => name)).toEqual(['d', 'c', 'b', 'a'])
})

test('a village that was last heard of as well is drawn unknown while the data is stale', () => {
  expect(lookOfVillage(villageRow('339901001001'), false).shape).toBe('ok')
  expect(lookOfVillage(villageRow('339901001001'), true).shape).toBe('unknown')
  const counts = { ...villageRow('1').counts, up: 9, down: 1 }
  expect(lookOfVillage(villageRow('1', { counts }), false)).toEqual({ shape: 'offline', size: 0.5 })
})

test('the alarm camera of the same village comes first and alone wears the frame', () => {
  const cameras = ['c1', 'c2', 'c3', 'c4', 'c5'].map((id, n) => ({
    id,
    n,
    name: id,
    region: n >= 3 ? '339901001002' : '339901001001',
  }))
  const chosen = chooseCameras(cameras, [alarm({ region: '339901001002' })], (id) => id === 'c4')
  expect(chosen.map(({ id, alarmed }) => [id, alarmed])).toEqual([
    ['c5', true],
    ['c1', false],
    ['c2', false],
    ['c3', false],
  ])
})

const bin = (...ms: number[]) => [...ms, ...Array.from({ length: 6 - ms.length }, () => 0)]
const strip = (...bins: number[][]): Strip => ({
  key: 'd',
  name: 'd',
  from: noon,
  to: noon + bins.length * 300_000,
  bins,
})

test.each([
  [bin(300_000), '正常'],
  [bin(120_000, 0, 180_000), '离线 3 分 · 正常 2 分'],
  [bin(0, 0, 0, 300_000), '看不到 5 分'],
  [bin(0, 0, 300_000), '离线 5 分'],
  [bin(), '—'],
  // Ten devices, one of them down: told as its part of the five minutes.
  [bin(2_700_000, 0, 300_000), '离线 30 秒 · 正常 4 分 30 秒'],
])('a bin of %j reads %s', (ms, words) => {
  expect(binWords(strip(ms), 0, text)).toMatch(new RegExp(`^\\d\\d:\\d\\d–\\d\\d:\\d\\d ${words}$`))
})

/** Records what is filled, by colour. */
function recorder() {
  const filled: { colour: unknown; h: number; w: number; x: number }[] = []
  let hatches = 0
  const nothing = () => undefined
  const canvas = {
    fillStyle: '',
    strokeStyle: '',
    lineWidth: 1,
    fillRect: (x: number, _y: number, w: number, h: number) =>
      filled.push({ colour: canvas.fillStyle, h, w, x }),
    stroke: () => (hatches += 1),
    clearRect: nothing,
    beginPath: nothing,
    moveTo: nothing,
    lineTo: nothing,
    save: nothing,
    restore: nothing,
    rect: nothing,
    clip: nothing,
  }
  return { canvas: canvas as unknown as StripCanvas, filled, hatches: () => hatches }
}
const colours = {
  ok: 'ok',
  warn: 'warn',
  offline: 'off',
  maint: 'maint',
  unknown: 'unknown',
  hatch: 'h',
}

test('unknown is a hatched block of full height, never a gap and never the last state', () => {
  const { canvas, filled, hatches } = recorder()
  drawStrip(
    canvas,
    strip(bin(300_000), bin(0, 0, 0, 300_000)),
    { width: 2, height: 18 },
    colours,
    false,
  )
  expect(filled).toMatchObject([
    { colour: 'ok', h: 2 },
    { colour: 'unknown', h: 18 },
  ])
  expect(hatches()).toBe(1)
})

test('one second offline is still one pixel high', () => {
  const { canvas, filled } = recorder()
  drawStrip(canvas, strip(bin(299_000, 0, 1000)), { width: 1, height: 18 }, colours, false)
  expect(filled.at(-1)).toMatchObject({ colour: 'off', h: 1 })
})

test('a bin after now draws nothing', () => {
  const { canvas, filled } = recorder()
  drawStrip(canvas, strip(bin()), { width: 1, height: 18 }, colours, false)
  expect(filled).toEqual([])
})

/** A day of a device in 288 bins, all of one kind but for one bin. */
const day = (common: number[], at = -1, odd: number[] = []): Strip => ({
  ...strip(...Array.from({ length: 288 }, (_, n) => (n === at ? odd : common))),
  to: noon + 86_400_000,
})

test.each([
  ['a minute the hub stood still', bin(240_000, 0, 0, 60_000), 'unknown', 4],
  ['ten seconds offline', bin(290_000, 0, 10_000), 'off', 3],
])('%s is wide enough to see where a bin is 1.7 px', (_what, odd, colour, w) => {
  const { canvas, filled } = recorder()
  drawStrip(canvas, day(bin(300_000), 287, odd), { width: 490, height: 18 }, colours, false)
  const mark = filled.find((box) => box.colour === colour)
  expect(mark).toMatchObject({ w, x: 490 - w })
})

test('a township with a tenth of its devices unseen shows a hatch, not a hair', () => {
  const { canvas, filled } = recorder()
  drawStrip(canvas, strip(bin(270_000, 0, 0, 30_000)), { width: 2, height: 18 }, colours, true)
  expect(filled.find(({ colour }) => colour === 'unknown')).toMatchObject({ h: 7 })
})

test('time before a device was in use is a row of dots, neither a gap nor unknown', () => {
  const { canvas, filled, hatches } = recorder()
  const idle = bin(0, 0, 0, 0, 0, 300_000)
  drawStrip(canvas, day(idle, 287, bin(300_000)), { width: 288, height: 18 }, colours, false)
  const dots = filled.filter(({ w, h }) => w === 1 && h === 1)
  expect(dots.length).toBeGreaterThan(40)
  expect(hatches()).toBe(0)
  expect(binWords(strip(idle), 0, text)).toMatch(/未启用 5 分$/)
})

test('the hub tells since when it knows a device, to the second', () => {
  const idle = bin(0, 0, 0, 0, 0, 300_000)
  const half = bin(180_000, 0, 0, 0, 0, 120_000)
  const begins = firstUseAt(day(idle, 100, half), noon + 86_400_000)
  expect(begins).toBe(noon + 100 * 300_000 + 120_000)
  // The bin that still runs is 100 s old: 40 of them before the start.
  const running = strip(idle, bin(60_000, 0, 0, 0, 0, 40_000))
  expect(firstUseAt(running, noon + 400_000)).toBe(noon + 340_000)
  expect(firstUseAt(day(bin(300_000)), noon)).toBeUndefined()
  expect(firstUseAt(day(idle), noon)).toBeUndefined()
})

test('a township watches one camera of each village before a second of any', () => {
  const cameras = ['a1', 'a2', 'a3', 'b1', 'b2', 'c1', 'd1'].map((id, n) => ({
    id,
    n,
    name: '村口摄像机',
    region: `33990100100${id.charCodeAt(0) - 96}`,
  }))
  const pick = (down: string[]) =>
    chooseCameras(cameras, [], (id) => down.includes(id)).map(({ id }) => id)
  expect(pick([])).toEqual(['a1', 'b1', 'c1', 'd1'])
  expect(pick(['b1', 'b2'])).toEqual(['a1', 'c1', 'd1', 'a2'])
})

test('pictures of 16:9 fill the live panel, and the map keeps a third', () => {
  const column = { width: 640, height: 2000 }
  expect([1, 2, 3, 4].map((tiles) => liveHeight(tiles, column))).toEqual([396, 216, 276, 396])
  expect(liveHeight(4, { width: 640, height: 400 })).toBe(210)
  expect(liveHeight(4, { width: 0, height: 0 })).toBe(0)
})

test('a village clerk sees 5 entries; every role has a home that its navigation holds', () => {
  expect(screensOf('village-duty')).toHaveLength(5)
  for (const role of Role.options) {
    const home = homeOf({ role, scope: '339901' })
    expect(screensOf(role).map(({ path }) => path('339901'))).toContain(home)
  }
})

test('no navigation leads where the policy refuses', () => {
  const needs = {
    devices: 'device:read',
    alarms: 'alarm:read',
    live: 'camera:watch',
    settings: 'system:read',
    duty: 'region:read',
  } as const
  const refused = screens.flatMap(({ key, roles }) => {
    const need = (needs as Readonly<Record<string, (typeof actions)[number] | undefined>>)[key]
    return roles.filter((role) => need && !grants[role].includes(need)).map((role) => [role, key])
  })
  expect(refused).toEqual([])
})

test('spans are rounded down and never hide a second under ten minutes', () => {
  expect(spanWords(59_999, text.t)).toBe('59 秒')
  expect(spanWords(192_000, text.t)).toBe('3 分 12 秒')
  expect(spanWords(3_599_999, text.t)).toBe('59 分')
  expect(spanWords(90_000_000, text.t)).toBe('1 天 1 小时')
  expect(runningAge(125_000)).toBe('02:05')
})

test.each([
  ['23:47', '00:02 the next day', '2026-03-01T23:47:00', '2026-03-02T00:02:00', '23:47'],
  ['09:00', 'the same evening', '2026-03-01T09:00:00', '2026-03-01T23:00:00', '09:00'],
  ['08:00', 'the next morning', '2026-03-01T08:00:00', '2026-03-02T07:00:00', '03-01 08:00'],
])('%s read at %s', (_at, _now, at, now, words) => {
  expect(dayTime(Date.parse(at), Date.parse(now))).toBe(words)
})
