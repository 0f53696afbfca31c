import type { Point } from '../../hub/schema/metric.ts'

/** 2026-11-23 06:00 UTC, the start of a 5-minute bin. */
export const startAt = Date.UTC(2026, 10, 23, 6)

/** A contact's heartbeat; give what differs. */
export const point = (part: Partial<Point> = {}): Point => ({
  series: 'heartbeat',
  deviceId: 'contact-1',
  kind: 'contact',
  region: '339901001001',
  at: startAt,
  fields: { rssi: -61, batt: 87.5, open: false },
  ...part,
})
