import type { Hearing } from '../../rules/storm.ts'
import { codes, flag, type Fleet } from './fleet.ts'

/** What one look at the whole fleet found. */
export interface Scan {
  hearing: Hearing
  /** Devices to judge are `due[0 .. dueCount)`. */
  due: Int32Array<ArrayBuffer>
  dueCount: number
}

/** The moment from which a device's silence counts, monotonic ms. */
export const silentFrom = (fleet: Fleet, n: number) => Math.max(fleet.seen[n]!, fleet.watched[n]!)

/** Nobody waits for these to speak. */
const unexpected = flag.fresh | flag.missing

/**
 * One pass over every device: who passed its silence limit, whose commissioning came, and how much
 * of the expected heartbeat rate is there. Plain loops over typed arrays: it runs each second.
 *
 * @param mono monotonic ms
 * @param now epoch ms
 * @param due scratch space, replaced when it is too small
 */
export function scanFleet(
  fleet: Fleet,
  mono: number,
  now: number,
  due: Int32Array<ArrayBuffer>,
): Scan {
  const { code, flags, seen, watched, limit, late, rate, commissionAt, size } = fleet
  const list = due.length < size ? new Int32Array(code.length) : due
  const hearing: Hearing = {
    aliveRate: 0,
    lateRate: 0,
    lateDevices: 0,
    heldRate: 0,
    heldDevices: 0,
  }
  let dueCount = 0
  for (let n = 0; n < size; n++) {
    const state = code[n]!
    if (state <= codes.degraded || state === codes.unknown) {
      const marks = flags[n]!
      if (marks & flag.held) {
        hearing.heldRate += rate[n]!
        hearing.heldDevices++
        continue
      }
      const silence = mono - (seen[n]! > watched[n]! ? seen[n]! : watched[n]!)
      if (silence >= limit[n]!) list[dueCount++] = n
      if (silence < late[n]!) {
        // A device that was not heard since a restart is not alive, only not late yet.
        if (state !== codes.unknown) hearing.aliveRate += rate[n]!
      } else if (!(marks & unexpected)) {
        hearing.lateRate += rate[n]!
        hearing.lateDevices++
      }
    } else if (state === codes.uncommissioned && commissionAt[n]! <= now) list[dueCount++] = n
  }
  return { hearing, due: list, dueCount }
}
