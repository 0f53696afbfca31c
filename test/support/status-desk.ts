import { statusEngine, type EngineOptions } from '../../hub/intake/status-engine.ts'
import type { Device } from '../../hub/schema/device.ts'
import type { StateStore } from '../../hub/store/state-store.ts'
import { fakeClock, type FakeClock } from './fake-clock.ts'
import { memoryState } from './memory-state.ts'
import { keptLog } from './store-log.ts'

/** A mains device with a heartbeat of 60 s, commissioned long ago. */
export const someDevice = (n: number, over: Partial<Device> = {}): Device => ({
  n,
  deviceId: `d${n}`,
  kind: 'light',
  model: 'native/light',
  name: `lamp ${n}`,
  region: '339901001001',
  place: 'main road',
  position: null,
  heartbeatS: 60,
  commissionedAt: 0,
  camera: null,
  ...over,
})

export const someDevices = (count: number, over: Partial<Device> = {}) =>
  Array.from({ length: count }, (_, n) => someDevice(n, over))

/** An engine on a fake clock that is ticked each second, and its restarts. */
export function statusDesk(
  devices: readonly Device[],
  given: { state?: StateStore; clock?: FakeClock; options?: Partial<EngineOptions> } = {},
) {
  const { state = memoryState(), clock = fakeClock(), options = {} } = given
  const { log, lines } = keptLog()
  const open = () => statusEngine({ devices, state, clock, log, options })
  let engine = open()
  return {
    clock,
    state,
    lines,
    get engine() {
      return engine
    },
    /** What the store tells of one device, oldest first. */
    story: (n: number) =>
      state
        .between([`d${n}`], 0, Number.MAX_SAFE_INTEGER)
        .map(({ from, to, state: was, reason }) => ({ from, to, state: was, reason })),
    /** Runs seconds; before each tick `beat` says who is heard. */
    run(seconds: number, beat: (n: number, second: number) => boolean = () => false) {
      clock.run(seconds, (second) => {
        for (const { n } of devices) if (beat(n, second)) engine.seen(n)
        engine.tick()
      })
    },
    /** A clean stop, `ms` without a hub, and a new engine on the same store. */
    restart(ms: number) {
      engine.close()
      clock.advance(ms)
      engine = open()
    },
    /** The process dies between two ticks; a new one starts `ms` later. */
    crash(ms: number) {
      clock.advance(ms)
      engine = open()
    },
  }
}

/** Everybody beats each 60 s, spread over the minute. */
export const steady = (n: number, second: number) => second % 60 === n % 60
