import { pathToFileURL } from 'node:url'
import type { Bench } from './figure.ts'

/** Loaded only when asked for: one bench must not need the tools of another. */
const benches: Readonly<Record<string, { about: string; load: () => Promise<Bench> }>> = {
  ingest: {
    about:
      'MQTT intake: CPU and time until an alarm is on disk, beside mosquitto + an mqtt.js consumer (--seconds 20, --rates 1000,10000)',
    load: async () => (await import('./ingest.ts')).benchIngest,
  },
  media: {
    about:
      'live relay of many cameras, beside one ffmpeg per camera (--cameras 10, --seconds 20, --kbps 800, --size 640x360)',
    load: async () => (await import('./media.ts')).run,
  },
  'status-engine': {
    about:
      'cost of a heartbeat, of judging a second, of a mass recovery and a start (--devices 30000)',
    load: async () => (await import('./status-engine.ts')).run,
  },
}

/** `npm run bench -- <name>`: one JSON line per figure on stdout; without a name it lists them. */
export async function main([name = '', ...args]: readonly string[]): Promise<number> {
  const bench = Object.hasOwn(benches, name) ? benches[name] : undefined
  if (bench === undefined) {
    for (const [known, { about }] of Object.entries(benches))
      process.stdout.write(`${known}: ${about}\n`)
    return name === '' ? 0 : 2
  }
  const run = await bench.load()
  await run(args, (figure) => process.stdout.write(`${JSON.stringify(figure)}\n`))
  return 0
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  process.exitCode = await main(process.argv.slice(2))
