import type { Bus } from '../bus/bus.ts'
import type { Clock } from '../rules/clock.ts'
import type { Alarm, AlarmView } from '../schema/alarm.ts'
import type { DeviceState, StateCounts } from '../schema/state.ts'
import { deviceStates } from '../schema/state.ts'
import type { AlarmStore } from '../store/alarm-store.ts'
import type { RegistryStore } from '../store/registry-store.ts'
import type { StateStore } from '../store/state-store.ts'
import { asCounts, deviceTable, type DeviceTable } from './device-table.ts'
import { hearing } from './hearing.ts'
import { openAlarms, type OpenAlarms } from './open-alarms.ts'
import { placesOf, type Places } from './places.ts'

/** State rows read at once. */
const pageRows = 2000
/** The life row is written each 10 s; reading it (240 kB at 30k devices) each 5th poll is enough. */
const pollsPerLife = 5

export interface WorldDeps {
  clock: Clock
  alarms: Pick<AlarmStore, 'list' | 'since' | 'lastChange'>
  registry: Pick<RegistryStore, 'regions' | 'allDevices' | 'lastChange'>
  state: Pick<StateStore, 'current' | 'since' | 'lastChange' | 'lastLife'>
  bus: Pick<Bus, 'on'>
  /** Told when a store does not answer a hint; the next poll tries again. */
  failed: (error: unknown) => void
}

/** Intake silent for longer: nothing is known of any device any more (PRODUCT rules 1 and 9). */
export const blindMs = 180_000

/** What the pages look at: the county's present, in memory, true to the stores within a second. */
export interface World {
  places(): Places
  table(): DeviceTable
  alarms: OpenAlarms
  counts(scope: string): StateCounts
  view(alarm: Alarm): AlarmView
  /** Intake's last sign of life, epoch ms. */
  intakeAt(): number | null
  /** Devices heard in the last second. */
  heartbeats(): number
  /** Device indexes and village codes that changed since the last call. */
  takeDirty(): { devices: readonly number[]; villages: readonly string[] }
  onAlarm(listener: (alarm: AlarmView) => void): void
  onRefresh(listener: (why: string) => void): void
  /** Reads alarms past the cursor now: after this role's own change. */
  readAlarms(): void
  /** Reads all stores past the cursors now; the owner calls it once a second. */
  poll(): void
  close(): void
}

/** States that need no observer. */
const unobserved = new Set<DeviceState>(['excluded', 'uncommissioned'])

function drawBlind(table: DeviceTable, at: number) {
  for (let n = 0; n < table.size; n += 1) {
    const device = table.device(n)
    if (device && !unobserved.has(table.present(n).state))
      table.setState(device.deviceId, 'unknown', 'hub', at)
  }
}

/** Regions and devices with their present state, and what of them changed. */
function fleet({ registry, state }: Pick<WorldDeps, 'registry' | 'state'>) {
  let registryAt = registry.lastChange()
  let stateAt = state.lastChange()
  let places = placesOf(registry.regions())
  let table = deviceTable(registry.allDevices())
  const devices = new Set<number>()
  const villages = new Set<string>()

  const readCurrent = () => {
    for (const row of state.current()) table.setState(row.deviceId, row.state, row.reason, row.from)
  }
  readCurrent()
  let blind = false

  return {
    places: () => places,
    table: () => table,
    devices,
    villages,
    seen(n: number, at: number) {
      if (table.setSeen(n, at)) devices.add(n)
    },
    readStates() {
      for (;;) {
        const page = state.since(stateAt, pageRows)
        for (const row of page) {
          stateAt = Math.max(stateAt, row.change)
          const device = table.byId(row.deviceId)
          if (!device || !table.setState(row.deviceId, row.state, row.reason, row.from)) continue
          devices.add(device.n)
          villages.add(device.region)
        }
        if (page.length < pageRows) return
      }
    },
    /** Draws everything that needs an observer as unknown since `at`, or goes back to the store; true on a turn. */
    setBlind(now: boolean, at: number) {
      if (now === blind) return false
      blind = now
      if (!now) readCurrent()
      if (now) drawBlind(table, at)
      return true
    },
    /** True when regions or devices changed: everything was laid out anew. */
    readRegistry() {
      const at = registry.lastChange()
      if (at === registryAt) return false
      registryAt = at
      places = placesOf(registry.regions())
      table = deviceTable(registry.allDevices(), table)
      readCurrent()
      return true
    },
  }
}

function viewOf(alarm: Alarm, places: Places, table: DeviceTable): AlarmView {
  const device = table.byId(alarm.deviceId)
  return {
    ...alarm,
    deviceName: device?.name ?? alarm.deviceId,
    deviceKind: device?.kind ?? '',
    place: device?.place ?? '',
    village: places.name(alarm.region),
    township: places.name(alarm.region.slice(0, 9)),
  }
}

function countsOf(scope: string, places: Places, table: DeviceTable): StateCounts {
  const sum = deviceStates.map(() => 0)
  for (const { scope: village } of places.villages(scope)) {
    const six = table.villageCounts(village)
    for (let i = 0; i < sum.length; i += 1) sum[i] = (sum[i] ?? 0) + (six[i] ?? 0)
  }
  return asCounts(sum)
}

/** Builds the picture from the stores and follows them by the bus's hints and `poll`. */
export function world({ clock, alarms, registry, state, bus, failed }: WorldDeps): World {
  const all = fleet({ registry, state })
  const open = openAlarms(alarms)
  const heard = hearing(clock)
  const alarmListeners: ((alarm: AlarmView) => void)[] = []
  const refreshListeners: ((why: string) => void)[] = []
  const view = (alarm: Alarm) => viewOf(alarm, all.places(), all.table())
  let polls = 0

  function readLife() {
    const life = state.lastLife()
    if (!life) return
    heard.lived(life.at)
    life.seen.forEach((at, n) => all.seen(n, at))
  }
  function readRegistry() {
    if (all.readRegistry()) for (const listener of refreshListeners) listener('registry')
  }
  function lookForIntake() {
    const at = heard.at()
    const turned = all.setBlind(at !== null && clock.now() - at > blindMs, at ?? 0)
    if (turned) for (const listener of refreshListeners) listener('intake')
  }
  function readAlarms() {
    open.poll((alarm) => {
      all.villages.add(alarm.region)
      const row = view(alarm)
      for (const listener of alarmListeners) listener(row)
    })
  }
  function takeDirty() {
    const taken = { devices: [...all.devices], villages: [...all.villages] }
    all.devices.clear()
    all.villages.clear()
    return taken
  }
  readLife()
  // Nobody looked before now, so nothing has changed for anybody.
  takeDirty()
  const onHint = (read: () => void) => () => {
    try {
      read()
    } catch (error) {
      failed(error)
    }
  }
  const endings = [
    bus.on('alarms', onHint(readAlarms)),
    bus.on(
      'states',
      onHint(() => all.readStates()),
    ),
    bus.on('registry', onHint(readRegistry)),
    bus.on('seen', (body) => heard.hear(body, (n, at) => all.seen(n, at))),
  ]

  return {
    places: all.places,
    table: all.table,
    alarms: open,
    counts: (scope) => countsOf(scope, all.places(), all.table()),
    view,
    intakeAt: () => heard.at(),
    heartbeats: () => heard.perSecond(),
    takeDirty,
    onAlarm: (listener) => void alarmListeners.push(listener),
    onRefresh: (listener) => void refreshListeners.push(listener),
    readAlarms,
    poll() {
      readRegistry()
      all.readStates()
      readAlarms()
      polls += 1
      if (polls % pollsPerLife === 0) readLife()
      lookForIntake()
    },
    close: () => endings.forEach((end) => end()),
  }
}
