import type { Logger } from 'pino'
import type { Clock } from '../rules/clock.ts'
import { silenceRule } from '../rules/status.ts'
import { stormRule } from '../rules/storm.ts'
import type { Device } from '../schema/device.ts'
import { deviceStates, type DeviceState, type StateReason } from '../schema/state.ts'
import type { StateStore } from '../store/state-store.ts'
import { codes, emptyFleet, flag, noTrouble, reasons } from './status/fleet.ts'
import { stateJournal } from './status/journal.ts'
import { lifeRows, seenPairs, type LifeRows } from './status/life.ts'
import {
  blind,
  hear,
  known,
  register,
  restore,
  settle,
  type Rules,
  type Watch,
} from './status/settle.ts'
import { silenceVerdicts, type GuardHealth } from './status/verdicts.ts'

/**
 * Decides the state of every device from signs of life and writes intervals.
 * Implementation: `statusEngine(...)` in this file.
 */
export interface StatusEngine {
  /** A live packet of device `n` arrived now (never a retained or replayed one). Hot path. */
  seen(n: number): void
  /** A last will of the device's current connection that keep-alive did not cause: down from now. */
  lost(n: number): void
  /** Registers devices added after the start; one that is known already gets its new settings. */
  add(devices: readonly Device[]): void
  /** Declares or ends maintenance from now. A declaration outlives a restart of the hub. */
  exclude(n: number, excluded: boolean): void
  /** Something is wrong with a device that does speak (null: no longer): degraded from now. */
  trouble(n: number, reason: StateReason | null): void
  /** Judges silence; called once a second by its owner. */
  tick(): void
  state(n: number): { state: DeviceState; reason: StateReason; since: number } | undefined
  /** Pairs (n, epoch ms) of devices seen since the last call: what the bus carries each second. */
  takeSeen(): Float64Array
  health(): EngineHealth
  /** Writes the last life row. */
  close(): void
}

/** How well the observer itself is. */
export interface EngineHealth extends GuardHealth {
  /** Changes that wait for the store. */
  pending: number
}

/** Thresholds and periods, ms. */
export interface EngineOptions extends Rules {
  /** Between two calls of `tick`. */
  tickMs: number
  /** A tick later than this suspends silence verdicts until the loop has caught up. */
  lagMs: number
  /** Between two rows of the hub's own life. A longer gap between ticks is blindness, like a stop. */
  lifeMs: number
  /** Time a tick may spend on storing; the rest of a mass change waits for the next ticks. */
  storeMs: number
}

const defaults: EngineOptions = {
  silence: silenceRule,
  storm: stormRule,
  tickMs: 1000,
  lagMs: 2000,
  lifeMs: 10_000,
  storeMs: 40,
}

/** What the engine works with. */
export interface EngineDeps {
  devices: readonly Device[]
  state: StateStore
  clock: Clock
  log: Pick<Logger, 'info' | 'warn' | 'error'>
  options?: Partial<EngineOptions>
}

/**
 * Starts with every commissioned device `unknown` from the hub's last sign of its own life, and
 * writes that before it returns (a busy store gets it at the first tick).
 */
export function statusEngine(deps: EngineDeps): StatusEngine {
  const { state, clock, log } = deps
  const options = { ...defaults, ...deps.options }
  const watch: Watch = {
    fleet: emptyFleet(),
    journal: stateJournal(state, clock, log),
    offset: clock.now() - clock.mono(),
    provedAt: clock.now(),
    stormAt: -Infinity,
  }
  const left = { devices: deps.devices, open: state.current(), life: state.lastLife() }
  const { fleet, journal } = watch
  restore(watch, left, options, clock.mono())
  log.info({ devices: left.devices.length, blindFrom: watch.provedAt }, 'devices loaded')
  const life = lifeRows(watch, clock, options.lifeMs)
  journal.flush(Infinity)
  life.write()
  const verdicts = silenceVerdicts(watch, log, options)
  let taken = clock.mono()

  return {
    seen: (n) => {
      const at = clock.mono()
      fleet.seen[n] = at
      if (fleet.code[n]! > codes.degraded) hear(watch, n, at)
    },
    ...declarations(watch, clock),
    add: (devices) => {
      for (const device of devices) register(watch, device, options, clock.mono())
    },
    tick: ticker({ watch, clock, log, options, life, verdicts }),
    state: (n) => present(watch, n),
    takeSeen: () => {
      const from = taken
      taken = clock.mono()
      return seenPairs(watch, from)
    },
    health: () => ({ pending: journal.pending(), ...verdicts.health() }),
    close: () => {
      journal.flush(Infinity)
      life.write()
    },
  }
}

/** What others say of a device: each is applied at once and stored at the next tick. */
function declarations(
  watch: Watch,
  clock: Clock,
): Pick<StatusEngine, 'lost' | 'exclude' | 'trouble'> {
  const { fleet } = watch
  const about = (n: number, note: (at: number) => void) => {
    if (!known(fleet, n)) return
    const at = clock.mono()
    note(at)
    settle(watch, n, at)
  }
  return {
    lost: (n) =>
      about(n, (at) => {
        fleet.lost[n] = at
      }),
    exclude: (n, excluded) =>
      about(n, () => {
        if (excluded) fleet.flags[n]! |= flag.excluded
        else fleet.flags[n]! &= ~flag.excluded
      }),
    trouble: (n, reason) =>
      about(n, () => {
        fleet.trouble[n] = reason ? reasons.indexOf(reason) : noTrouble
      }),
  }
}

function present(watch: Watch, n: number): ReturnType<StatusEngine['state']> {
  const { fleet } = watch
  if (!known(fleet, n)) return undefined
  return {
    state: deviceStates[fleet.code[n]!]!,
    reason: reasons[fleet.reason[n]!]!,
    since: fleet.since[n]!,
  }
}

interface TickDeps {
  watch: Watch
  clock: Clock
  log: EngineDeps['log']
  options: EngineOptions
  life: LifeRows
  verdicts: ReturnType<typeof silenceVerdicts>
}

/** The engine's second: own blindness first, then everybody's silence, then the store. */
function ticker({ watch, clock, log, options, life, verdicts }: TickDeps): () => void {
  let ticked: { mono: number; now: number } | undefined
  return () => {
    const mono = clock.mono()
    const now = clock.now()
    const lateMs = ticked ? mono - ticked.mono - options.tickMs : 0
    // A machine that slept stops the monotonic clock; then only the wall clock shows the gap.
    const gapMs = ticked ? Math.max(mono - ticked.mono, now - ticked.now) : 0
    watch.offset = now - mono
    if (gapMs > options.lifeMs) {
      log.warn({ gapMs }, 'the hub was blind: every device is unknown until heard')
      blind(watch, mono, watch.provedAt)
      life.begin()
    }
    // After a longer gap silence counts from here anyway: minutes of waiting would hide the dead.
    if (lateMs > options.lagMs) verdicts.holdBack(mono, Math.min(lateMs, options.lifeMs))
    verdicts.run(mono, now)
    ticked = { mono, now }
    watch.provedAt = now
    if (watch.journal.flush(options.storeMs)) life.renew()
  }
}
