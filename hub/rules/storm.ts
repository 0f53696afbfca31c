/** Thresholds of the storm guard. */
export interface StormRule {
  /** Part of the expected heartbeat rate that must be missing at once. */
  share: number
  /** Fewer late devices than this are never taken for a fault of the observer. */
  leastDevices: number
  /** A device is late after this many heartbeats of silence: half a beat before any verdict. */
  lateBeats: number
}

/** The default: more than half of the rate, at least 20 devices, late after 1.5 beats. */
export const stormRule: StormRule = { share: 0.5, leastDevices: 20, lateBeats: 1.5 }

/**
 * What the observer hears in one moment. Rates are expected heartbeats per second, so that ten
 * thousand battery contacts with six-hour beats do not hide that every lamp fell silent.
 */
export interface Hearing {
  /** Devices that beat in time. */
  aliveRate: number
  /** Devices that missed a beat and have no verdict yet. */
  lateRate: number
  lateDevices: number
  /** Devices whose verdict the guard withholds. */
  heldRate: number
  heldDevices: number
}

/** The whole heartbeat rate fell away: more likely the observer's fault than the devices'. */
export const collapsed = (hearing: Hearing, rule: StormRule = stormRule) =>
  hearing.lateDevices >= rule.leastDevices &&
  hearing.lateRate > rule.share * (hearing.aliveRate + hearing.lateRate)

/** Enough devices are heard again to trust the observer with the silence of the others. */
export const recovered = (hearing: Hearing, rule: StormRule = stormRule) =>
  !collapsed(hearing, rule) &&
  hearing.aliveRate >= rule.share * (hearing.aliveRate + hearing.lateRate + hearing.heldRate)
