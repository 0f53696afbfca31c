import { expect, test } from 'vitest'
import { AlarmFrame, HeartbeatFrame, StatusFrame } from '../../hub/schema/native.ts'
import { DeviceKind, type NewDevice } from '../../hub/schema/device.ts'
import { camera } from '../../simulators/camera.ts'
import { contact } from '../../simulators/contact.ts'
import { type Behaviour, type Happening, simDevice } from '../../simulators/device.ts'
import { dark, light } from '../../simulators/light.ts'
import { panic } from '../../simulators/panic.ts'
import { seeded } from '../../simulators/random.ts'

const noon = Date.UTC(2026, 10, 23, 4)
const midnight = Date.UTC(2026, 10, 23, 16)

const behaviours: Record<string, (seed: number) => Behaviour> = {
  contact: (seed) => contact(seeded(seed)),
  panic: (seed) => panic(seeded(seed)),
  light: (seed) => light(seeded(seed)),
  camera: (seed) => camera(seeded(seed), { fps: () => 25, bitrateKbps: 90 }),
}
const kinds = Object.keys(behaviours)

const registered = (kind: string): NewDevice => ({
  deviceId: `${kind}-1`,
  kind: DeviceKind.parse(kind),
  model: `native/${kind}`,
  name: kind,
  region: '339901100200',
  place: '村口',
  position: null,
  heartbeatS: 20,
  commissionedAt: 0,
  camera: null,
})

function sim(
  kind: string,
  change: { seed?: number; clockLost?: boolean; startedAt?: number } = {},
) {
  const { seed = 1, clockLost, startedAt = noon } = change
  const make = behaviours[kind]
  if (!make) throw new Error(`no kind ${kind}`)
  const random = seeded(seed)
  return simDevice({
    device: registered(kind),
    behaviour: make(seed),
    random,
    startedAt,
    clockLost,
  })
}

test.each(kinds)('%s: every frame is of the native dialect, nothing left over', (kind) => {
  const device = sim(kind)
  expect(device.prefix).toBe(`jf/v1/339901/100/200/${kind}-1/`)
  for (const status of [device.birth(noon), device.will()])
    expect(StatusFrame.strict().parse(status)).toEqual(status)
  for (let beat = 0; beat < 200; beat++) {
    const frame = device.heartbeat(noon + beat * 20_000)
    expect(HeartbeatFrame.strict().parse(frame)).toEqual(frame)
    expect(frame.seq).toBe(beat)
  }
  const happenings: Happening[] = [
    'open',
    'close',
    'press',
    'fail',
    'mend',
    'flicker',
    'battery-low',
    'battery-changed',
  ]
  for (const edge of happenings.flatMap((what) => device.happen(what) ?? [])) {
    const frame = device.alarm(edge, noon)
    expect(AlarmFrame.strict().parse(frame)).toEqual(frame)
  }
})

test('the birth says interval, model and abilities; the will only that it is gone', () => {
  const device = sim('light')
  expect(device.birth(noon)).toMatchObject({
    online: true,
    hb: 20,
    model: 'native/light',
    caps: ['lamp', 'meter'],
    boot: device.boot(),
  })
  expect(device.will()).toEqual({ online: false, boot: device.boot() })
})

test.each([
  ['contact', 'open', { kind: 'intrusion', state: 'active', prio: 2 }],
  ['panic', 'press', { kind: 'panic', state: 'pulse', prio: 1 }],
  ['light', 'fail', { kind: 'lamp-failure', state: 'active', prio: 3 }],
  ['contact', 'battery-low', { kind: 'battery-low', state: 'active', prio: 4 }],
] as const)('%s: %s is %o', (kind, what, edge) => {
  expect(sim(kind).happen(what)).toEqual([edge])
})

test('a door that is open does not open again; closing it clears the alarm', () => {
  const door = sim('contact')
  door.happen('open')
  expect(door.heartbeat(noon).m).toEqual({ open: true })
  expect(door.happen('open')).toEqual([])
  expect(door.happen('close')).toEqual([{ kind: 'intrusion', state: 'cleared', prio: 2 }])
  expect(door.happen('close')).toEqual([])
  expect(door.heartbeat(noon).m).toEqual({ open: false })
})

test.each([
  ['camera', 'open'],
  ['light', 'press'],
  ['contact', 'fail'],
  ['light', 'battery-low'],
] as const)('a %s cannot %s', (kind, what) => {
  expect(sim(kind).happen(what)).toBeUndefined()
})

test('alarms count up within a boot; a restart begins a new boot at 0', () => {
  const door = sim('contact')
  const edge = { kind: 'intrusion', state: 'active', prio: 2 } as const
  const boot = door.boot()
  expect([door.alarm(edge, noon).seq, door.alarm(edge, noon).seq]).toEqual([0, 1])
  door.restart(noon + 60_000)
  expect(door.boot()).not.toBe(boot)
  expect(door.alarm(edge, noon)).toMatchObject({ seq: 0, boot: door.boot() })
  expect(door.heartbeat(noon + 65_000)).toMatchObject({ seq: 0, uptime: 5 })
})

test('two runs of the same seed never share a boot id', () => {
  expect(sim('contact').boot()).not.toBe(sim('contact', { startedAt: noon + 1 }).boot())
})

test('a healthy clock is near the truth, a lost one counts from 2000 and says so', () => {
  for (let seed = 0; seed < 50; seed++) {
    const { ts, clk } = sim('light', { seed }).heartbeat(noon + 86_400_000)
    expect(clk).toBe('ok')
    expect(Math.abs((ts ?? 0) - noon - 86_400_000)).toBeLessThan(8_000)
  }
  expect(sim('light', { clockLost: true }).heartbeat(noon + 5_000)).toMatchObject({
    clk: 'bad',
    ts: Date.UTC(2000, 0, 1, 0, 0, 5),
  })
})

test('lamps burn at night only, a failed one draws no lamp power, a flicker passes', () => {
  expect([dark(noon), dark(midnight)]).toEqual([false, true])
  const lamp = sim('light')
  const power = (at: number) => Number(lamp.heartbeat(at).m?.['power.active'])
  expect(lamp.heartbeat(noon).m).toMatchObject({ on: false })
  expect(power(noon)).toBeLessThan(2)
  const burning = power(midnight)
  expect(burning).toBeGreaterThan(30)
  lamp.happen('flicker')
  expect(power(midnight)).toBeLessThan(burning * 0.7)
  const after = [power(midnight), power(midnight), power(midnight)]
  expect(after[2]).toBeGreaterThan(burning * 0.9)
  lamp.happen('fail')
  expect(lamp.heartbeat(midnight).m).toMatchObject({ on: true })
  expect(power(midnight)).toBeLessThan(2)
  lamp.happen('mend')
  expect(power(midnight)).toBeGreaterThan(30)
})

test('mains voltage is within 198 to 253 V (GB/T 12325: 220 V +7 % -10 % and a little)', () => {
  const lamp = sim('light')
  for (let beat = 0; beat < 500; beat++) {
    const volts = Number(lamp.heartbeat(midnight).m?.['voltage'])
    expect(volts).toBeGreaterThan(198)
    expect(volts).toBeLessThan(253)
  }
})

test('a battery decays slowly, is low on command and full when changed', () => {
  const door = sim('contact')
  const level = () => door.heartbeat(noon).batt ?? 0
  const first = level()
  for (let beat = 0; beat < 5_000; beat++) level()
  expect(first - level()).toBeGreaterThan(0.5)
  door.happen('battery-low')
  expect(level()).toBeLessThan(9)
  door.happen('battery-changed')
  expect(level()).toBeGreaterThan(99)
  expect(sim('light').heartbeat(noon).batt).toBeUndefined()
})

test('a camera tells the frames its encoder gives now', () => {
  let fps = 25
  const readings = camera(seeded(1), { fps: () => fps, bitrateKbps: 90 })
  expect(readings.readings(noon)).toMatchObject({ fps: 25, temperature: expect.any(Number) })
  fps = 0
  expect(readings.readings(noon)).toMatchObject({ fps: 0, bitrate: 0 })
})
