import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pino } from 'pino'
import { systemClock } from '../../hub/clock.ts'
import { type Door, type DoorLimits, doorLimits, openDoor } from '../../hub/intake/door.ts'
import { sha256 } from '../../hub/intake/identity.ts'
import type { Clock } from '../../hub/rules/clock.ts'
import type { Device, NewDevice } from '../../hub/schema/device.ts'
import { devicePrefix } from '../../hub/schema/native.ts'
import type { Region } from '../../hub/schema/region.ts'
import { Settings } from '../../hub/schema/settings.ts'
import type { AlarmStore } from '../../hub/store/alarm-store.ts'
import { sqliteAlarms } from '../../hub/store/sqlite-alarms.ts'
import { sqliteAudit } from '../../hub/store/sqlite-audit.ts'
import { sqliteMetrics } from '../../hub/store/sqlite-metrics.ts'
import { sqliteRegistry } from '../../hub/store/sqlite-registry.ts'

export const village = '339901001002'

export const testRegions: readonly Region[] = [
  { code: '339901000000', level: 'county', name: 'County', center: null, outline: null },
  { code: '339901001000', level: 'township', name: 'Township', center: null, outline: null },
  { code: village, level: 'village', name: 'Village', center: null, outline: null },
]

/** A commissioned native contact; change what the test is about. */
export const testDevice = (deviceId: string, change: Partial<NewDevice> = {}): NewDevice => ({
  deviceId,
  kind: 'contact',
  model: 'native/contact',
  name: deviceId,
  region: village,
  place: 'front door',
  position: null,
  heartbeatS: 60,
  commissionedAt: 0,
  camera: null,
  ...change,
})

/** Secret every test device is registered with. */
export const secretOf = (deviceId: string) => `secret-of-${deviceId}`
export const busSecret = 'bus-secret-of-this-test'

/** Topic of a test device's branch. */
export const topicOf = (deviceId: string, branch: string, region = village) =>
  `${devicePrefix(region, deviceId)}${branch}`

/** What the status engine was told, in order: `seen 3`, `lost 3`, `add 4`. */
export interface StatusLog {
  lines: string[]
  seen(n: number): void
  lost(n: number): void
  add(devices: readonly Device[]): void
}

export function statusLog(): StatusLog {
  const lines: string[] = []
  return {
    lines,
    seen: (n) => lines.push(`seen ${n}`),
    lost: (n) => lines.push(`lost ${n}`),
    add: (devices) => lines.push(...devices.map(({ n }) => `add ${n}`)),
  }
}

/** A door on a free port over real SQLite stores in a folder of its own. */
export async function testDoor(
  options: {
    devices?: readonly NewDevice[]
    clock?: Clock
    limits?: Partial<{ [Key in keyof DoorLimits]: Partial<DoorLimits[Key]> }>
    alarms?: (real: AlarmStore) => Pick<AlarmStore, 'accept'>
    settings?: Partial<Record<keyof Settings, string | number>>
    log?: pino.Logger
  } = {},
) {
  const dir = mkdtempSync(join(tmpdir(), 'intake-'))
  const alarms = await sqliteAlarms(join(dir, 'alarms.db'), { busyTimeoutMs: 0 })
  const registry = await sqliteRegistry(join(dir, 'registry.db'), { busyTimeoutMs: 0 })
  const metrics = await sqliteMetrics(join(dir, 'metrics.db'), { busyTimeoutMs: 0 })
  const audit = await sqliteAudit(join(dir, 'audit.db'), { busyTimeoutMs: 0 })
  const status = statusLog()
  const register = (devices: readonly NewDevice[]) =>
    registry.addDevices(
      devices.map((device) => ({
        device,
        secretHash: sha256(secretOf(device.deviceId)).toString('hex'),
      })),
    )
  registry.putRegions(testRegions)
  register(options.devices ?? [testDevice('dev-1'), testDevice('dev-2')])
  const door: Door = await openDoor({
    start: {
      settings: Settings.parse({ HUB_MQTT_PORT: 0, HUB_DATA_DIR: dir, ...options.settings }),
      busSecret,
    },
    clock: options.clock ?? systemClock,
    log: options.log ?? pino({ level: 'silent' }),
    alarms: options.alarms?.(alarms) ?? alarms,
    registry,
    metrics,
    audit,
    status,
    limits: {
      broker: { ...doorLimits.broker, ...options.limits?.broker },
      acceptance: { ...doorLimits.acceptance, ...options.limits?.acceptance },
    },
  })
  return {
    dir,
    door,
    port: door.port,
    alarms,
    registry,
    metrics,
    audit,
    status,
    register,
    count: (name: string) => door.counters.read()[name] ?? 0,
    async close() {
      await door.close()
      for (const store of [alarms, registry, metrics, audit]) store.close()
      rmSync(dir, { recursive: true, force: true })
    },
  }
}
export type TestDoor = Awaited<ReturnType<typeof testDoor>>
