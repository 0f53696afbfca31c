import { parseArgs } from 'node:util'
import { ask } from './control.ts'
import { demoPlan, makeCounty } from './county.ts'
import { readCounty, writeCounty } from './county-io.ts'
import { lives } from './life.ts'

const help = `Simulates a county of village devices: MQTT contacts, buttons and lamps, RTSP cameras.

  npm run simulate -- county --out FILE [options]   make a county with its secrets (file mode 0600)
      --seed N           same seed, same county, secrets apart            (default 1)
      --townships N      1 to 30                                          (default ${demoPlan.townships})
      --villages N       in each township, 1 to 200                       (default ${demoPlan.villagesPerTownship})
      --villages-total N in the county, spread evenly; instead of --villages
      --per-village N    devices in a village, 4 to 200                   (default ${demoPlan.perVillage})
      --rtsp-port N      port in the cameras' addresses                   (default ${demoPlan.rtspPort})
      --heartbeat S      seconds between heartbeats of every kind         (default 20; cameras 15)
      --test-secrets     secrets from the seed: only for tests, everybody can guess them

  npm run simulate -- run --county FILE [options]   be that county until stopped
      --mqtt-host HOST   (default 127.0.0.1)
      --mqtt-port N      (default 1883)
      --rtsp-port N      0 takes a free one (default: the port in the cameras' addresses)
      --control PATH     unix socket for commands (default ./data/demo/simulator.sock)
      --life PACE        what happens by itself: ${lives.join(' | ')} (default calm: a door every 3 to 4 minutes)
      --truth FILE       append what really happened, JSON lines: at, device, what
      --keepalive S      MQTT keep-alive (default 30)
      --connects N       new connections a second at the start (default 400)
      --bad-clocks P     percent of devices whose clock stands in the year 2000 (default 0)
      --fill-kbps N      pad every picture stream to this rate (default 0: about 90 kbit/s)
      --ready-within S   say 'ready' after this long even if fewer than 99 % connected (default 30)

  npm run simulate -- do "<words>" [--control PATH]  command a running county
      e.g. "door opens any", "panic pressed any", "camera freezes any", "camera back",
      "power cut <village>", "power back", "device silent <device>", "device back", "status", "help"
`

/** A mistake of the caller: one sentence, exit 2. */
class UsageError extends Error {}

const countyOptions = {
  seed: { type: 'string' },
  out: { type: 'string' },
  townships: { type: 'string' },
  villages: { type: 'string' },
  'villages-total': { type: 'string' },
  'per-village': { type: 'string' },
  'rtsp-port': { type: 'string' },
  heartbeat: { type: 'string' },
  'test-secrets': { type: 'boolean' },
} as const

const runOptions = {
  county: { type: 'string' },
  'mqtt-host': { type: 'string' },
  'mqtt-port': { type: 'string' },
  'rtsp-port': { type: 'string' },
  control: { type: 'string' },
  life: { type: 'string' },
  truth: { type: 'string' },
  keepalive: { type: 'string' },
  connects: { type: 'string' },
  'bad-clocks': { type: 'string' },
  'fill-kbps': { type: 'string' },
  'ready-within': { type: 'string' },
} as const

const defaultControl = './data/demo/simulator.sock'

type Values = Readonly<Record<string, string | boolean | undefined>>

/** A whole number in a range, or the default. */
function number(values: Values, name: string, low: number, high: number, standard: number): number
function number(values: Values, name: string, low: number, high: number): number | undefined
function number(values: Values, name: string, low: number, high: number, standard?: number) {
  const text = values[name]
  if (text === undefined) return standard
  const value = Number(text)
  if (text === '' || !Number.isInteger(value) || value < low || value > high)
    throw new UsageError(`--${name} must be a whole number from ${low} to ${high}, got '${text}'`)
  return value
}

function county(args: string[]) {
  const { values } = parseArgs({ args, options: countyOptions })
  if (!values.out) throw new UsageError('county needs --out FILE')
  const made = makeCounty({
    seed: number(values, 'seed', 0, 2 ** 31 - 1, 1),
    townships: number(values, 'townships', 1, 30, demoPlan.townships),
    villagesPerTownship: number(values, 'villages', 1, 200, demoPlan.villagesPerTownship),
    villages: number(values, 'villages-total', 1, 6_000),
    perVillage: number(values, 'per-village', 4, 200, demoPlan.perVillage),
    rtspPort: number(values, 'rtsp-port', 1, 65_535, demoPlan.rtspPort),
    heartbeatS: number(values, 'heartbeat', 1, 604_800),
    commissionedAt: Date.now(),
    testSecrets: values['test-secrets'],
  })
  writeCounty(values.out, made)
  const villages = made.regions.filter(({ level }) => level === 'village').length
  process.stdout.write(
    `wrote '${values.out}': ${villages} villages, ${made.devices.length} devices, seed ${made.seed}\n`,
  )
}

async function runCounty(args: string[]) {
  const { values } = parseArgs({ args, options: runOptions })
  if (!values.county) throw new UsageError("run needs --county FILE (make one with 'county')")
  const life = lives.find((pace) => pace === (values.life ?? 'calm'))
  if (!life) throw new UsageError(`--life must be ${lives.join(', ')}, got '${values.life}'`)
  // Only now: the MQTT client costs the other commands a quarter of a second.
  const { run } = await import('./run.ts')
  await run({
    county: readCounty(values.county),
    mqttHost: values['mqtt-host'] ?? '127.0.0.1',
    mqttPort: number(values, 'mqtt-port', 1, 65_535, 1883),
    rtspPort: number(values, 'rtsp-port', 0, 65_535),
    control: values.control ?? defaultControl,
    life,
    truth: values.truth,
    keepaliveS: number(values, 'keepalive', 1, 65_535, 30),
    connectsPerS: number(values, 'connects', 1, 10_000, 400),
    clockLostShare: number(values, 'bad-clocks', 0, 100, 0) / 100,
    fillKbps: number(values, 'fill-kbps', 0, 100_000, 0),
    readyWithinMs: number(values, 'ready-within', 1, 3_600, 30) * 1000,
  })
}

async function command(args: string[]) {
  const options = { control: { type: 'string' } } as const
  const { values, positionals } = parseArgs({ args, options, allowPositionals: true })
  const words = positionals.join(' ')
  if (!words) throw new UsageError('do needs a command in words, such as "door opens any"')
  const { ok, message } = await ask(values.control ?? defaultControl, words)
  process.stdout.write(`${ok ? 'ok' : 'error'} ${message}\n`)
  if (!ok) process.exitCode = 1
}

async function main([verb, ...args]: string[]) {
  if (verb === undefined || verb === 'help' || verb === '--help' || args.includes('--help'))
    process.stdout.write(help)
  else if (verb === 'county') county(args)
  else if (verb === 'run') await runCounty(args)
  else if (verb === 'do') await command(args)
  else throw new UsageError(`no command '${verb}': county, run, do or --help`)
}

/** Mistakes of the caller, ours and `parseArgs`' own. */
const isUsage = (error: Error) =>
  error instanceof UsageError ||
  error instanceof RangeError ||
  ('code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'))

try {
  await main(process.argv.slice(2))
} catch (error) {
  if (!(error instanceof Error)) throw error
  // The first sentence: parseArgs adds advice that does not fit here.
  process.stderr.write(`simulate: ${error.message.split(/\. |\n/)[0]}\n`)
  process.exitCode = isUsage(error) ? 2 : 1
}
