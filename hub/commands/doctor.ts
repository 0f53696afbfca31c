import {
  closeSync,
  fsyncSync,
  openSync,
  readFileSync,
  rmSync,
  statfsSync,
  writeSync,
} from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { readConfig } from '../config.ts'
import { makeDataDir } from '../data-dir.ts'
import type { Settings } from '../schema/settings.ts'
import { readArgs, type Command } from './command.ts'

/** One thing the doctor looked at. */
export interface Finding {
  what: string
  found: string
  /** What to do; undefined when all is well. */
  advice?: string | undefined
}

/** Looks at what the hub stands on: Node, disk, descriptors, ports. Writes one small file and removes it. */
export async function examine(settings: Settings): Promise<Finding[]> {
  makeDataDir(settings.HUB_DATA_DIR)
  return [
    nodeVersion(),
    fsyncTime(settings.HUB_DATA_DIR),
    freeSpace(settings.HUB_DATA_DIR),
    descriptors(),
    await port('MQTT', settings.HUB_MQTT_HOST, settings.HUB_MQTT_PORT),
    await port('HTTP', settings.HUB_HTTP_HOST, settings.HUB_HTTP_PORT),
  ]
}

function nodeVersion(): Finding {
  const { node } = process.versions
  const advice =
    Number(node.split('.')[0]) < 24 ? "start commands with 'npm run', it brings Node 24" : undefined
  return { what: 'Node', found: node, advice }
}

const fsyncTries = 50

/** Median time of a 4 KiB write with fsync in the data folder: what an alarm waits for at least. */
function fsyncTime(dir: string): Finding {
  const file = join(dir, `.doctor-${process.pid}`)
  const descriptor = openSync(file, 'w')
  const block = Buffer.alloc(4096, 1)
  const times: number[] = []
  try {
    for (let index = 0; index < fsyncTries; index++) {
      const start = performance.now()
      writeSync(descriptor, block)
      fsyncSync(descriptor)
      times.push(performance.now() - start)
    }
  } finally {
    closeSync(descriptor)
    rmSync(file)
  }
  times.sort((a, b) => a - b)
  const median = times[times.length >> 1] ?? 0
  const worst = times.at(-1) ?? 0
  return {
    what: 'write to disk (fsync)',
    found: `median ${median.toFixed(2)} ms, worst ${worst.toFixed(2)} ms of ${fsyncTries}`,
    advice: adviceOnFsync(median),
  }
}

/** Below 0.05 ms no disk answers: a cache lies. Above 50 ms a burst of alarms queues up. */
export function adviceOnFsync(medianMs: number): string | undefined {
  if (medianMs < 0.05) return 'too fast to be true: a power cut may lose alarms on this disk'
  if (medianMs > 50) return 'slow: put the data folder on an SSD'
  return undefined
}

const gibibyte = 2 ** 30

function freeSpace(dir: string): Finding {
  const { bavail, bsize } = statfsSync(dir)
  const free = (bavail * bsize) / gibibyte
  return {
    what: 'free space in the data folder',
    found: `${free.toFixed(1)} GiB`,
    advice: free < 5 ? 'less than 5 GiB: make room, metrics alone may take 9 GiB' : undefined,
  }
}

/** 20,000 descriptors hold about 18,000 direct devices. */
function descriptors(): Finding {
  const [, soft = '0', hard = '0'] =
    /^Max open files\s+(\d+)\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
  return {
    what: 'open files allowed',
    found: `${soft} (hard limit ${hard})`,
    advice:
      Number(soft) < 4096
        ? `room for about ${Math.round(Number(soft) * 0.9)} direct devices: raise 'ulimit -n'`
        : undefined,
  }
}

async function port(what: 'MQTT' | 'HTTP', host: string, number: number): Promise<Finding> {
  const error = await tryListen(host, number)
  const found = `${host}:${number} ${error ? (error === 'EADDRINUSE' ? 'in use' : error) : 'free'}`
  const advice = error && `by the hub itself, or else stop that program or set HUB_${what}_PORT`
  return { what: `${what} port`, found, advice }
}

const tryListen = (host: string, number: number) =>
  new Promise<string | undefined>((resolve) => {
    const server = createServer()
    server.once('error', (error: NodeJS.ErrnoException) => resolve(error.code ?? 'refused'))
    server.listen(number, host, () => server.close(() => resolve(undefined)))
  })

export const doctorCommand: Command = {
  name: 'doctor',
  takes: '',
  summary: 'look at Node, disk, descriptors and ports, and say what to mend',
  async run(args, print) {
    readArgs(this, args, {}, 0)
    for (const { what, found, advice } of await examine(readConfig()))
      print(`${advice ? '!' : ' '} ${what.padEnd(32)} ${found}${advice ? ` - ${advice}` : ''}`)
  },
}
