import { randomBytes } from 'node:crypto'
import { auditWriter, type AuditWriter } from '../../hub/audit/audit.ts'
import { localBus, type LocalBus } from '../../hub/bus/local-bus.ts'
import type { Alarm, AlarmEvent } from '../../hub/schema/alarm.ts'
import type { NewDevice } from '../../hub/schema/device.ts'
import type { Role, User } from '../../hub/schema/people.ts'
import type { Region } from '../../hub/schema/region.ts'
import { Settings } from '../../hub/schema/settings.ts'
import type { SinkStatus } from '../../hub/schema/metric.ts'
import type { AlarmStore } from '../../hub/store/alarm-store.ts'
import type { PeopleStore } from '../../hub/store/people-store.ts'
import type { RegistryStore } from '../../hub/store/registry-store.ts'
import { sqliteAlarms } from '../../hub/store/sqlite-alarms.ts'
import { sqliteAudit } from '../../hub/store/sqlite-audit.ts'
import { sqlitePeople } from '../../hub/store/sqlite-people.ts'
import { sqliteRegistry } from '../../hub/store/sqlite-registry.ts'
import { sqliteState } from '../../hub/store/sqlite-state.ts'
import type { StateStore } from '../../hub/store/state-store.ts'
import { hashPassword } from '../../hub/web/password.ts'
import { fakeClock, type FakeClock } from './fake-clock.ts'

/** Two townships of two villages: enough for own, sibling and parent. */
export const county = '339901'
export const townships = ['339901001', '339901002'] as const
export const villages = ['339901001001', '339901001002', '339901002001', '339901002002'] as const
export const password = 'correct horse battery'

const region = (code: string, level: Region['level'], name: string): Region => ({
  code: code.padEnd(12, '0'),
  level,
  name,
  center: { lon: 120, lat: 30 },
  outline: null,
})

const kinds = ['contact', 'light', 'camera', 'panic'] as const

/** One device of each kind per village: `contact-339901001001`. */
export const deviceIn = (village: string, kind: (typeof kinds)[number]) => `${kind}-${village}`

const device = (village: string, kind: (typeof kinds)[number], at: number): NewDevice => ({
  deviceId: deviceIn(village, kind),
  kind,
  model: `native/${kind}`,
  name: `${kind} of ${village}`,
  region: village,
  place: 'village gate',
  position: { lon: 120.1, lat: 30.1 },
  heartbeatS: 60,
  commissionedAt: at,
  camera: kind === 'camera' ? { url: 'rtsp://10.0.0.9:554/live', user: 'canary-user' } : null,
})

/** One person per role; the village clerk and the township officer work in the first of each. */
export const people: Readonly<Record<string, { role: Role; scope: string }>> = {
  clerk: { role: 'village-duty', scope: villages[0] },
  clerk2: { role: 'village-duty', scope: villages[1] },
  officer: { role: 'township-officer', scope: townships[0] },
  crew: { role: 'crew', scope: townships[0] },
  supervisor: { role: 'county-supervisor', scope: county },
  auditor: { role: 'auditor', scope: county },
  admin: { role: 'administrator', scope: county },
}

/** One hash for all people of all tests of a file: 30 ms each would be spent on nothing. */
const sharedHash = hashPassword(password)

export interface WebCounty {
  clock: FakeClock
  settings: Settings
  grantSecret: string
  alarms: AlarmStore
  registry: RegistryStore
  state: StateStore
  people: PeopleStore
  audit: AuditWriter
  bus: LocalBus
  metrics: { status(): SinkStatus | undefined }
  /** Raises an alarm of the village's contact and returns its row. */
  raise(village: string, kind?: string): Alarm
  user(name: string): User
  closeStores(): void
}

/** Real SQLite stores in memory with a small county; every device up since an hour, intake alive. */
export async function webCounty(clock: FakeClock = fakeClock()): Promise<WebCounty> {
  const busyTimeoutMs = 1000
  const alarms = await sqliteAlarms(':memory:', { busyTimeoutMs })
  const registry = await sqliteRegistry(':memory:', { busyTimeoutMs })
  const state = await sqliteState(':memory:', { busyTimeoutMs })
  const persons = await sqlitePeople(':memory:', { busyTimeoutMs })
  const audit = auditWriter(await sqliteAudit(':memory:', { busyTimeoutMs }), clock)
  const started = clock.now() - 3_600_000

  registry.putRegions([
    region(county, 'county', '清溪县'),
    ...townships.map((code) => region(code, 'township', `${code} 镇`)),
    ...villages.map((code) => region(code, 'village', `${code} 村`)),
  ])
  const devices = registry.addDevices(
    villages.flatMap((village) =>
      kinds.map((kind) => ({ device: device(village, kind, started), secretHash: null })),
    ),
  )
  state.change(
    devices.map(({ deviceId }) => ({ deviceId, from: started, state: 'up', reason: 'alive' })),
  )
  const seen = new Float64Array(devices.length).fill(clock.now() - 1000)
  state.live({ from: started, at: clock.now() - 1000, seen })

  const hash = await sharedHash
  for (const [name, { role, scope }] of Object.entries(people))
    persons.add({ id: `id-${name}`, name, displayName: name, role, scope, mustChange: false }, hash)

  let seq = 0
  return {
    clock,
    settings: Settings.parse({ HUB_HTTP_PORT: 0, HUB_REGION: county, HUB_DATA_DIR: '.' }),
    grantSecret: randomBytes(32).toString('hex'),
    alarms,
    registry,
    state,
    people: persons,
    audit,
    bus: localBus(),
    metrics: { status: () => undefined },
    raise(village, kind = 'intrusion') {
      seq += 1
      const event: AlarmEvent = {
        deviceId: deviceIn(village, 'contact'),
        region: village,
        boot: 'boot',
        seq,
        kind,
        point: String(seq),
        edge: 'active',
        priority: 2,
        deviceAt: null,
        receivedAt: clock.now(),
        assured: true,
        fingerprint: `f${seq}`,
        resent: false,
      }
      const [accepted] = alarms.accept([event], [])
      if (!accepted?.alarm) throw new Error('the store raised nothing')
      return accepted.alarm
    },
    user(name) {
      const known = persons.byName(name)
      if (!known) throw new Error(`no user ${name}`)
      return known.user
    },
    closeStores() {
      for (const store of [alarms, registry, state, persons, audit]) store.close()
    },
  }
}
