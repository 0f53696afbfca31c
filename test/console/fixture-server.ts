import { randomBytes } from 'node:crypto'
import pino from 'pino'
import { localBus } from '../../hub/bus/local-bus.ts'
import type { AlarmEvent } from '../../hub/schema/alarm.ts'
import type { Role } from '../../hub/schema/people.ts'
import { Settings } from '../../hub/schema/settings.ts'
import type { DeviceState, StateReason } from '../../hub/schema/state.ts'
import { sqliteAlarms } from '../../hub/store/sqlite-alarms.ts'
import { sqliteAudit } from '../../hub/store/sqlite-audit.ts'
import { sqlitePeople } from '../../hub/store/sqlite-people.ts'
import { sqliteRegistry } from '../../hub/store/sqlite-registry.ts'
import { sqliteState } from '../../hub/store/sqlite-state.ts'
import { hashPassword } from '../../hub/web/password.ts'
import { startWeb } from '../../hub/web/role.ts'
import { makeCounty } from '../../simulators/county.ts'
import { seeded, type Random } from '../../simulators/random.ts'

export const password = 'a password for the pictures'
const hourMs = 3_600_000

export interface FixtureSize {
  townships: number
  villages: number
  perVillage: number
}

export interface Fixture extends AsyncDisposable {
  url: string
  /** Township and village with the most to see. */
  scopes: { county: string; township: string; village: string }
  /** Raises an alarm of a village's device now. */
  raise(village: string, kind: string, priority: number): void
  /** A device changes its state now. */
  change(deviceId: string, state: DeviceState, reason: StateReason): void
  /** Intake falls silent (no life, no heartbeats), or speaks again. */
  intake(alive: boolean): void
  close(): Promise<void>
}

type Change = { deviceId: string; from: number; state: DeviceState; reason: StateReason }

/** One device's last 24 hours: mostly up, some with an outage, one hour nobody saw. */
function dayOf(deviceId: string, random: Random, now: number): Change[] {
  const from = now - 26 * hourMs
  const rows: Change[] = [{ deviceId, from, state: 'up', reason: 'alive' }]
  const put = (hours: number, state: DeviceState, reason: StateReason) =>
    rows.push({ deviceId, from: Math.round(now - hours * hourMs), state, reason })
  put(9, 'unknown', 'hub')
  put(8.4, 'up', 'alive')
  const dice = random()
  if (dice < 0.14) {
    const start = 10 + random() * 13
    put(start, 'down', 'silence')
    put(start - random() * 2, 'up', 'alive')
  }
  if (dice > 0.9) {
    const start = 1 + random() * 6
    put(start, 'degraded', 'clock')
    put(start - 0.4, 'up', 'alive')
  }
  if (dice < 0.03) put(random() * 7, 'down', dice < 0.015 ? 'silence' : 'lwt')
  else if (dice < 0.045) put(random() * 3, 'degraded', 'clock')
  else if (dice < 0.06) put(random() * 2, 'excluded', 'maintenance')
  else if (dice < 0.07) put(random() * 2, 'unknown', 'parent')
  return rows.sort((a, b) => a.from - b.from)
}

/** In-memory stores filled with a seeded county and its last day. */
async function stores(size: FixtureSize, now: number) {
  const busyTimeoutMs = 1000
  const alarms = await sqliteAlarms(':memory:', { busyTimeoutMs })
  const registry = await sqliteRegistry(':memory:', { busyTimeoutMs })
  const state = await sqliteState(':memory:', { busyTimeoutMs })
  const people = await sqlitePeople(':memory:', { busyTimeoutMs })
  const audit = await sqliteAudit(':memory:', { busyTimeoutMs })
  const county = makeCounty({
    seed: 7,
    townships: size.townships,
    villagesPerTownship: 1,
    villages: size.villages,
    perVillage: size.perVillage,
    rtspPort: 8554,
    commissionedAt: now - 30 * 24 * hourMs,
    testSecrets: true,
  })
  registry.putRegions(county.regions)
  const devices = registry.addDevices(
    county.devices.map(({ device }) => ({ device, secretHash: null })),
  )
  const random = seeded(3)
  state.change(devices.flatMap(({ deviceId }) => dayOf(deviceId, random, now)))
  return { alarms, registry, state, people, audit, county, devices }
}

/** Accounts `village-duty`, `township-officer`... named by their role. */
async function accounts(
  people: Awaited<ReturnType<typeof sqlitePeople>>,
  scopes: Fixture['scopes'],
) {
  const hash = await hashPassword(password)
  const names: [Role, string, string][] = [
    ['village-duty', scopes.village, '王建国'],
    ['township-officer', scopes.township, '李秀英'],
    ['crew', scopes.township, '赵师傅'],
    ['county-supervisor', scopes.county, '陈主任'],
    ['auditor', scopes.county, '审计员'],
    ['administrator', scopes.county, '管理员'],
  ]
  for (const [role, scope, displayName] of names)
    people.add({ id: `id-${role}`, name: role, displayName, role, scope, mustChange: false }, hash)
  people.add(
    {
      id: 'id-new',
      name: 'newcomer',
      displayName: '新来的',
      role: 'village-duty',
      scope: scopes.village,
      mustChange: true,
    },
    hash,
  )
}

/**
 * The real web role over in-memory stores that hold a county with a day of history: what the console
 * is looked at and tested with. There is no media role: tiles say so.
 *
 * @param consoleDir built console
 */
export async function fixtureServer(
  size: FixtureSize,
  { consoleDir, port = 0 }: { consoleDir?: string; port?: number } = {},
): Promise<Fixture> {
  const clock = { now: Date.now, mono: () => performance.now() }
  const held = await stores(size, clock.now())
  const { alarms, registry, state, people, county, devices } = held
  const village = county.regions.find(({ level }) => level === 'village')?.code ?? ''
  const scopes = { county: village.slice(0, 6), township: village.slice(0, 9), village }
  await accounts(people, scopes)
  const bus = localBus()

  let seq = 0
  function raiseAt(region: string, kind: string, priority: number, at: number, device?: string) {
    const own = devices.find(
      (each) => each.region === region && (device ? each.kind === device : each.kind === 'contact'),
    )
    if (!own) throw new Error(`no device in ${region}`)
    seq += 1
    const event: AlarmEvent = {
      deviceId: own.deviceId,
      region,
      boot: 'fixture',
      seq,
      kind,
      point: kind === 'fire' ? '3' : '',
      edge: 'active',
      priority,
      deviceAt: at - 400,
      receivedAt: at,
      assured: true,
      fingerprint: `f${seq}`,
      resent: false,
    }
    const [accepted] = alarms.accept([event], [])
    bus.publish('alarms')
    return accepted?.alarm
  }
  const villages = county.regions.filter(({ level }) => level === 'village').map(({ code }) => code)
  const now = clock.now()
  raiseAt(village, 'intrusion', 1, now - 41_000)
  raiseAt(village, 'tamper', 2, now - 8 * 60_000, 'camera')
  raiseAt(village, 'lamp-failure', 3, now - 25 * 60_000, 'light')
  const taken = raiseAt(village, 'panic', 1, now - 50 * 60_000, 'panic')
  if (taken)
    alarms.change(taken.id, (alarm) => ({
      ...alarm,
      state: 'ack-active',
      acknowledgedAt: now - 49 * 60_000,
      acknowledgedBy: '王建国',
    }))
  villages.slice(1).forEach((code, at) => {
    if (at % 9 === 0)
      raiseAt(code, at % 2 ? 'intrusion' : 'battery-low', at % 2 ? 2 : 4, now - at * 70_000)
  })

  let alive = true
  const start = now - 20 * hourMs
  const seen = new Float64Array(devices.length)
  const random = seeded(5)
  function beat() {
    if (!alive) return
    const at = clock.now()
    const pairs: number[] = []
    for (let n = 0; n < devices.length; n += 1)
      if (seen[n] === 0 || random() < 0.05) {
        seen[n] = at
        pairs.push(n, at)
      }
    state.live({ from: start, at, seen })
    bus.publish('seen', new Uint8Array(new Float64Array(pairs).buffer))
  }
  beat()
  const timer = setInterval(beat, 1000)
  const role = await startWeb({
    ...held,
    clock,
    bus,
    log: pino({ level: 'silent' }),
    metrics: {
      status: () => ({
        target: 'influx',
        lastWriteAt: clock.now() - 3000,
        backlog: 0,
        dropped: 0,
        error: null,
      }),
    },
    start: {
      settings: Settings.parse({
        HUB_HTTP_PORT: port,
        HUB_REGION: scopes.county,
        HUB_DATA_DIR: '.',
      }),
      busSecret: '',
      grantSecret: randomBytes(32).toString('hex'),
      mqttPort: 0,
      mediaPort: 0,
      demo: false,
    },
    ...(consoleDir ? { consoleDir } : {}),
  })
  let closed = false
  async function close() {
    if (closed) return
    closed = true
    clearInterval(timer)
    await role.close()
    for (const store of [alarms, registry, state, people, held.audit]) store.close()
  }
  return {
    url: `http://127.0.0.1:${role.ports.http}`,
    scopes,
    raise: (region, kind, priority) => void raiseAt(region, kind, priority, clock.now()),
    change(deviceId, next, reason) {
      state.change([{ deviceId, from: clock.now(), state: next, reason }])
      bus.publish('states')
    },
    intake: (on) => void (alive = on),
    close,
    [Symbol.asyncDispose]: close,
  }
}
