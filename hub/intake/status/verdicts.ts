import type { Logger } from 'pino'
import { collapsed, recovered, type Hearing } from '../../rules/storm.ts'
import { codes, flag, type Fleet } from './fleet.ts'
import { scanFleet, silentFrom } from './scan.ts'
import { settle, type Rules, type Watch } from './settle.ts'

/** What the storm guard is doing. */
export interface GuardHealth {
  /** Silence verdicts wait because the event loop came late. */
  lagging: boolean
  /** The heartbeat rate collapsed: silence counts as `unknown`. */
  collapsed: boolean
  /** Devices whose verdict is withheld. */
  held: number
}

/** Judges silence once a second behind both storm guards (late event loop, collapsed rate). */
export function silenceVerdicts(watch: Watch, log: Pick<Logger, 'warn'>, rules: Rules) {
  let due = new Int32Array(0)
  let held = 0
  let heldBackUntil = -Infinity
  let lagging = false

  /** Notes a collapse or its end; true when the end has just settled everybody. */
  const guard = (hearing: Hearing, mono: number): boolean => {
    const stormy = watch.stormAt > -Infinity
    if (collapsed(hearing, rules.storm)) {
      if (!stormy) log.warn({ ...hearing }, 'heartbeat rate collapsed: silence proves nothing')
      watch.stormAt = mono
    } else if (stormy && recovered(hearing, rules.storm)) {
      log.warn({ held }, 'heartbeats are back: silence counts again')
      watch.stormAt = -Infinity
      restartWatch(watch, mono)
      return true
    }
    return false
  }

  return {
    health: (): GuardHealth => ({ lagging, collapsed: watch.stormAt > -Infinity, held }),
    /** Packets that came while the loop was late still lie in the sockets: let it read them first. */
    holdBack: (mono: number, lateMs: number) => {
      heldBackUntil = mono + lateMs
    },
    /** @param now epoch ms */
    run: (mono: number, now: number) => {
      lagging = mono < heldBackUntil
      if (lagging) return
      const scan = scanFleet(watch.fleet, mono, now, due)
      due = scan.due
      held = scan.hearing.heldDevices
      if (guard(scan.hearing, mono)) return
      for (const n of due.subarray(0, scan.dueCount)) {
        if (withheld(watch, n)) watch.fleet.flags[n]! |= flag.held
        settle(watch, n, mono)
      }
    },
  }
}

const needsHearing = (fleet: Fleet, n: number) =>
  fleet.code[n]! <= codes.degraded || fleet.code[n] === codes.unknown

/** Who was heard after the collapse is reachable: its silence is its own. */
const withheld = ({ fleet, stormAt }: Watch, n: number) =>
  needsHearing(fleet, n) && silentFrom(fleet, n) <= stormAt

/**
 * After a collapse the silence of before it proves nothing: everybody who was not heard in time is
 * `unknown` until heard, or until the limit has run from now.
 */
function restartWatch(watch: Watch, mono: number) {
  const { fleet } = watch
  for (let n = 0; n < fleet.size; n++) {
    if (!needsHearing(fleet, n)) continue
    const isHeld = (fleet.flags[n]! & flag.held) !== 0
    if (!isHeld && mono - silentFrom(fleet, n) < fleet.late[n]!) continue
    fleet.flags[n]! &= ~flag.held
    fleet.watched[n] = mono
    settle(watch, n, mono)
  }
}
