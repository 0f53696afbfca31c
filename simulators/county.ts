import { randomBytes } from 'node:crypto'
import type { CountyFile } from '../hub/schema/county-file.ts'
import type { NewDevice } from '../hub/schema/device.ts'
import type { Region } from '../hub/schema/region.ts'
import { cornersOf, divide, type Land, land, outline, type Plot } from './outlines.ts'
import {
  nouns,
  places,
  townshipLimit,
  townshipNames,
  villageLimit,
  villageNames,
} from './place-names.ts'
import { between, normal, type Random, seeded, seedOf } from './random.ts'

/** The fictional county every simulation plays in. */
export const countyCode = '339901'
export const countyName = '云溪县'
/** User name every simulated camera asks for. */
export const cameraUser = 'viewer'

/** Kinds the simulator can be. */
export type SimulatedKind = 'contact' | 'panic' | 'light' | 'camera'
type CountyDevice = CountyFile['devices'][number]

export interface CountyPlan {
  seed: number
  /** 1..30 */
  townships: number
  /** Villages in each township, 1..200. */
  villagesPerTownship: number
  /** Villages of the county in all, spread evenly; stands above `villagesPerTownship`. */
  villages?: number | undefined
  /** Devices in a village, 4..200. */
  perVillage: number
  /** Port of the simulated cameras' RTSP server, written into every camera's address. */
  rtspPort: number
  /** One interval for all kinds, seconds; default: contacts, buttons and lamps 20, cameras 15. */
  heartbeatS?: number | undefined
  /** Epoch ms from which the devices count. */
  commissionedAt: number
  /** Secrets from the seed instead of the system's chance: only for tests, never for a real hub. */
  testSecrets?: boolean | undefined
}

/** Demo: 4 townships of 6 villages with 20 devices. */
export const demoPlan = {
  townships: 4,
  villagesPerTownship: 6,
  perVillage: 20,
  rtspPort: 8554,
} as const

/** How many of each kind a village has: of 20, 6 contacts, 1 button, 9 lamps, 4 cameras: a full 2x2 of live tiles. */
export function mix(perVillage: number): Record<SimulatedKind, number> {
  const camera = Math.max(1, Math.round(perVillage / 5))
  const panic = Math.max(1, Math.round(perVillage / 50))
  const light = Math.min(Math.ceil(perVillage * 0.42), perVillage - camera - panic - 1)
  return { contact: perVillage - camera - panic - light, panic, light, camera }
}

/**
 * Makes a county: regions with borders, devices with places, secrets. The same plan gives the same
 * county on every machine, secrets apart. 608 villages of 50 devices take well under 2 s.
 *
 * @throws RangeError when the plan has no room for names or codes
 */
export function makeCounty(plan: CountyPlan): CountyFile {
  const counts = villageCounts(plan)
  checkPlan(plan, counts)
  const random = seeded(seedOf(plan.seed, 'land'))
  const villages = counts.reduce((sum, count) => sum + count, 0)
  // A village of the reference county has about 3 km2.
  const ground = land(random, [119.4231, 30.2158], Math.sqrt(villages * 3))
  const plots = divide(random, { x: 0, y: 0, width: 1, height: 1 }, counts).map((plot, at) => ({
    plot,
    villages: divide(
      random,
      plot,
      Array.from({ length: counts[at] ?? 0 }, () => between(random, 0.75, 1.3)),
    ),
  }))
  const corners = cornersOf(plots.flatMap((township) => township.villages))
  const step = 1 / (8 * Math.sqrt(villages))
  const draw = (plot: Plot) => ({
    center: pointIn(ground, plot, 0.5, 0.5),
    outline: outline(plot, corners, ground, step),
  })

  const regions: Region[] = [
    {
      code: `${countyCode}000000`,
      level: 'county',
      name: countyName,
      ...draw({ x: 0, y: 0, width: 1, height: 1 }),
    },
  ]
  const devices: CountyDevice[] = []
  townshipNames(counts.length).forEach((name, at) => {
    const township = plots[at]
    if (!township) return
    // GB/T 10114: 100-199 towns, 200-399 townships; villages of either 200-399.
    const code = `${countyCode}${(name.endsWith('镇') ? 100 : 200) + at}`
    regions.push({ code: `${code}000`, level: 'township', name, ...draw(township.plot) })
    const names = villageNames(seeded(seedOf(plan.seed, code)), township.villages.length)
    township.villages.forEach((plot, index) => {
      const village = `${code}${200 + index}`
      const label = names[index] ?? village
      regions.push({ code: village, level: 'village', name: label, ...draw(plot) })
      devices.push(...villageDevices(plan, village, plot, ground))
    })
  })
  return { seed: plan.seed, regions, devices }
}

/** Villages of each township. */
function villageCounts({ townships, villagesPerTownship, villages }: CountyPlan): number[] {
  const total = villages ?? townships * villagesPerTownship
  return Array.from(
    { length: townships },
    (_, at) => Math.floor(((at + 1) * total) / townships) - Math.floor((at * total) / townships),
  )
}

function checkPlan({ townships, perVillage }: CountyPlan, counts: readonly number[]) {
  if (!(townships >= 1 && townships <= townshipLimit))
    throw new RangeError(`townships must be 1 to ${townshipLimit}, got ${townships}`)
  const wrong = counts.find((count) => !(count >= 1 && count <= villageLimit))
  if (wrong !== undefined)
    throw new RangeError(`a township must have 1 to ${villageLimit} villages, got ${wrong}`)
  if (!(perVillage >= 4 && perVillage <= 200))
    throw new RangeError(`devices per village must be 4 to 200, got ${perVillage}`)
}

function pointIn({ at }: Land, plot: Plot, east: number, north: number) {
  const [lon, lat] = at(plot.x + plot.width * east, plot.y + plot.height * north)
  return { lon, lat }
}

const keep = (value: number) => Math.min(0.85, Math.max(0.15, value))

/** Lamps stand along one lane, the rest around the middle; nothing stands near the border. */
function spot(random: Random, kind: SimulatedKind, share: number, lane: number) {
  if (kind !== 'light')
    return [keep(0.5 + normal(random) * 0.11), keep(0.5 + normal(random) * 0.11)] as const
  const along = (share - 0.5) * 0.6
  return [
    keep(0.5 + along * Math.cos(lane) + normal(random) * 0.008),
    keep(0.5 + along * Math.sin(lane) + normal(random) * 0.008),
  ] as const
}

function villageDevices(plan: CountyPlan, village: string, plot: Plot, ground: Land) {
  const random = seeded(seedOf(plan.seed, village))
  const lane = between(random, 0, Math.PI)
  const counts = mix(plan.perVillage)
  const kinds: SimulatedKind[] = ['contact', 'panic', 'light', 'camera']
  return kinds.flatMap((kind) =>
    Array.from({ length: counts[kind] }, (_, index) => {
      const share = (index + 0.5) / counts[kind]
      return countyDevice(plan, { village, kind, index }, () =>
        pointIn(ground, plot, ...spot(random, kind, share, lane)),
      )
    }),
  )
}

interface Slot {
  village: string
  kind: SimulatedKind
  index: number
}

function countyDevice(
  plan: CountyPlan,
  { village, kind, index }: Slot,
  position: () => { lon: number; lat: number },
): CountyDevice {
  const deviceId = `${kind}-${village.slice(6)}-${index + 1}`
  const list = places[kind]
  const again = Math.floor(index / list.length)
  const place = `${list[index % list.length]}${again > 0 ? `${again + 1}号` : ''}`
  const device: NewDevice = {
    deviceId,
    kind,
    model: `native/${kind}`,
    name: `${place}${nouns[kind]}`,
    region: village,
    place,
    position: position(),
    heartbeatS: plan.heartbeatS ?? (kind === 'camera' ? 15 : 20),
    commissionedAt: plan.commissionedAt,
    camera:
      kind === 'camera'
        ? { url: `rtsp://127.0.0.1:${plan.rtspPort}/${deviceId}`, user: cameraUser }
        : null,
  }
  const bytes = secretSource(plan, deviceId)
  return {
    device,
    secret: bytes(32).toString('base64url'),
    cameraPassword: kind === 'camera' ? bytes(16).toString('base64url') : null,
  }
}

/** The system's chance, or for tests the seed's. */
function secretSource({ seed, testSecrets }: CountyPlan, deviceId: string) {
  if (!testSecrets) return randomBytes
  const random = seeded(seedOf(seed, `secret ${deviceId}`))
  return (size: number) => Buffer.from(Array.from({ length: size }, () => random() * 256))
}
