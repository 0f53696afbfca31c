import { join } from 'node:path'
import { systemClock } from '../../hub/clock.ts'
import { sha256 } from '../../hub/intake/identity.ts'
import { startIntake } from '../../hub/intake/role.ts'
import { createLog } from '../../hub/log.ts'
import { Settings } from '../../hub/schema/settings.ts'
import type { AlarmStore } from '../../hub/store/alarm-store.ts'
import { sqliteAlarms } from '../../hub/store/sqlite-alarms.ts'
import { sqliteAudit } from '../../hub/store/sqlite-audit.ts'
import { sqliteMetrics } from '../../hub/store/sqlite-metrics.ts'
import { sqliteRegistry } from '../../hub/store/sqlite-registry.ts'
import { sqliteState } from '../../hub/store/sqlite-state.ts'
import { doorLimits } from '../../hub/intake/door.ts'
import { busSecret, secretOf, testDevice, testRegions } from './mqtt-intake.ts'

/**
 * The real intake role in a process of its own, over stores in a folder that outlives it:
 * `node mqtt-intake-process.ts <folder> <port> <devices>`. Registers `dev-0`... at the first start,
 * sends `{port}` to its parent when the door is open, answers `metrics` and `times`, closes on
 * SIGTERM.
 */
const [dir = '', port = '0', devices = '1'] = process.argv.slice(2)
const file = (name: string) => join(dir, `${name}.db`)
const busyTimeoutMs = 0
const registry = await sqliteRegistry(file('registry'), { busyTimeoutMs })
if (registry.allDevices().length === 0) {
  registry.putRegions(testRegions)
  registry.addDevices(
    Array.from({ length: Number(devices) }, (_, index) => ({
      device: testDevice(`dev-${index}`),
      secretHash: sha256(secretOf(`dev-${index}`)).toString('hex'),
    })),
  )
}
/** Key and CLOCK_MONOTONIC ms of each commit since the last question `times`, for the benchmark. */
let times: [string, number][] = []
const timed = (alarms: AlarmStore): Pick<AlarmStore, 'accept'> => ({
  accept(events, rejects) {
    const accepted = alarms.accept(events, rejects)
    const at = Number(process.hrtime.bigint()) / 1e6
    for (const { deviceId, seq } of events) times.push([`${deviceId} ${seq}`, at])
    return accepted
  },
})

const role = await startIntake({
  start: {
    settings: Settings.parse({ HUB_MQTT_PORT: port, HUB_DATA_DIR: dir }),
    busSecret,
    grantSecret: 'unused-here',
    mqttPort: 0,
    mediaPort: 0,
    demo: false,
  },
  clock: systemClock,
  log: createLog({ role: 'intake', level: process.env['TEST_LOG_LEVEL'] ?? 'warn' }),
  alarms: timed(await sqliteAlarms(file('alarms'), { busyTimeoutMs })),
  registry,
  state: await sqliteState(file('state'), { busyTimeoutMs }),
  metrics: await sqliteMetrics(file('metrics'), { busyTimeoutMs }),
  audit: await sqliteAudit(file('audit'), { busyTimeoutMs }),
  // The test's few connections stand for many devices: rates per socket are not what is tested here.
  limits: {
    ...doorLimits,
    broker: {
      ...doorLimits.broker,
      guard: { ...doorLimits.broker.guard, packetsPerS: 1e6, bytesPerS: 1e9, burstPackets: 1e6 },
    },
  },
})
process.send?.({ port: role.ports.mqtt })
process.on('message', (message) => {
  if (message === 'metrics') process.send?.({ metrics: role.metrics() })
  if (message !== 'times') return
  process.send?.({ times })
  times = []
})
function stop() {
  void role.close().then(() => process.exit(0))
}
process.once('SIGTERM', stop)
// A parent that is gone has no more use for it: no orphan outlives its test.
process.once('disconnect', stop)
