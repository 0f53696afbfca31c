import type { AlarmEvent } from '../../hub/schema/alarm.ts'
import type { Reject } from '../../hub/store/alarm-store.ts'

export const village = '339901001001'
export const county = { from: '339901000000', to: '339901999999' }

/** A door that opened; give what differs. */
export const edge = (part: Partial<AlarmEvent> = {}): AlarmEvent => ({
  deviceId: 'contact-1',
  region: village,
  boot: 'boot-1',
  seq: 1,
  kind: 'intrusion',
  point: '',
  edge: 'active',
  priority: 2,
  deviceAt: 900,
  receivedAt: 1_000,
  assured: true,
  fingerprint: 'f-1',
  resent: false,
  ...part,
})

export const reject = (part: Partial<Reject> = {}): Reject => ({
  at: 1_000,
  deviceId: 'contact-1',
  topic: 'jf/v1/339901/001/001/contact-1/a',
  reason: 'kind: expected string',
  payload: Uint8Array.of(0x7b, 0xff, 0x00),
  ...part,
})
