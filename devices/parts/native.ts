import { AlarmFrame, HeartbeatFrame, StatusFrame, TelemetryFrame } from '../../hub/schema/native.ts'
import type { CanonicalRecord } from '../../hub/schema/record.ts'
import type { DecodeContext, ReadFrame } from '../device.ts'
import { jsonFrame } from './json.ts'
import { priorityOf } from './priority.ts'

/** A body of the native dialect, told apart by the last level of its topic. */
export type NativeFrame =
  | { branch: 'status'; body: StatusFrame }
  | { branch: 'hb'; body: HeartbeatFrame }
  | { branch: 't'; body: TelemetryFrame }
  | { branch: 'a'; body: AlarmFrame }
  | { branch: 'r' | 'cfgr' }

const status = jsonFrame(StatusFrame)
const heartbeat = jsonFrame(HeartbeatFrame)
const telemetry = jsonFrame(TelemetryFrame)
const alarm = jsonFrame(AlarmFrame)

/** Units of the readings that ride in a heartbeat's `m`; others are pure numbers (`1`). */
const units: Readonly<Record<string, string>> = {
  'power.active': 'W',
  voltage: 'V',
  current: 'A',
  energy: 'kWh',
  temperature: 'Cel',
  lux: 'lx',
  level: '%',
  bitrate: 'kbit/s',
}

/** Reads a body of the native dialect by the branch its topic ends in. */
export function nativeFrame(payload: Uint8Array, topic: string): ReadFrame<NativeFrame> {
  const branch = topic.slice(topic.lastIndexOf('/') + 1)
  switch (branch) {
    case 'hb': {
      const read = heartbeat(payload)
      return 'reject' in read ? read : { frame: { branch, body: read.frame } }
    }
    case 'a': {
      const read = alarm(payload)
      return 'reject' in read ? read : { frame: { branch, body: read.frame } }
    }
    case 'status': {
      const read = status(payload)
      return 'reject' in read ? read : { frame: { branch, body: read.frame } }
    }
    case 't': {
      const read = telemetry(payload)
      return 'reject' in read ? read : { frame: { branch, body: read.frame } }
    }
    case 'r':
    case 'cfgr':
      return { frame: { branch } }
    default:
      return { reject: 'unknown-branch' }
  }
}

function ofHeartbeat(body: HeartbeatFrame): CanonicalRecord[] {
  const at = body.ts ?? null
  const records: CanonicalRecord[] = [
    { type: 'health', status: 'alive', at },
    { type: 'telemetry', name: 'seq', value: body.seq, unit: '1', at },
  ]
  if (body.uptime !== undefined)
    records.push({ type: 'telemetry', name: 'uptime', value: body.uptime, unit: 's', at })
  if (body.rssi !== undefined)
    records.push({ type: 'telemetry', name: 'rssi', value: body.rssi, unit: 'dBm', at })
  if (body.batt !== undefined)
    records.push({ type: 'telemetry', name: 'batt', value: body.batt, unit: '%', at })
  if (body.clk !== undefined) records.push({ type: 'state', name: 'clk', value: body.clk, at })
  for (const name in body.m) {
    const value = body.m[name]
    if (typeof value === 'number')
      records.push({ type: 'telemetry', name, value, unit: units[name] ?? '1', at })
    else if (value !== undefined) records.push({ type: 'state', name, value, at })
  }
  return records
}

function ofStatus(body: StatusFrame): CanonicalRecord[] {
  const at = body.ts ?? null
  if (!body.online) return [{ type: 'health', status: 'offline', boot: body.boot, at }]
  const { boot, fw, model, caps, hb } = body
  return [
    { type: 'health', status: 'birth', boot, at },
    { type: 'inventory', fields: { boot, fw, model, caps, heartbeatS: hb }, at },
  ]
}

/** What a native body means, the same for every native model. Never throws. */
export function decodeNative(frame: NativeFrame, context: DecodeContext): CanonicalRecord[] {
  switch (frame.branch) {
    case 'hb':
      return ofHeartbeat(frame.body)
    case 'status':
      return ofStatus(frame.body)
    case 't':
      return frame.body.r.map(({ name, value, unit, ts }) => ({
        type: 'telemetry',
        name,
        value,
        unit: unit ?? units[name] ?? '1',
        at: ts ?? null,
      }))
    case 'a': {
      const { kind, state, point, prio, boot, seq, ts } = frame.body
      return [
        {
          type: 'alarm',
          kind,
          state,
          point,
          priority: priorityOf(kind, prio, context.settings),
          boot: boot ?? null,
          seq: seq ?? null,
          at: ts ?? null,
        },
      ]
    }
    // Results of commands and reported configuration: taken, not yet used.
    case 'r':
    case 'cfgr':
      return [{ type: 'ignore', reason: 'no-reader-yet' }]
    default:
      return [{ type: 'ignore', reason: 'unknown-branch' }]
  }
}
