import type { CountyFile } from '../hub/schema/county-file.ts'
import { camera } from './camera.ts'
import { contact } from './contact.ts'
import { type Behaviour, type SimDevice, simDevice } from './device.ts'
import { DeviceLink } from './device-link.ts'
import { light } from './light.ts'
import { panic } from './panic.ts'
import { type Random, seeded, seedOf } from './random.ts'
import type { TimerWheel } from './timer-wheel.ts'
import type { Truth } from './truth.ts'

/** One device and its connection. */
export interface Member {
  device: SimDevice
  link: DeviceLink
}

export interface FleetDeps {
  county: CountyFile
  broker: { host: string; port: number }
  wheel: TimerWheel
  /** Epoch ms. */
  clock: () => number
  truth: Truth
  /** Frames per second a camera gives now; it follows its faults. */
  cameraFps?: ((deviceId: string) => number) | undefined
  /** Rate of a camera's stream, kbit/s. */
  cameraKbps?: number | undefined
  keepaliveS?: number | undefined
  /** New connections per second at the start. */
  connectsPerS?: number | undefined
  /** Share of devices whose clock stands in the year 2000, 0..1. */
  clockLostShare?: number | undefined
}

/** Every device of a county, each with a connection of its own. */
export interface Fleet {
  members: ReadonlyMap<string, Member>
  connected(): number
  /** Resolves with the number connected once `share` of all are, or after `deadlineMs`. */
  ready(share: number, deadlineMs: number): Promise<number>
  /** Why devices are not connected, one sentence, commonest first; undefined when all are. */
  trouble(): string | undefined
  close(): void
}

/** Most connections one source address has room for (Linux: 28,232 local ports by default). */
const perSourceAddress = 20_000

/** Connects the county's devices. The same county has the same day: chance comes from its seed. */
export function startFleet(deps: FleetDeps): Fleet {
  const { county, wheel } = deps
  const speaking = county.devices.filter(({ secret }) => secret !== null)
  const connectsPerS = deps.connectsPerS ?? 400
  const spread = speaking.length > perSourceAddress && deps.broker.host.startsWith('127.')
  const members = new Map<string, Member>()

  speaking.forEach((entry, at) => {
    const localAddress = spread ? `127.0.0.${2 + (at % 8)}` : undefined
    const member = startMember(deps, entry, { ...deps.broker, localAddress })
    members.set(entry.device.deviceId, member)
    wheel.after((at * 1000) / connectsPerS, () => member.link.connect())
  })

  const connected = () => {
    let count = 0
    for (const { link } of members.values()) if (link.state === 'online') count++
    return count
  }

  return {
    members,
    connected,
    ready: (share, deadlineMs) =>
      new Promise((resolve) => {
        const wanted = Math.ceil(members.size * share)
        const until = deps.clock() + deadlineMs
        const look = () => {
          if (connected() >= wanted || deps.clock() >= until) resolve(connected())
          else wheel.after(50, look)
        }
        look()
      }),
    trouble() {
      const reasons = new Map<string, number>()
      for (const { link } of members.values()) {
        const reason = link.state === 'online' ? undefined : link.lastError
        if (reason) reasons.set(reason, (reasons.get(reason) ?? 0) + 1)
      }
      return [...reasons]
        .toSorted((a, b) => b[1] - a[1])
        .map(([reason, count]) => `${count} devices: ${reason}`)[0]
    },
    close() {
      for (const { link } of members.values()) link.close()
    },
  }
}

function startMember(
  deps: FleetDeps,
  { device, secret }: CountyFile['devices'][number],
  broker: { host: string; port: number; localAddress: string | undefined },
): Member {
  const { county, wheel, clock, truth } = deps
  const random = seeded(seedOf(county.seed, `life ${device.deviceId}`))
  const clockLost = random() < (deps.clockLostShare ?? 0)
  const sim = simDevice({
    device,
    behaviour: behaviourOf(device.kind, device.deviceId, random, deps),
    random,
    startedAt: clock(),
    clockLost,
  })
  const link = new DeviceLink({
    device: sim,
    secret: secret ?? '',
    broker,
    keepaliveS: deps.keepaliveS ?? 30,
    wheel,
    clock,
    random,
    truth,
  })
  return { device: sim, link }
}

function behaviourOf(kind: string, id: string, random: Random, deps: FleetDeps): Behaviour {
  const { cameraFps, cameraKbps = 90 } = deps
  switch (kind) {
    case 'contact':
      return contact(random)
    case 'panic':
      return panic(random)
    case 'light':
      return light(random)
    case 'camera':
      return camera(random, { fps: () => cameraFps?.(id) ?? 25, bitrateKbps: cameraKbps })
    default:
      throw new RangeError(`the simulator cannot be a ${kind} (device ${id})`)
  }
}
