import { expect, test } from 'vitest'
import { CountyFile } from '../../hub/schema/county-file.ts'
import type { Region } from '../../hub/schema/region.ts'
import { type CountyPlan, demoPlan, makeCounty, mix } from '../../simulators/county.ts'

const plan: CountyPlan = { ...demoPlan, seed: 7, commissionedAt: 1_700_000_000_000 }
const county = makeCounty(plan)

/** Signed area of a closed ring, square degrees; positive = counter-clockwise. */
const areaOf = (ring: readonly [number, number][]) =>
  ring.reduce((sum, [x, y], at) => {
    const [nextX, nextY] = ring[(at + 1) % ring.length] ?? [x, y]
    return sum + (x * nextY - nextX * y) / 2
  }, 0)

const area = (region: Region) => areaOf(region.outline ?? [])
const level = (wanted: Region['level'], of = county) =>
  of.regions.filter((region) => region.level === wanted)

/** Ray casting. */
const inside = (ring: readonly [number, number][], lon: number, lat: number) =>
  ring.filter(([x, y], at) => {
    const [nextX, nextY] = ring[(at + 1) % ring.length] ?? [x, y]
    return y > lat !== nextY > lat && lon < ((nextX - x) * (lat - y)) / (nextY - y) + x
  }).length %
    2 ===
  1

test('the demo county is 4 townships of 6 villages with 6 contacts, a button, 9 lamps, 4 cameras', () => {
  expect(CountyFile.parse(county)).toEqual(county)
  expect(level('county').map(({ name }) => name)).toEqual(['云溪县'])
  expect([level('township').length, level('village').length]).toEqual([4, 24])
  const one = county.devices.filter(({ device }) => device.region === '339901100200')
  const kinds = one.map(({ device }) => device.kind)
  expect(kinds.toSorted()).toEqual(
    [
      ...Array<string>(6).fill('contact'),
      'panic',
      ...Array<string>(9).fill('light'),
      ...Array<string>(4).fill('camera'),
    ].toSorted(),
  )
})

test('codes, ids and names are unique where they must be', () => {
  const codes = county.regions.map(({ code }) => code)
  expect(new Set(codes).size).toBe(codes.length)
  const ids = county.devices.map(({ device }) => device.deviceId)
  expect(new Set(ids).size).toBe(ids.length)
  const names = county.regions.map(({ code, name }) => `${code.slice(0, 9)} ${name}`)
  expect(new Set(names).size).toBe(names.length)
  const called = county.devices.map(({ device }) => `${device.region} ${device.name}`)
  expect(new Set(called).size).toBe(called.length)
})

test('every device stands in its village and every village in its township', () => {
  const rings = new Map(county.regions.map(({ code, outline }) => [code, outline ?? []]))
  for (const { device } of county.devices) {
    const { lon = 0, lat = 0 } = device.position ?? {}
    expect(inside(rings.get(device.region) ?? [], lon, lat), device.deviceId).toBe(true)
  }
  for (const { code, center } of level('village'))
    expect(
      inside(rings.get(`${code.slice(0, 9)}000`) ?? [], center?.lon ?? 0, center?.lat ?? 0),
    ).toBe(true)
})

test.each([1, 2, 3, 4, 5])('villages tile the county without gap or overlap, seed %i', (seed) => {
  const made = makeCounty({ ...plan, seed, townships: 7, villages: 90 })
  const sum = (regions: Region[]) => regions.reduce((total, region) => total + area(region), 0)
  const [whole] = level('county', made).map(area)
  expect(level('village', made).every((region) => area(region) > 0)).toBe(true)
  expect(sum(level('village', made)) / (whole ?? 0)).toBeCloseTo(1, 6)
  expect(sum(level('township', made)) / (whole ?? 0)).toBeCloseTo(1, 6)
  // Every inner edge belongs to exactly two villages, once in each direction.
  const edges = new Map<string, number>()
  for (const { outline } of level('village', made))
    outline?.slice(1).forEach((to, at) => {
      const [one, other] = [String(outline[at]), String(to)]
      const [key, sign] = one < other ? [`${one} ${other}`, 1] : [`${other} ${one}`, -1]
      edges.set(key, (edges.get(key) ?? 0) + sign)
    })
  const border = [...edges.values()].filter((count) => count !== 0).length
  const rim = (level('county', made)[0]?.outline?.length ?? 0) - 1
  expect(border).toBe(rim)
})

const withoutSecrets = (file: CountyFile) => ({
  ...file,
  devices: file.devices.map(({ device }) => device),
})

test('the same seed gives the same county, another seed another', () => {
  expect(withoutSecrets(makeCounty(plan))).toEqual(withoutSecrets(county))
  expect(withoutSecrets(makeCounty({ ...plan, seed: 8 }))).not.toEqual(withoutSecrets(county))
  const tested = { ...plan, testSecrets: true }
  expect(makeCounty(tested)).toEqual(makeCounty(tested))
})

test('secrets are 256 bits of chance, not of the seed', () => {
  const again = makeCounty(plan)
  const all = [...county.devices, ...again.devices].map(({ secret }) => secret ?? '')
  expect(new Set(all).size).toBe(all.length)
  for (const secret of all) expect(Buffer.from(secret, 'base64url')).toHaveLength(32)
  const passwords = county.devices.map(({ cameraPassword }) => cameraPassword).filter(Boolean)
  expect(new Set(passwords).size).toBe(96)
})

test('cameras name the RTSP server, a user and no password', () => {
  const cameras = makeCounty({ ...plan, rtspPort: 9554 }).devices.filter(
    ({ device }) => device.kind === 'camera',
  )
  for (const { device } of cameras)
    expect(device.camera).toEqual({
      url: `rtsp://127.0.0.1:9554/${device.deviceId}`,
      user: 'viewer',
    })
})

const beats = (file: CountyFile) =>
  [...new Set(file.devices.map(({ device }) => `${device.kind} ${device.heartbeatS}`))].toSorted()

test('the demo beats fast enough to see a loss within a minute; another interval can be set', () => {
  expect(beats(county)).toEqual(['camera 15', 'contact 20', 'light 20', 'panic 20'])
  expect(beats(makeCounty({ ...plan, heartbeatS: 60 }))).toEqual([
    'camera 60',
    'contact 60',
    'light 60',
    'panic 60',
  ])
})

test('21 townships, 608 villages and 30,400 devices are made in less than 2 s', () => {
  const began = performance.now()
  const big = makeCounty({ ...plan, townships: 21, villages: 608, perVillage: 50 })
  expect(performance.now() - began).toBeLessThan(2_000)
  expect([level('township', big).length, level('village', big).length]).toEqual([21, 608])
  expect(big.devices).toHaveLength(30_400)
})

test.each([4, 5, 6, 7, 12, 13, 50, 200])('a village of %i has every kind', (perVillage) => {
  const counts = Object.values(mix(perVillage))
  expect(Math.min(...counts)).toBeGreaterThanOrEqual(1)
  expect(counts.reduce((sum, count) => sum + count, 0)).toBe(perVillage)
})

test.each([
  [{ townships: 31 }, 'townships must be 1 to 30, got 31'],
  [{ townships: 2, villagesPerTownship: 201 }, 'a township must have 1 to 200 villages, got 201'],
  [{ townships: 3, villages: 2 }, 'a township must have 1 to 200 villages, got 0'],
  [{ perVillage: 3 }, 'devices per village must be 4 to 200, got 3'],
])('%o is refused', (change, message) => {
  expect(() => makeCounty({ ...plan, ...change })).toThrow(new RangeError(message))
})
