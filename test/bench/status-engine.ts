import { mkdtemp, rm } from 'node:fs/promises'
import { DatabaseSync } from 'node:sqlite'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import { parseArgs } from 'node:util'
import { systemClock } from '../../hub/clock.ts'
import { statusEngine, type StatusEngine } from '../../hub/intake/status-engine.ts'
import type { Device } from '../../hub/schema/device.ts'
import { sqliteState } from '../../hub/store/sqlite-state.ts'
import { someDevices } from '../support/status-desk.ts'

/** One figure beside the peer's in the same run; ratio = value / peer. */
interface Figure {
  name: string
  value: number
  unit: string
  peer: number
  ratio: number
}

const quiet = { info: () => {}, warn: () => {}, error: () => {} }

/** Middle of `rounds` runs of `work`, ms per run. */
function median(rounds: number, work: () => void): number {
  const times = Array.from({ length: rounds }, () => {
    const from = performance.now()
    work()
    return performance.now() - from
  })
  return times.toSorted((a, b) => a - b)[rounds >> 1]!
}

/** Beats in an order that no cache likes: 7919 shares no factor with the fleet's size. */
function beatAll(count: number, beat: (n: number) => void) {
  for (let i = 0; i < count; i++) beat((i * 7919) % count)
}

const nsPerBeat = (count: number, beat: (n: number) => void) =>
  (median(9, () => {
    for (let times = 0; times < 20; times++) beatAll(count, beat)
  }) *
    1e6) /
  (20 * count)

/** The usual way: one timer per device, restarted by each heartbeat. */
function timerPerDevice(count: number) {
  const timers = Array.from({ length: count }, () => setTimeout(() => {}, 180_000))
  return {
    seen: (n: number) => void timers[n]!.refresh(),
    close: () => {
      for (const timer of timers) clearTimeout(timer)
    },
  }
}

/** Last-seen times in a Map by device id, looked through each second. */
function mapOfDevices(devices: readonly Device[]) {
  const seen = new Map(
    devices.map(({ deviceId }) => [deviceId, { at: performance.now(), up: true }]),
  )
  return () => {
    const now = performance.now()
    let silent = 0
    for (const device of seen.values()) if (device.up && now - device.at >= 180_000) silent++
    return silent
  }
}

/** The least that any hub must do at the start: the same rows by one prepared insert. */
function bareInserts(file: string, devices: readonly Device[]): number {
  const db = new DatabaseSync(file)
  db.exec('pragma journal_mode = wal; pragma synchronous = normal')
  db.exec('create table row (id text, startAt integer, endAt integer, state text, reason text)')
  const insert = db.prepare('insert into row values (?, ?, null, ?, ?)')
  const from = performance.now()
  db.exec('begin immediate')
  for (const { deviceId } of devices) insert.run(deviceId, 1, 'unknown', 'hub')
  db.exec('commit')
  const ms = performance.now() - from
  db.close()
  return ms
}

/**
 * The status engine on a real `state.db`: cost of one heartbeat, of one second's judging, of a mass
 * recovery and of a start. Options: `--devices 30000`.
 */
export async function run(args: readonly string[], print: (figure: Figure) => void) {
  const { values } = parseArgs({
    args: [...args],
    options: { devices: { type: 'string', default: '30000' } },
  })
  const count = Number(values.devices)
  const folder = await mkdtemp(join(tmpdir(), 'bench-status-'))
  const devices = someDevices(count)
  const state = await sqliteState(join(folder, 'state.db'), { busyTimeoutMs: 0 })
  const show = (name: string, unit: string, value: number, peer: number) => {
    const figure: Figure = {
      name,
      value: round(value),
      unit,
      peer: round(peer),
      ratio: round(value / peer),
    }
    print(figure)
  }
  // Here ticks come as fast as they can, so neither lag nor blindness must switch the scan off.
  const options = { lagMs: Infinity, lifeMs: Infinity }
  const open = () => statusEngine({ devices, state, clock: systemClock, log: quiet, options })
  const timed = (): { engine: StatusEngine; ms: number } => {
    const from = performance.now()
    const engine = open()
    return { engine, ms: performance.now() - from }
  }
  try {
    const { engine } = timed()
    const seen = (n: number) => engine.seen(n)
    beatAll(count, seen)
    const inserts = bareInserts(join(folder, 'bare.db'), devices)
    let ticks = 0
    let longest = 0
    const from = performance.now()
    while (engine.health().pending > 0) {
      longest = Math.max(
        longest,
        median(1, () => engine.tick()),
      )
      ticks++
    }
    show('every device changes at once: stored', 'ms', performance.now() - from, inserts)
    show('every device changes at once: longest tick', 'ms', longest, inserts)
    show('every device changes at once: ticks', 'ticks', ticks, 1)

    const timers = timerPerDevice(count)
    show('heartbeat', 'ns', nsPerBeat(count, seen), nsPerBeat(count, timers.seen))
    timers.close()

    const tick = median(99, () => engine.tick())
    show('a second in which nothing changes', 'ms', tick, median(99, mapOfDevices(devices)))
    engine.close()

    const again = timed()
    show('start: load, judge and store every device as unknown', 'ms', again.ms, inserts)
    again.engine.close()
  } finally {
    state.close()
    await rm(folder, { recursive: true })
  }
}

const round = (value: number) => Math.round(value * 1000) / 1000

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href)
  await run(process.argv.slice(2), (figure) => process.stdout.write(`${JSON.stringify(figure)}\n`))
