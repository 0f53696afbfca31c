import type { AlarmView } from '#schema/alarm.ts'
import type { Pulse, Snapshot, SnapshotVillage } from '#schema/live.ts'
import type { StateCounts } from '#schema/state.ts'
import { isUnack, withAlarm } from '../rules/alarm-order.ts'
import { isTrouble, rankOf } from '../rules/marks.ts'
import { villageWidth } from '../rules/wire.ts'
import type { Api } from './api.ts'
import { browserFrames, flusher, type Frames } from './flush.ts'
import { hotTable, type HotTable } from './hot-table.ts'
import type { HubClock } from './hub-clock.svelte.ts'
import type { LiveLink, OpenLink } from './live-link.ts'

/** Older than this, what is on screen is not the present (CONSOLE rule: 15 s). */
export const staleMs = 15_000
/** Rows of the fault panel; the device list has them all. */
const troubleMost = 200

export interface FleetDeps {
  scope: string
  api: Pick<Api, 'snapshot'>
  link: OpenLink
  clock: HubClock
  frames?: Frames
  /** A new or changed alarm, at once, before any drawing. */
  onalarm?: (alarm: AlarmView, fresh: boolean) => void
}

const asSix = (c: StateCounts) => [
  c.up,
  c.degraded,
  c.down,
  c.unknown,
  c.excluded,
  c.uncommissioned,
]

/** The live picture of one scope: one per open scope, given to the panels by context. */
export class Fleet {
  readonly scope: string
  snapshot: Snapshot | null = $state.raw(null)
  villages: readonly SnapshotVillage[] = $state.raw([])
  alarms: readonly AlarmView[] = $state.raw([])
  lastAlarmAt: number | null = $state(null)
  /** Six counts by state code. */
  counts: readonly number[] = $state.raw([0, 0, 0, 0, 0, 0])
  /** Slots of the fault panel, worst first, then newest; changes only when a device enters or leaves. */
  trouble: readonly number[] = $state.raw([])
  /** Grows with each flush; canvases draw on it. */
  version = $state(0)
  /** Grows when some device changed state: what strips are fetched on. */
  moves = $state(0)
  pulse: Pulse | null = $state.raw(null)
  connected = $state(false)
  failure: unknown = $state.raw(null)
  refusal: string | null = $state(null)
  table: HotTable = hotTable([])

  readonly #deps: FleetDeps
  readonly #flush: ReturnType<typeof flusher>
  #link: LiveLink | undefined
  #abort: AbortController | undefined
  #early: number[][] = []
  #moved = false
  /** The picture was fetched after the socket joined: only then do pulses vouch for it. */
  #whole = false
  #refetchTimer: ReturnType<typeof setTimeout> | undefined
  /** Hub time up to which what is shown was proved. */
  #provedAt = $state(0)
  #openedAt = 0

  constructor(deps: FleetDeps) {
    this.scope = deps.scope
    this.#deps = deps
    this.#flush = flusher(deps.frames ?? browserFrames, () => this.#paint())
  }

  /** Age of what is on screen, ms; 0 while it is current. */
  readonly ageMs = $derived.by(() => {
    const { now } = this.#deps.clock
    const age = now - (this.#provedAt || this.#openedAt)
    return age > staleMs ? age : 0
  })
  readonly stale = $derived(this.ageMs > 0)
  /** Hub time of the picture while it is stale. */
  readonly provedAt = $derived(this.#provedAt)
  /** The socket is down, and has been for 15 s: an alarm of its own. */
  readonly lost = $derived(this.stale && !this.connected)
  readonly unack = $derived(this.alarms.filter(isUnack))
  readonly open = $derived.by(() => {
    const beyond = Math.max(
      0,
      (this.snapshot?.alarmsOpen ?? 0) - (this.snapshot?.alarms.length ?? 0),
    )
    return this.alarms.length + beyond
  })

  start() {
    this.#openedAt = this.#deps.clock.read()
    this.#link = this.#deps.link(this.scope, {
      joined: () => {
        this.connected = true
        this.#whole = false
        void this.fetch()
      },
      dropped: () => {
        this.connected = false
        this.#whole = false
      },
      refused: (message) => {
        this.refusal = message
      },
      delta: (changes) => this.takeDelta(changes),
      villages: (changes) => this.#takeVillages(changes),
      alarm: (alarm) => this.takeAlarm(alarm),
      pulse: (pulse) => this.takePulse(pulse),
      refresh: () => this.refetchSoon(),
    })
    // The picture need not wait for the socket.
    void this.fetch()
  }

  /** Fetches the snapshot; a later call makes an earlier one void. */
  fetch = async () => {
    this.#abort?.abort()
    const abort = new AbortController()
    this.#abort = abort
    try {
      const snapshot = await this.#deps.api.snapshot(this.scope, abort.signal)
      if (!abort.signal.aborted) this.#takeSnapshot(snapshot)
    } catch (failure) {
      if (abort.signal.aborted) return
      this.failure = failure
      if (this.connected) this.refetchSoon(5000)
    }
  }

  refetchSoon(ms = 500) {
    clearTimeout(this.#refetchTimer)
    this.#refetchTimer = setTimeout(() => void this.fetch(), ms)
  }

  #takeSnapshot(snapshot: Snapshot) {
    this.#deps.clock.hear(snapshot.at)
    this.#deps.clock.tick()
    this.failure = null
    this.table = hotTable(snapshot.devices)
    for (const delta of this.#early) this.table.apply(delta, true)
    this.#early = []
    this.#moved = false
    this.#whole = this.connected
    this.snapshot = snapshot
    this.villages = snapshot.villages
    // An acknowledgement that overtook the snapshot must not be undone by it.
    let desk: readonly AlarmView[] = snapshot.alarms
    for (const held of this.alarms)
      if (snapshot.alarms.some(({ id, change }) => id === held.id && change < held.change))
        desk = withAlarm(desk, held)
    this.alarms = desk
    this.lastAlarmAt = snapshot.lastAlarmAt
    this.#sortTrouble()
    this.#publishCounts()
    this.version += 1
    this.moves += 1
  }

  takeDelta(changes: number[]) {
    if (!this.snapshot) {
      this.#early.push(changes)
      return
    }
    if (this.table.apply(changes).length > 0) this.#moved = true
    this.#flush.mark()
  }

  #takeVillages(changes: number[]) {
    const next = this.villages.slice()
    for (let i = 0; i + villageWidth <= changes.length; i += villageWidth) {
      const [at = -1, up = 0, degraded = 0, down = 0, unknown = 0, excluded = 0, idle = 0] =
        changes.slice(i, i + villageWidth)
      const village = next[at]
      if (!village) continue
      const counts = { up, degraded, down, unknown, excluded, uncommissioned: idle }
      const [open = 0, unack = 0] = changes.slice(i + 7, i + villageWidth)
      next[at] = { ...village, counts, open, unack }
    }
    this.villages = next
    this.#flush.mark()
  }

  takeAlarm(alarm: AlarmView) {
    const fresh = !this.alarms.some(({ id }) => id === alarm.id)
    this.alarms = withAlarm(this.alarms, alarm)
    this.lastAlarmAt = Math.max(this.lastAlarmAt ?? 0, alarm.lastAt)
    this.#deps.onalarm?.(alarm, fresh)
    this.version += 1
  }

  takePulse(pulse: Pulse) {
    this.pulse = pulse
    this.#deps.clock.hear(pulse.at)
    // A hub whose intake is silent sees nothing: its own clock running on proves nothing.
    if (this.#whole)
      this.#provedAt = Math.max(this.#provedAt, Math.min(pulse.at, pulse.intakeAt ?? 0))
  }

  #paint() {
    if (this.#moved) {
      this.#moved = false
      this.#sortTrouble()
      this.moves += 1
    }
    this.#publishCounts()
    this.version += 1
  }

  #publishCounts() {
    const county = this.scope.length === 6
    const next = county
      ? this.villages.reduce(
          (sum, { counts }) => asSix(counts).map((n, i) => n + (sum[i] ?? 0)),
          [0, 0, 0, 0, 0, 0],
        )
      : [...this.table.counts]
    if (next.some((n, i) => n !== this.counts[i])) this.counts = next
  }

  #sortTrouble() {
    const { state, since, size } = this.table
    const slots: number[] = []
    for (let slot = 0; slot < size; slot += 1) if (isTrouble(state[slot] ?? 0)) slots.push(slot)
    slots.sort(
      (a, b) => rankOf(state[a] ?? 0) - rankOf(state[b] ?? 0) || (since[b] ?? 0) - (since[a] ?? 0),
    )
    this.trouble = slots.slice(0, troubleMost)
  }

  close() {
    clearTimeout(this.#refetchTimer)
    this.#abort?.abort()
    this.#flush.close()
    this.#link?.close()
  }
}
