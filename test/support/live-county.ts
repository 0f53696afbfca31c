import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { CountyFile } from '../../hub/schema/county-file.ts'
import { Role } from '../../hub/schema/people.ts'
import { sqlitePeople } from '../../hub/store/sqlite-people.ts'
import { hashPassword } from '../../hub/web/password.ts'
import { freePort } from './free-port.ts'
import { projectRoot, runProgram, startHub, type HubProcess, type Program } from './hub-process.ts'

const run = promisify(execFile)
/** Runs one of the project's programs to its end. */
export const runOnce = async (args: readonly string[], env: Record<string, string> = {}) =>
  (await run(process.execPath, args, { cwd: projectRoot, env: { ...process.env, ...env } })).stdout

export interface LiveCounty {
  readonly dir: string
  readonly county: CountyFile
  readonly hub: HubProcess
  /** One account per role; the sign-in name is the role, the password `passwordOf(role)`. */
  readonly scopes: Readonly<Record<Role, string>>
  startHub(): Promise<void>
  stopHub(): Promise<void>
  startSimulator(): Promise<void>
  stopSimulator(): Promise<void>
  /** A fault in words, as `npm run simulate -- do` takes it. */
  fault(words: string): Promise<string>
  [Symbol.asyncDispose](): Promise<void>
}

export const passwordOf = (role: string) => `${role}-of-the-test`

/**
 * A whole living county in `dir`: registry filled by the import command, the hub as a process, the
 * simulator as another. Ports stay the same over restarts.
 */
export async function liveCounty(
  dir: string,
  size: { townships: number; villages: number; perVillage: number },
  settings: Record<string, string> = {},
): Promise<LiveCounty> {
  const countyFile = join(dir, 'county.json')
  const control = join(dir, 'sim.sock')
  const dataDir = join(dir, 'data')
  const [rtspPort, mqttPort, httpPort] = [await freePort(), await freePort(), await freePort()]
  const sizes = Object.entries({
    '--townships': size.townships,
    '--villages': size.villages,
    '--per-village': size.perVillage,
    '--rtsp-port': rtspPort,
    '--seed': 11,
  }).flatMap(([name, value]) => [name, String(value)])
  await runOnce(['simulators/main.ts', 'county', '--out', countyFile, ...sizes])
  await runOnce(['hub/commands/main.ts', 'import', countyFile], { HUB_DATA_DIR: dataDir })
  const county = CountyFile.parse(JSON.parse(readFileSync(countyFile, 'utf8')))
  const scopes = await addAccounts(dataDir, county)

  let hub: HubProcess | undefined
  let simulator: Program | undefined
  const live: LiveCounty = {
    dir,
    county,
    scopes,
    get hub() {
      if (!hub) throw new Error('the hub is stopped')
      return hub
    },
    async startHub() {
      hub = await startHub(dataDir, {
        HUB_CAMERA_NETWORKS: '127.0.0.0/8',
        HUB_MQTT_PORT: String(mqttPort),
        HUB_HTTP_PORT: String(httpPort),
        ...settings,
      })
    },
    async stopHub() {
      await hub?.[Symbol.asyncDispose]()
      hub = undefined
    },
    async startSimulator() {
      const ports = ['--mqtt-port', String(mqttPort), '--rtsp-port', String(rtspPort)]
      simulator = runProgram(
        [
          'simulators/main.ts',
          'run',
          '--county',
          countyFile,
          '--control',
          control,
          '--life',
          'none',
          ...ports,
        ],
        {},
      )
      await simulator.says(/^ready /m, 60_000)
    },
    async stopSimulator() {
      await simulator?.[Symbol.asyncDispose]()
      simulator = undefined
    },
    fault: (words) => runOnce(['simulators/main.ts', 'do', words, '--control', control]),
    async [Symbol.asyncDispose]() {
      await live.stopSimulator()
      await live.stopHub()
    },
  }
  return live
}

/** Village roles get the first village, the township officer its township, the others the county. */
async function addAccounts(dataDir: string, county: CountyFile): Promise<Record<Role, string>> {
  const village = county.regions.find(({ level }) => level === 'village')!.code
  const scopes: Record<Role, string> = {
    'village-duty': village,
    'township-officer': village.slice(0, 9),
    crew: village.slice(0, 9),
    'county-supervisor': village.slice(0, 6),
    auditor: village.slice(0, 6),
    administrator: village.slice(0, 6),
  }
  const people = await sqlitePeople(join(dataDir, 'registry.db'), { busyTimeoutMs: 5_000 })
  for (const role of Role.options) {
    const user = { name: role, displayName: role, role, scope: scopes[role], mustChange: false }
    people.add({ ...user, id: randomUUID() }, await hashPassword(passwordOf(role)))
  }
  people.close()
  return scopes
}

/** Signs in by HTTP and returns the cookie header. */
export async function cookieOf(address: string, role: Role): Promise<string> {
  const answer = await fetch(`${address}/api/v1/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', origin: address },
    body: JSON.stringify({ name: role, password: passwordOf(role) }),
  })
  if (!answer.ok) throw new Error(`sign-in as ${role}: ${answer.status} ${await answer.text()}`)
  return answer.headers
    .getSetCookie()
    .map((cookie) => cookie.split(';')[0]!)
    .join('; ')
}

/** Opens a door the way a stranger would: with Debian's mosquitto_pub, QoS 1. */
export async function openDoorByHand(
  live: LiveCounty,
  deviceId: string,
  body: Record<string, unknown>,
): Promise<void> {
  const entry = live.county.devices.find(({ device }) => device.deviceId === deviceId)
  if (!entry?.secret) throw new Error(`no secret for '${deviceId}'`)
  const { region } = entry.device
  const place = `${region.slice(0, 6)}/${region.slice(6, 9)}/${region.slice(9, 12)}`
  const who = `-i ${deviceId} -u ${deviceId} -P ${entry.secret}`
  const where = `-h 127.0.0.1 -p ${live.hub.mqttPort} -q 1 -t jf/v1/${place}/${deviceId}/a`
  await run('mosquitto_pub', [...`${who} ${where} -m`.split(' '), JSON.stringify(body)])
}
