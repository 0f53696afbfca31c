import type { NewDevice } from '../hub/schema/device.ts'
import {
  type AlarmFrame,
  devicePrefix,
  type HeartbeatFrame,
  type StatusFrame,
} from '../hub/schema/native.ts'
import { between, normal, type Random } from './random.ts'

/** Readings that ride along in a heartbeat. */
export type Readings = Record<string, number | boolean>

/** One edge of an alarm before the device stamps boot, sequence and time on it. */
export type Edge = Pick<AlarmFrame, 'kind' | 'state'> & { prio: 1 | 2 | 3 | 4 }

/** What can happen to a device. Each kind answers those that make sense for it. */
export type Happening =
  | 'open'
  | 'close'
  | 'press'
  | 'fail'
  | 'mend'
  | 'flicker'
  | 'battery-low'
  | 'battery-changed'

/** How one kind behaves. Pure: time and chance come in, nothing goes out but values. */
export interface Behaviour {
  /** Fed by the village's mains: a power cut silences it. */
  readonly mains: boolean
  /** What the birth message says it can do. */
  readonly caps: readonly string[]
  /** @param now epoch ms, true time */
  readings(now: number): Readings
  /** Charge in percent; absent for devices on mains. */
  battery?(): number
  /** Edges to send, none when it is so already; undefined when this cannot happen to this kind. */
  happen(what: Happening): Edge[] | undefined
}

/** One device of the native dialect: frames only, no socket. */
export interface SimDevice {
  readonly device: NewDevice
  readonly mains: boolean
  /** Topic prefix, ending in `/`. */
  readonly prefix: string
  /** Random per start of the device; with `seq` the identity of an alarm. */
  boot(): string
  birth(now: number): StatusFrame
  will(): StatusFrame
  heartbeat(now: number): HeartbeatFrame
  /** Stamps the edge; called once per alarm, a resend repeats the same frame. */
  alarm(edge: Edge, now: number): AlarmFrame
  happen(what: Happening): Edge[] | undefined
  /** Power came back: new boot id, counters from 0. */
  restart(now: number): void
}

export interface SimDeviceDeps {
  device: NewDevice
  behaviour: Behaviour
  random: Random
  /** Epoch ms of the first start. */
  startedAt: number
  /** The clock lost its battery and counts from 2000-01-01. */
  clockLost?: boolean | undefined
}

/** 2000-01-01T00:00:00Z, where a clock without a battery begins. */
const lostClockStart = 946_684_800_000

/** What all kinds share: identity, boot id, sequences, clock with offset and drift, signal. */
export function simDevice(deps: SimDeviceDeps): SimDevice {
  const { device, behaviour, random } = deps
  const offsetMs = normal(random) * 400
  const driftPpm = normal(random) * 15
  const baseRssi = between(random, -82, -52)
  const start = (now: number) => ({
    at: now,
    // From the time, not the seed: a second run must not repeat (boot, seq) of the first.
    boot: `${now.toString(36)}-${Math.floor(random() * 2 ** 30).toString(36)}`,
    beats: 0,
    alarms: 0,
  })
  let life = start(deps.startedAt)

  const deviceTime = (now: number) =>
    Math.round(
      deps.clockLost
        ? lostClockStart + (now - life.at)
        : now + offsetMs + ((now - deps.startedAt) * driftPpm) / 1e6,
    )
  const clk = deps.clockLost ? 'bad' : 'ok'

  return {
    device,
    mains: behaviour.mains,
    prefix: devicePrefix(device.region, device.deviceId),
    boot: () => life.boot,
    birth: (now) => ({
      online: true,
      boot: life.boot,
      ts: deviceTime(now),
      fw: 'sim-1.0',
      model: device.model,
      caps: [...behaviour.caps],
      hb: device.heartbeatS,
    }),
    will: () => ({ online: false, boot: life.boot }),
    heartbeat(now) {
      const batt = behaviour.battery?.()
      return {
        ts: deviceTime(now),
        seq: life.beats++,
        uptime: Math.max(0, Math.round((now - life.at) / 1000)),
        rssi: Math.round(baseRssi + normal(random) * 2),
        ...(batt === undefined ? {} : { batt: Math.round(batt * 10) / 10 }),
        clk,
        m: behaviour.readings(now),
      }
    },
    alarm: (edge, now) => ({
      boot: life.boot,
      seq: life.alarms++,
      kind: edge.kind,
      state: edge.state,
      point: '',
      prio: edge.prio,
      ts: deviceTime(now),
    }),
    happen: (what) => behaviour.happen(what),
    restart(now) {
      life = start(now)
    },
  }
}
