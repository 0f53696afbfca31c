import type { NewDevice } from '../../hub/schema/device.ts'
import type { Region } from '../../hub/schema/region.ts'

/** A contact of one village; give what differs. */
export const newDevice = (part: Partial<NewDevice> = {}): NewDevice => ({
  deviceId: 'contact-1',
  kind: 'contact',
  model: 'native/contact',
  name: '东门门磁',
  region: '339901001001',
  place: '村委会东门',
  position: { lon: 120.25, lat: 30.5 },
  heartbeatS: 60,
  commissionedAt: 1_000,
  camera: null,
  ...part,
})

export const region = (part: Partial<Region> = {}): Region => ({
  code: '339901001001',
  level: 'village',
  name: '柳河村',
  center: { lon: 120.25, lat: 30.5 },
  outline: [
    [120.2, 30.4],
    [120.3, 30.4],
    [120.3, 30.6],
  ],
  ...part,
})
