import { expect, test, vi } from 'vitest'
import { en } from '../../console/src/lib/text/en.ts'
import { Text } from '../../console/src/lib/text/text.svelte.ts'
import { zhCn } from '../../console/src/lib/text/zh-cn.ts'
import { ApiError, httpApi } from '../../console/src/lib/state/api.ts'
import { HubClock } from '../../console/src/lib/state/hub-clock.svelte.ts'
import { Pages } from '../../console/src/lib/state/pages.svelte.ts'
import { Session } from '../../console/src/lib/state/session.svelte.ts'
import { failureWords } from '../../console/src/lib/rules/failure-words.ts'
import { Siren } from '../../console/src/lib/sound/siren.svelte.ts'
import { nearest } from '../../console/src/lib/map/point-layer.ts'
import { mercator } from '../../console/src/lib/map/projection.ts'
import { fakeAudio, memoryStorage, noon } from './support/fakes.ts'

const holes = (words: string) => [...words.matchAll(/\{\w+\}/g)].map(([hole]) => hole).sort()

test('English has every text, with the same holes, and none is Chinese', () => {
  for (const [key, words] of Object.entries(zhCn)) {
    const english = (en as Readonly<Record<string, string>>)[key]
    expect(english, key).toBeTruthy()
    expect(holes(english ?? ''), key).toEqual(holes(words))
    // The switch to Chinese is written in Chinese, for those who need it.
    expect(key !== 'menu.lang' && /\p{Script=Han}/u.test(english ?? ''), key).toBe(false)
  }
})

test('the language is kept and put on the page', async () => {
  const keep = memoryStorage()
  const text = new Text(keep)
  await text.use('en')
  expect(text.t('alarm.open', { count: 3 })).toBe('3 open')
  expect(document.documentElement.lang).toBe('en')
  const next = new Text(keep)
  await next.restore()
  expect(next.lang).toBe('en')
})

const answer = (status: number, body: unknown) => async () => Response.json(body, { status })

test('a refusal becomes an error with the code of the hub, in words', async () => {
  const body = { code: 'ALARM_TAKEN', message: "Alarm 'a1' was already taken by 李秀英" }
  const api = httpApi({ fetch: answer(409, body), ended: () => undefined })
  const failure: unknown = await api.acknowledge('a1').catch((error: unknown) => error)
  expect(failure).toMatchObject({ code: 'ALARM_TAKEN', status: 409 })
  expect(failureWords(failure, new Text(memoryStorage()))).toBe('李秀英 已经接手了这条报警。')
})

test('a hub that does not answer is a network failure, not a crash', async () => {
  const api = httpApi({ fetch: () => Promise.reject(new TypeError('x')), ended: () => undefined })
  await expect(api.me()).rejects.toMatchObject({ code: 'network', status: 0 })
})

test('a session that ended elsewhere is told once, a wrong password is not taken for it', async () => {
  const ended = vi.fn<() => void>()
  const gone = httpApi({ fetch: answer(401, { code: 'NOT_SIGNED_IN', message: '' }), ended })
  await gone.system().catch(() => undefined)
  expect(ended).toHaveBeenCalledTimes(1)
  const wrong = httpApi({ fetch: answer(401, { code: 'SIGN_IN_FAILED', message: '' }), ended })
  await wrong.signIn('a', 'b').catch(() => undefined)
  expect(ended).toHaveBeenCalledTimes(1)
})

test('a camera id travels as one path segment', async () => {
  const paths: string[] = []
  const api = httpApi({
    fetch: async (path) => {
      paths.push(path)
      return Response.json({})
    },
    ended: () => undefined,
  })
  await api.grant('a/../b')
  expect(paths).toEqual(['/api/v1/cameras/a%2F..%2Fb/grant'])
})

test('an unreachable hub does not sign anybody out', async () => {
  const session = new Session()
  await session.restore({ me: () => Promise.reject(new ApiError('network', 0, '')) })
  expect([session.me, session.unreachable]).toEqual([undefined, true])
  await session.restore({ me: () => Promise.reject(new ApiError('NOT_SIGNED_IN', 401, '')) })
  expect(session.me).toBeNull()
})

test("ages are counted by the hub's clock, whatever the PC's says", () => {
  let local = noon
  const clock = new HubClock(() => local)
  clock.hear(noon + 3_600_000)
  local += 5000
  // A message that was long under way must not set the clock back.
  clock.hear(noon + 3_600_000 + 1000)
  expect(clock.read()).toBe(noon + 3_605_000)
})

test('before a gesture the siren says that it would not be heard', async () => {
  const { audio, started } = fakeAudio('suspended')
  const siren = new Siren({ audio: () => audio, now: () => noon, keep: memoryStorage() })
  siren.probe()
  siren.play('critical')
  expect([siren.running, started]).toEqual([false, []])
  await siren.unlock()
  expect(siren.running).toBe(true)
  siren.play('critical')
  expect(started).toEqual([960, 770, 960, 770, 960, 770, 960, 770])
})

test('mute lasts ten minutes, is kept over a reload, and does not silence the test button', async () => {
  const { audio, started } = fakeAudio('running')
  let now = noon
  const keep = memoryStorage()
  const make = () => new Siren({ audio: () => audio, now: () => now, keep })
  const siren = make()
  await siren.unlock()
  siren.toggleMute()
  siren.play('high')
  expect(started).toEqual([])
  siren.play('high', true)
  expect(started).toHaveLength(3)
  expect(make().muted).toBe(true)
  now += 600_001
  expect(make().muted).toBe(false)
})

test('the same ring asked for again does not begin anew', async () => {
  vi.useFakeTimers()
  try {
    const { audio, started } = fakeAudio('running')
    const siren = new Siren({ audio: () => audio, now: () => noon, keep: memoryStorage() })
    await siren.unlock()
    siren.ring('high')
    siren.ring('high')
    expect(started).toHaveLength(3)
    vi.advanceTimersByTime(15_000)
    expect(started).toHaveLength(6)
    siren.ring(undefined)
    vi.advanceTimersByTime(60_000)
    expect(started).toHaveLength(6)
  } finally {
    vi.useRealTimers()
  }
})

test('pages are read one after another; a new question forgets the answer to the old one', async () => {
  const waiting: ((page: { items: number[]; next: string | null }) => void)[] = []
  const pages = new Pages<number>(() => new Promise((resolve) => waiting.push(resolve)))
  const first = pages.restart()
  void pages.more()
  expect(waiting).toHaveLength(1)
  const second = pages.restart()
  waiting[0]?.({ items: [1], next: null })
  waiting[1]?.({ items: [2], next: 'x' })
  await Promise.all([first, second])
  expect([pages.rows, pages.done]).toEqual([[2], false])
})

test('the middle of the county is projected where Leaflet puts it', async () => {
  const { default: L } = await import('leaflet')
  const { x, y } = mercator(119.42, 30.21)
  const there = L.CRS.EPSG3857.latLngToPoint(L.latLng(30.21, 119.42), 3)
  expect(x * 256 * 8).toBeCloseTo(there.x, 6)
  expect(y * 256 * 8).toBeCloseTo(there.y, 6)
})

test('the pointer finds the nearest point within reach, and points without a place never', () => {
  const x = new Float64Array([10, 14, Number.NaN])
  const y = new Float64Array([10, 10, Number.NaN])
  expect(nearest(x, y, { x: 13, y: 10 }, 9)).toBe(1)
  expect(nearest(x, y, { x: 40, y: 10 }, 9)).toBe(-1)
})
