import { expect, test, vi } from 'vitest'
import type { Snapshot } from '#schema/live.ts'
import { stateReasons } from '../../hub/schema/live.ts'
import { deviceStates } from '../../hub/schema/state.ts'
import * as wire from '../../console/src/lib/rules/wire.ts'
import { Fleet, staleMs } from '../../console/src/lib/state/fleet.svelte.ts'
import { HubClock } from '../../console/src/lib/state/hub-clock.svelte.ts'
import { alarm, device, fakeFrames, fakeLink, noon, snapshot, villageRow } from './support/fakes.ts'

/** A fleet whose hub, clock and frames are the test's. */
function begin(first: Snapshot, scope = first.scope) {
  const link = fakeLink()
  const { frames, pass } = fakeFrames()
  let local = noon
  const clock = new HubClock(() => local)
  const snapshots = [first]
  const api = {
    snapshot: async () => snapshots.at(-1) ?? first,
  }
  const fleet = new Fleet({ scope, api, link: link.open, clock, frames })
  fleet.start()
  return {
    fleet,
    hub: link.hub,
    pass,
    snapshots,
    /** Joins and waits for the picture. */
    joined: async () => {
      link.hub().joined()
      await vi.waitFor(() => expect(fleet.snapshot).toBe(snapshots.at(-1)))
    },
    later: (ms: number) => {
      local += ms
      clock.tick()
    },
    pulse: (at = local, intakeAt: number | null = at) =>
      link.hub().pulse({ at, intakeAt, heartbeats: 3 }),
  }
}

test('counts follow deltas without another snapshot', async () => {
  const { fleet, hub, joined, pass } = begin(snapshot())
  await joined()
  expect(fleet.counts).toEqual([3, 0, 0, 0, 0, 0])
  hub().delta([7, 2, noon, noon - 9000, 1, 1, 1, noon, noon, 6])
  pass(1000)
  expect(fleet.counts).toEqual([1, 1, 1, 0, 0, 0])
})

test('a burst of deltas is painted once, and not twice within 200 ms', async () => {
  const { fleet, hub, joined, pass } = begin(snapshot())
  await joined()
  const before = fleet.version
  for (let i = 0; i < 50; i += 1) hub().delta([1, 0, noon - 3_600_000, noon + i, 0])
  pass(1000)
  expect(fleet.version).toBe(before + 1)
  hub().delta([1, 2, noon, noon, 2])
  expect(pass(100)).toBe(false)
  expect(pass(100)).toBe(true)
  expect(fleet.version).toBe(before + 2)
})

test('a heartbeat alone does not sort the fault list again', async () => {
  const { fleet, hub, joined, pass } = begin(
    snapshot({ devices: [device(1, { state: 2 }), device(2)] }),
  )
  await joined()
  const held = fleet.trouble
  hub().delta([2, 0, noon - 3_600_000, noon + 1, 0])
  pass(1000)
  expect(fleet.trouble).toBe(held)
  expect(fleet.table.seen[1]).toBe(noon + 1)
})

test('a delta that came before the snapshot is not lost, and old news in it does not win', async () => {
  const { fleet, hub, joined } = begin(
    snapshot({ devices: [device(1), device(2, { state: 2, since: noon })] }),
  )
  hub().delta([1, 2, noon + 500, noon, 2, 2, 0, noon - 60_000, noon - 60_000, 0])
  await joined()
  expect([...fleet.table.state]).toEqual([2, 2])
})

test('a device that went down after the snapshot brings its reason along', async () => {
  const { fleet, hub, joined, pass } = begin(snapshot())
  await joined()
  const [slot = -1] = [fleet.table.slotById('door-2')]
  expect(fleet.table.reasonOf(slot)).toBe('alive')
  hub().delta([2, 2, noon, noon, stateReasons.indexOf('lwt')])
  pass(1000)
  expect(fleet.trouble).toEqual([slot])
  expect(fleet.table.reasonOf(slot)).toBe('lwt')
  const { moves } = fleet
  hub().delta([2, 2, noon, noon, stateReasons.indexOf('silence')])
  pass(1000)
  expect([fleet.table.reasonOf(slot), fleet.moves]).toEqual(['silence', moves + 1])
  hub().delta([2, 2, noon, noon, 200])
  pass(1000)
  expect(fleet.table.reasonOf(slot)).toBe('')
})

test('the page counts states and reasons as the hub does', () => {
  expect([...wire.deviceStates]).toEqual([...deviceStates])
  expect([...wire.stateReasons]).toEqual([...stateReasons])
})

test('15 s without a pulse is stale, with the time the picture was last proved', async () => {
  const { fleet, joined, later, pulse } = begin(snapshot())
  await joined()
  later(1000)
  pulse(noon + 1000)
  expect(fleet.stale).toBe(false)
  later(staleMs)
  expect(fleet.stale).toBe(false)
  later(1000)
  expect(fleet.stale).toBe(true)
  expect(fleet.provedAt).toBe(noon + 1000)
  expect(fleet.lost).toBe(false)
})

test('a hub whose intake is silent is stale although its own clock runs on', async () => {
  const { fleet, joined, later, pulse } = begin(snapshot())
  await joined()
  for (let s = 1; s <= 20; s += 1) {
    later(1000)
    pulse(noon + s * 1000, noon)
  }
  expect(fleet.stale).toBe(true)
  expect(fleet.ageMs).toBe(20_000)
})

test('a lost connection is lost after 15 s; a pulse before the new snapshot proves nothing', async () => {
  const { fleet, hub, joined, later, pulse, snapshots } = begin(snapshot())
  await joined()
  pulse()
  hub().dropped()
  later(16_000)
  expect(fleet.lost).toBe(true)
  snapshots.push(snapshot({ at: noon + 16_000, devices: [device(1, { state: 2 })] }))
  hub().joined()
  pulse(noon + 16_000)
  expect(fleet.stale).toBe(true)
  await vi.waitFor(() => expect(fleet.counts[2]).toBe(1))
  pulse(noon + 16_500)
  expect(fleet.stale).toBe(false)
})

test('an alarm is on the desk at once, without waiting for a frame', async () => {
  const { fleet, hub, joined } = begin(snapshot())
  await joined()
  hub().alarm(alarm())
  expect(fleet.unack.map(({ id }) => id)).toEqual(['a1'])
  hub().alarm(alarm({ change: 2, state: 'ack-active' }))
  expect(fleet.unack).toEqual([])
  hub().alarm(alarm({ change: 3, state: 'closed' }))
  expect(fleet.alarms).toEqual([])
})

test('an acknowledgement that overtook the snapshot is not undone by it', async () => {
  const { fleet, hub, joined, snapshots } = begin(snapshot({ alarms: [alarm({ change: 4 })] }))
  await joined()
  hub().alarm(alarm({ change: 5, state: 'ack-active' }))
  snapshots.push(snapshot({ alarms: [alarm({ change: 4 })] }))
  await fleet.fetch()
  expect(fleet.alarms[0]?.state).toBe('ack-active')
})

test('a county adds up its villages and takes their flat changes', async () => {
  const { fleet, hub, joined, pass } = begin(
    snapshot({
      scope: '339901',
      devices: [],
      villages: [villageRow('339901001001'), villageRow('339901001002')],
    }),
  )
  await joined()
  expect(fleet.counts[0]).toBe(20)
  hub().villages([1, 4, 0, 6, 0, 0, 0, 2, 1])
  pass(1000)
  expect(fleet.counts).toEqual([14, 0, 6, 0, 0, 0])
  expect(fleet.villages[1]).toMatchObject({ open: 2, unack: 1 })
})

test('a failed snapshot is told, and a later good one takes it back', async () => {
  const { fleet, joined } = begin(snapshot())
  await joined()
  fleet.failure = new Error('x')
  await fleet.fetch()
  expect(fleet.failure).toBeNull()
})
