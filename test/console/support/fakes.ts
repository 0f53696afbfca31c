import type { AlarmView } from '#schema/alarm.ts'
import type { Snapshot, SnapshotDevice, SnapshotVillage } from '#schema/live.ts'
import type { Frames } from '../../../console/src/lib/state/flush.ts'
import type { Audio } from '../../../console/src/lib/sound/siren.svelte.ts'
import type { HubListeners, OpenLink } from '../../../console/src/lib/state/live-link.ts'

export const noon = 1_772_337_600_000
export const village = '339901001001'

export const alarm = (change: Partial<AlarmView> = {}): AlarmView => ({
  id: 'a1',
  change: 1,
  deviceId: 'door-1',
  region: village,
  kind: 'intrusion',
  point: '',
  priority: 1,
  state: 'unack-active',
  raisedAt: noon - 10_000,
  deviceAt: null,
  lastAt: noon - 10_000,
  count: 1,
  acknowledgedAt: null,
  acknowledgedBy: null,
  returnedAt: null,
  closedAt: null,
  closedBy: null,
  cause: null,
  deviceName: '小卖部后门门磁',
  deviceKind: 'contact',
  place: '小卖部后门',
  village: '杨家庄',
  township: '东城镇',
  ...change,
})

export const device = (n: number, change: Partial<SnapshotDevice> = {}): SnapshotDevice => ({
  n,
  id: `door-${n}`,
  kind: 'contact',
  name: `门磁 ${n}`,
  region: village,
  place: '村口',
  lon: 120,
  lat: 30,
  state: 0,
  since: noon - 3_600_000,
  seen: noon - 5000,
  reason: 'alive',
  ...change,
})

export const villageRow = (
  code: string,
  change: Partial<SnapshotVillage> = {},
): SnapshotVillage => ({
  code,
  name: `村 ${code}`,
  township: `${code.slice(0, 9)}000`,
  lon: 120,
  lat: 30,
  outline: null,
  counts: { up: 10, degraded: 0, down: 0, unknown: 0, excluded: 0, uncommissioned: 0 },
  open: 0,
  unack: 0,
  ...change,
})

export const snapshot = (change: Partial<Snapshot> = {}): Snapshot => ({
  at: noon,
  scope: village,
  name: '杨家庄',
  path: [{ scope: village, name: '杨家庄' }],
  children: [],
  counts: { up: 0, degraded: 0, down: 0, unknown: 0, excluded: 0, uncommissioned: 0 },
  villages: [],
  devices: [device(1), device(2), device(7)],
  devicesTotal: 3,
  alarms: [],
  alarmsOpen: 0,
  cameras: [],
  lastAlarmAt: null,
  ...change,
})

/** A live connection the test speaks through. */
export function fakeLink() {
  let heard: HubListeners | undefined
  let closed = 0
  const open: OpenLink = (_scope, listeners) => {
    heard = listeners
    return { close: () => (closed += 1) }
  }
  return {
    open,
    hub: () => {
      if (!heard) throw new Error('nobody opened the link')
      return heard
    },
    closed: () => closed,
  }
}

/** Frames and timers that run when the test says so. */
export function fakeFrames() {
  let now = 0
  let frame: (() => void) | undefined
  let timer: { at: number; run: () => void } | undefined
  const frames: Frames = {
    now: () => now,
    frame: (run) => {
      frame = run
      return 1
    },
    drop: () => (frame = undefined),
    after: (ms, run) => {
      timer = { at: now + ms, run }
      return 2
    },
    clear: () => (timer = undefined),
  }
  return {
    frames,
    /** Lets time pass, then paints one frame when one was asked for. True when it painted. */
    pass: (ms: number): boolean => {
      now += ms
      if (timer && timer.at <= now) {
        const { run } = timer
        timer = undefined
        run()
      }
      const run = frame
      frame = undefined
      run?.()
      return run !== undefined
    },
  }
}

/** Storage of one test. */
export function memoryStorage(): Pick<Storage, 'getItem' | 'setItem'> {
  const held = new Map<string, string>()
  return {
    getItem: (key) => held.get(key) ?? null,
    setItem: (key, value) => void held.set(key, value),
  }
}

/** An AudioContext that writes down what it was asked to sound, in Hz. */
export function fakeAudio(state: AudioContextState) {
  const started: number[] = []
  const node = { connect: () => node, gain: { setValueAtTime() {}, linearRampToValueAtTime() {} } }
  const audio = {
    state,
    currentTime: 0,
    destination: {},
    onstatechange: null as (() => void) | null,
    async resume() {
      audio.state = 'running'
      audio.onstatechange?.()
    },
    createGain: () => node,
    createOscillator: () => {
      const tone = {
        frequency: { value: 0 },
        type: 'sine',
        connect: () => node,
        start: () => started.push(tone.frequency.value),
        stop() {},
      }
      return tone
    },
  }
  return { audio: audio as typeof audio & Audio, started }
}
