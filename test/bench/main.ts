import { pathToFileURL } from 'node:url'
import type { Bench } from './figure.ts'
import { benchIngest } from './ingest.ts'

const benches: Readonly<Record<string, { about: string; run: Bench }>> = {
  ingest: {
    about:
      'MQTT intake: CPU and time until an alarm is on disk, beside mosquitto + an mqtt.js consumer (--seconds 20, --rates 1000,10000)',
    run: benchIngest,
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
  await bench.run(args, (figure) => process.stdout.write(`${JSON.stringify(figure)}\n`))
  return 0
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  process.exitCode = await main(process.argv.slice(2))
