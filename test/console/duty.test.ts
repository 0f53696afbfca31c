import { expect, test, vi } from 'vitest'
import { AlarmActions } from '../../console/src/lib/alarms/alarm-desk.svelte.ts'
import { Siren } from '../../console/src/lib/sound/siren.svelte.ts'
import { Desk, type App } from '../../console/src/lib/state/app.svelte.ts'
import type { Fleet } from '../../console/src/lib/state/fleet.svelte.ts'
import { alarmArrivals } from '../../console/src/lib/state/watch-alarms.svelte.ts'
import { Text } from '../../console/src/lib/text/text.svelte.ts'
import { alarm, fakeAudio, memoryStorage, noon, village } from './support/fakes.ts'

const text = new Text(memoryStorage())

/** A desk whose fleet is what the test says. */
function deskWith(fleet: Partial<Fleet>) {
  const desk = new Desk()
  desk.fleet = fleet as Fleet
  return desk
}

test('while the hub is lost nothing can be taken, the reason is said and the hub is not asked', async () => {
  const asked: string[] = []
  const api = {
    acknowledge: async (id: string) => {
      asked.push(id)
      return alarm({ state: 'ack-active' })
    },
  } as unknown as App['api']
  const desk = deskWith({ lost: true })
  const acting = new AlarmActions({ api, desk, text }, () => undefined)
  await acting.acknowledge('a1')
  expect(asked).toEqual([])
  expect(acting.blocked).toContain('现在不能确认')
  expect(desk.notice).toMatchObject({ bad: true, text: acting.blocked })
  desk.fleet = { lost: false } as Fleet
  expect(acting.blocked).toBe('')
  await acting.acknowledge('a1')
  expect(asked).toEqual(['a1'])
})

/** Alarms of one village with a running siren; `now` goes on by whole seconds, as the page's clock does. */
async function room(state: AudioContextState = 'running') {
  const { audio, started } = fakeAudio(state)
  const siren = new Siren({ audio: () => audio, now: () => noon, keep: memoryStorage() })
  siren.probe()
  const desk = deskWith({ lost: false, alarms: [alarm({ lastAt: noon })] })
  const session = { may: () => true }
  const arrivals = alarmArrivals({ siren, desk, text, session } as unknown as App, village)
  let at = noon
  return {
    siren,
    desk,
    started,
    seconds: (count: number) => {
      for (let s = 0; s < count; s += 1) {
        at += 1000
        vi.advanceTimersByTime(1000)
        arrivals.judge(at)
      }
    },
    judge: () => arrivals.judge(at),
    close: () => arrivals.close(),
  }
}
/** Tones of one critical call. */
const call = 8

test('a critical alarm calls each 5 s until somebody takes it, and then no more', async () => {
  vi.useFakeTimers()
  try {
    const { judge, seconds, started, desk, close } = await room()
    judge()
    expect(started).toHaveLength(call)
    seconds(5)
    expect(started).toHaveLength(2 * call)
    seconds(600)
    expect(started).toHaveLength(122 * call)
    desk.fleet = { lost: false, alarms: [alarm({ state: 'ack-active' })] } as unknown as Fleet
    judge()
    seconds(60)
    expect(started).toHaveLength(122 * call)
    close()
  } finally {
    vi.useRealTimers()
  }
})

test('what rang unheard is heard at the first touch, not at its next turn', async () => {
  vi.useFakeTimers()
  try {
    const { judge, started, siren, close } = await room('suspended')
    judge()
    expect([siren.running, started]).toEqual([false, []])
    await siren.unlock()
    expect(started).toHaveLength(call)
    close()
  } finally {
    vi.useRealTimers()
  }
})

test('a context the browser stopped again is told at once: the red bar asks for it', () => {
  const { audio } = fakeAudio('running')
  const siren = new Siren({ audio: () => audio, now: () => noon, keep: memoryStorage() })
  siren.probe()
  expect(siren.running).toBe(true)
  audio.state = 'suspended'
  audio.onstatechange?.()
  expect(siren.running).toBe(false)
})
