import { existsSync, openSync, rmSync } from 'node:fs'
import { join, relative, resolve } from 'node:path'
import { parseArgs } from 'node:util'
import { readConfig } from '../config.ts'
import { claimDataDir, makeDataDir } from '../data-dir.ts'
import { errors } from '../errors.ts'
import { asProgram, runHub, type StartedHub } from '../run.ts'
import type { CountyFile } from '../schema/county-file.ts'
import { devicePrefix } from '../schema/native.ts'
import type { Settings } from '../schema/settings.ts'
import { withStores } from './command.ts'
import { importCounty, readCountyFile } from './county.ts'
import { makeAccounts, readAccounts, type Account } from './demo-accounts.ts'
import { freePort, isFree, makeCounty, startSimulator, type Simulator } from './simulator.ts'

const help = `npm run demo [-- --fresh] [--port N]

  --fresh    forget the demo's data and begin anew
  --port N   port of the console (default 8080, or HUB_HTTP_PORT)
`

/** Files of the demo, beside the hub's own. */
const filesIn = (dir: string) => ({
  county: join(dir, 'county.json'),
  accounts: join(dir, 'accounts.json'),
  // Relative: a unix socket's path may have 107 bytes at most.
  control: relative(process.cwd(), join(dir, 'simulator.sock')),
  hubLog: join(dir, 'hub.log'),
  simulatorLog: join(dir, 'simulator.log'),
})

/** `npm run demo`: a living county in ./data/demo, until Ctrl-C. */
async function demo(signals: { signal: AbortSignal; impatient: AbortSignal }) {
  const { fresh, port } = readOptions()
  const settings = demoSettings(port)
  const files = filesIn(settings.HUB_DATA_DIR)
  await refuseTakenPort('the console', settings.HUB_HTTP_PORT, '--port (or HUB_HTTP_PORT)')
  await refuseTakenPort('the device broker', settings.HUB_MQTT_PORT, 'HUB_MQTT_PORT')
  if (fresh || !existsSync(files.accounts)) await makeDemo(settings)
  const county = readCountyFile(files.county)
  const accounts = readAccounts(files.accounts)
  await refuseTakenCameraPort(county)
  let simulator: Simulator | undefined
  try {
    const output = openSync(files.hubLog, 'w')
    say('starting the hub ...')
    await runHub({ settings, ...signals, demo: true, output }, async (hub) => {
      say('connecting the simulated devices ...')
      simulator = await startSimulator({
        county: files.county,
        mqttPort: hub.mqttPort,
        control: files.control,
        output: openSync(files.simulatorLog, 'w'),
      })
      void simulator.ended.finally(() => {
        if (!signals.signal.aborted) say('The simulator ended: watch the devices go down.')
      })
      welcome(hub, county, accounts, settings.HUB_DATA_DIR)
    })
  } finally {
    await simulator?.stop()
  }
}

function readOptions() {
  try {
    const { values } = parseArgs({
      options: {
        fresh: { type: 'boolean', default: false },
        port: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    })
    return values
  } catch {
    throw errors.badRequest(help.trim())
  }
}

/** Settings of the demo: those of the environment, but never a hub.yaml made for a real hub. */
function demoSettings(port: string | undefined): Settings {
  const dir = resolve(process.env.HUB_DATA_DIR || 'data/demo')
  return readConfig(
    {
      HUB_CAMERA_NETWORKS: '127.0.0.0/8',
      ...process.env,
      HUB_DATA_DIR: dir,
      ...(port === undefined ? {} : { HUB_HTTP_PORT: port }),
    },
    dir,
  )
}

async function refuseTakenPort(what: string, port: number, setting: string) {
  if (port !== 0 && !(await isFree(port))) throw errors.portTaken(what, port, setting)
}

async function refuseTakenCameraPort({ devices }: CountyFile) {
  const url = devices.find(({ device }) => device.camera)?.device.camera?.url
  if (url && !(await isFree(Number(new URL(url).port))))
    throw errors.badRequest(
      `Port ${new URL(url).port} of the simulated cameras is in use: stop the other program, or begin anew with 'npm run demo -- --fresh'`,
    )
}

/** Makes county and accounts in an empty folder; what an earlier demo left there goes. */
async function makeDemo(settings: Settings) {
  const dir = settings.HUB_DATA_DIR
  const files = filesIn(dir)
  const claim = claimDataDir(dir)
  const ours = existsSync(files.county) || !existsSync(join(dir, 'registry.db'))
  claim.release()
  if (!ours)
    throw errors.badRequest(`'${dir}' holds a hub that is no demo: set another HUB_DATA_DIR`)
  rmSync(dir, { recursive: true })
  makeDataDir(dir)
  say('making a county and its accounts ...')
  await makeCounty(files.county, await freePort())
  await withStores(async (stores) => {
    const county = readCountyFile(files.county)
    importCounty(stores, county)
    await makeAccounts(stores, county, files.accounts)
  }, settings)
}

const say = (line: string) => void process.stdout.write(`${line}\n`)

function welcome(
  { address, mqttPort }: StartedHub,
  county: CountyFile,
  accounts: readonly Account[],
  logs: string,
) {
  const rows = accounts.map(({ name, password, role, scope, displayName }) =>
    [name.padEnd(14), password.padEnd(21), role.padEnd(18), scope.padEnd(13), displayName].join(''),
  )
  say(`
The demo county is alive: ${address}

  ${'sign in as'.padEnd(14)}${'password'.padEnd(21)}${'role'.padEnd(18)}${'region'.padEnd(13)}name
  ${rows.join('\n  ')}

${doorExample(county, mqttPort)}
${faultExamples(county)}

Logs: ${relative('.', logs)}/hub.log and simulator.log. Ctrl-C stops everything.
`)
}

/** How any MQTT client opens a door of the demo. */
function doorExample({ devices }: CountyFile, mqttPort: number): string {
  const door = devices.find(({ device, secret }) => device.kind === 'contact' && secret)
  if (!door) return ''
  const { deviceId, region, name } = door.device
  const topic = `${devicePrefix(region, deviceId)}a`
  return `Open a door (${name}) with any MQTT client:
  mosquitto_pub -h 127.0.0.1 -p ${mqttPort} -i ${deviceId} -u ${deviceId} -P ${door.secret} -q 1 \\
    -t ${topic} -m '{"kind":"intrusion","state":"active"}'
or let the simulator do it:
  npm run simulate -- do "door opens ${deviceId}"
`
}

/** Faults in the village that the village's account sees. */
function faultExamples({ devices }: CountyFile): string {
  const village = devices[0]?.device.region
  const first = (kind: string) =>
    devices.find(({ device }) => device.kind === kind && device.region === village)?.device.deviceId
  const faults = [
    `camera stalls ${first('camera')}`,
    `camera back ${first('camera')}`,
    `device killed ${first('light')}`,
    `panic pressed ${first('panic')}`,
  ]
  return `Break something (npm run simulate -- do help lists all):
${faults.map((words) => `  npm run simulate -- do "${words}"`).join('\n')}`
}

if (process.argv.includes('--help')) say(help)
else await asProgram(demo)
