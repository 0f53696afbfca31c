import { hash } from 'node:crypto'
import type { Logger } from 'pino'
import { type DeviceModel, readRecords } from '../../devices/device.ts'
import type { Clock } from '../rules/clock.ts'
import type { AlarmEvent } from '../schema/alarm.ts'
import type { Point } from '../schema/metric.ts'
import type { CanonicalRecord } from '../schema/record.ts'
import type { Accepted, Reject } from '../store/alarm-store.ts'
import type { Acceptance } from './acceptance.ts'
import type { Branch } from './acl.ts'
import type { DevicePacket, TakePacket } from './broker.ts'
import type { Counters } from './counters.ts'
import type { PointBuffer } from './point-buffer.ts'
import { readings } from './readings.ts'
import type { StatusEngine } from './status-engine.ts'

/** Longest body per branch, bytes; a longer one is a reject. */
const longest: Readonly<Partial<Record<Branch, number>>> = {
  status: 2048,
  hb: 4096,
  a: 4096,
  r: 16_384,
  cfgr: 16_384,
}

/** Rejects of branches without acknowledgement that are kept per second; all are counted. */
const rejectsPerS = 20

const noSettings = Object.freeze({})

type AlarmRecord = Extract<CanonicalRecord, { type: 'alarm' }>

/** One alarm record as the event that must be on disk before the packet is acknowledged. */
function toEvent(record: AlarmRecord, packet: DevicePacket, receivedAt: number): AlarmEvent[] {
  // A snapshot tells the present condition after a connect; it is not an edge.
  if (record.state === 'snapshot') return []
  const { device } = packet.sender
  return [
    {
      deviceId: device.deviceId,
      region: device.region,
      boot: record.boot ?? null,
      seq: record.seq ?? null,
      kind: record.kind,
      point: record.point ?? '',
      edge: record.state,
      priority: record.priority,
      deviceAt: record.at ?? null,
      receivedAt,
      assured: packet.qos > 0,
      fingerprint: hash(
        'sha256',
        Buffer.concat([Buffer.from(`${packet.topic}\n`), packet.payload]),
      ),
      resent: packet.dup,
    },
  ]
}

function alarmPoint(event: AlarmEvent, kind: string): Point {
  const { deviceId, region, receivedAt: at, edge, priority, point } = event
  return {
    series: 'alarm',
    deviceId,
    kind,
    region,
    at,
    fields: { alarm: event.kind, edge, priority, point },
  }
}

export interface FrameDeps {
  models: ReadonlyMap<string, DeviceModel>
  status: Pick<StatusEngine, 'seen' | 'lost'>
  acceptance: Pick<Acceptance, 'take'>
  points: Pick<PointBuffer, 'add'>
  counters: Counters
  clock: Clock
  log: Logger
}

/**
 * From an admitted packet to its effects: adapter, then alarms to the acceptance point and signs of
 * life and readings to memory. Only an alarm's acknowledgement waits for the disk.
 */
export function frames(deps: FrameDeps): TakePacket {
  const { counters, clock, status, points } = deps
  const kept = readings(counters)
  let sampledAt = 0
  let sampled = 0

  /** Rejects nobody waits for are kept as a sample: a broken fleet must not fill the disk's queue. */
  function sample(): boolean {
    const mono = clock.mono()
    if (mono - sampledAt >= 1000) {
      sampledAt = mono
      sampled = 0
    }
    return sampled++ < rejectsPerS
  }

  function reject(packet: DevicePacket, reason: string, accepted: (error?: Error) => void) {
    const { deviceId } = packet.sender.device
    counters.add('rejects')
    counters.add(`rejects_${packet.branch}`)
    deps.log.debug({ deviceId, branch: packet.branch, reason }, 'frame refused')
    const row: Reject = {
      at: clock.now(),
      deviceId,
      topic: packet.topic,
      reason,
      payload: packet.payload,
    }
    if (packet.branch !== 'a') {
      accepted()
      if (sample())
        deps.acceptance.take({
          deviceId,
          events: [],
          rejects: [row],
          stored: () => {},
          lost: () => counters.add('rejects_not_kept'),
        })
      return
    }
    deps.acceptance.take({
      deviceId,
      events: [],
      rejects: [row],
      stored: () => accepted(),
      lost: accepted,
    })
  }

  function tally(packet: DevicePacket, events: readonly AlarmEvent[], done: readonly Accepted[]) {
    for (const [index, { outcome }] of done.entries()) {
      const event = events[index]
      counters.add(outcome === 'duplicate' ? 'alarms_duplicate' : 'alarms_accepted')
      if (outcome !== 'duplicate' && event) points.add(alarmPoint(event, packet.sender.device.kind))
    }
  }

  function takeAlarm(
    packet: DevicePacket,
    records: readonly CanonicalRecord[],
    accepted: (error?: Error) => void,
  ) {
    const { device } = packet.sender
    const receivedAt = clock.now()
    const events = records.flatMap((record) =>
      record.type === 'alarm' ? toEvent(record, packet, receivedAt) : [],
    )
    if (events.length === 0) {
      if (packet.live) status.seen(device.n)
      accepted()
      return
    }
    deps.acceptance.take({
      deviceId: device.deviceId,
      events,
      rejects: [],
      stored(done) {
        accepted()
        if (packet.live) status.seen(device.n)
        tally(packet, events, done)
      },
      lost: accepted,
    })
  }

  /** Birth and last will: the only two ways a device itself says that it comes or goes. */
  function takeStatus(packet: DevicePacket, records: readonly CanonicalRecord[]) {
    const { n } = packet.sender.device
    const offline = records.some(
      (record) => record.type === 'health' && record.status === 'offline',
    )
    if (offline) {
      counters.add('offline_reports')
      status.lost(n)
    } else if (packet.live) {
      counters.add('births')
      status.seen(n)
    }
  }

  return (packet, accepted) => {
    const { device } = packet.sender
    const model = deps.models.get(device.model)
    if (model === undefined) return reject(packet, 'no-adapter', accepted)
    if (packet.payload.length > (longest[packet.branch] ?? Number.POSITIVE_INFINITY))
      return reject(packet, 'too-long', accepted)
    const receivedAt = clock.now()
    const records = readRecords(model, packet.payload, {
      topic: packet.topic,
      receivedAt,
      settings: noSettings,
    })
    const [head] = records
    if (head?.type === 'reject') return reject(packet, head.reason, accepted)
    if (packet.branch === 'a') return takeAlarm(packet, records, accepted)
    accepted()
    if (packet.branch === 'status') return takeStatus(packet, records)
    counters.add(packet.branch === 'hb' ? 'heartbeats' : 'telemetry')
    if (packet.live) status.seen(device.n)
    const fields = kept.fields(device.n, records)
    if (fields === undefined) return
    const { deviceId, kind, region } = device
    const series = packet.branch === 'hb' ? 'heartbeat' : 'telemetry'
    points.add({ series, deviceId, kind, region, at: receivedAt, fields })
  }
}
