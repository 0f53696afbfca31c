import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import type { RegistryStore } from '../../hub/store/registry-store.ts'
import { newDevice, region } from '../support/store-devices.ts'
import { backends } from '../support/store-places.ts'

const everywhere = { from: '000000000000', to: '999999999999' }
const add = (...ids: string[]) =>
  ids.map((deviceId) => ({ device: newDevice({ deviceId }), secretHash: null }))

const knock = (clientId: string, at: number) =>
  ({ clientId, remote: `10.0.0.1:${at}`, at, reason: 'unknown-device' }) as const

/** Two contacts of two villages and a lamp; answers who asks for ids. */
function filled(store: RegistryStore) {
  store.addDevices([
    { device: newDevice({ deviceId: 'contact-1' }), secretHash: null },
    {
      device: newDevice({ deviceId: 'Lamp-1', kind: 'light', name: '路灯', place: '50%_路口' }),
      secretHash: null,
    },
    { device: newDevice({ deviceId: 'contact-2', region: '339901002001' }), secretHash: null },
  ])
  return (query: object) =>
    store.devices({ regions: everywhere, limit: 10, ...query }).map(({ deviceId }) => deviceId)
}

describe.each(backends.registry)('the registry in $name', ({ place }) => {
  const opened = () => place().open()

  test('regions come back as they were put, by code, within a range', async () => {
    const store = await opened()
    const county = region({ code: '339901000000', level: 'county', center: null, outline: null })
    store.putRegions([region(), county])
    expect(store.regions()).toEqual([county, region()])
    expect(store.regions({ from: '339901001000', to: '339901001999' })).toEqual([region()])
    expect(store.region(county.code)).toEqual(county)
    expect(store.region('339901999999')).toBeUndefined()
  })

  test('a region that is put again is replaced', async () => {
    const store = await opened()
    store.putRegions([region()])
    store.putRegions([region({ name: '新柳河村', outline: null })])
    expect(store.regions()).toEqual([region({ name: '新柳河村', outline: null })])
  })

  test('devices get dense numbers in the order they were added', async () => {
    const store = await opened()
    expect(store.addDevices(add('c', 'a')).map(({ n }) => n)).toEqual([0, 1])
    expect(store.addDevices(add('b')).map(({ n }) => n)).toEqual([2])
    expect(store.allDevices().map(({ deviceId }) => deviceId)).toEqual(['c', 'a', 'b'])
  })

  test('a device comes back as it was added, a camera with its source', async () => {
    const store = await opened()
    const camera = newDevice({
      deviceId: 'cam-1',
      kind: 'camera',
      position: null,
      commissionedAt: null,
      camera: { url: 'rtsp://10.1.2.3/stream1', user: 'hub' },
    })
    const [added] = store.addDevices([{ device: camera, secretHash: 'ab' }])
    expect(added).toEqual({ ...camera, n: 0 })
    expect(store.device('cam-1')).toEqual(added)
    expect(store.device('cam-2')).toBeUndefined()
  })

  test.each([
    ['registered already', add('b', 'a')],
    ['twice in one list', add('b', 'b')],
  ])('a device that is %s: none of the list is added', async (_what, list) => {
    const store = await opened()
    store.addDevices(add('a'))
    const before = store.lastChange()
    expect(() => store.addDevices(list)).toThrow(expect.objectContaining({ code: 'DEVICE_EXISTS' }))
    expect(store.allDevices()).toHaveLength(1)
    expect(store.lastChange()).toBe(before)
  })

  test('30,400 devices are added in well under 10 s', async () => {
    const store = await opened()
    const ids = Array.from({ length: 30_400 }, (_, n) => `device-${n}`)
    const began = performance.now()
    store.addDevices(add(...ids))
    expect(performance.now() - began).toBeLessThan(5_000)
    expect(store.allDevices()).toHaveLength(30_400)
  })

  describe('a question for devices', () => {
    test.each([
      ['all', {}, ['contact-1', 'Lamp-1', 'contact-2']],
      ['a region', { regions: { from: '339901002000', to: '339901002999' } }, ['contact-2']],
      ['kinds', { kinds: ['light', 'camera'] }, ['Lamp-1']],
      ['no kind', { kinds: [] }, []],
      ['part of a name', { text: '路灯' }, ['Lamp-1']],
      ['part of an id in other letters', { text: 'lAMP' }, ['Lamp-1']],
      ['part of a place', { text: '东门' }, ['contact-1', 'contact-2']],
      ['signs that mean something in SQL', { text: '%_' }, ['Lamp-1']],
      ['a quote', { text: "'" }, []],
      ['a page', { after: 0, limit: 1 }, ['Lamp-1']],
    ])('about %s', async (_what, query, found) => {
      const ask = filled(await opened())
      expect(ask(query)).toEqual(found)
    })
  })

  test('a secret is known by its hash; none and unknown are told apart', async () => {
    const store = await opened()
    store.addDevices(add('a'))
    expect(store.secretHash('a')).toBeNull()
    expect(store.secretHash('b')).toBeUndefined()
    store.setSecretHash('a', 'f00d')
    expect(store.secretHash('a')).toBe('f00d')
    expect(() => store.setSecretHash('b', 'f00d')).toThrow(
      expect.objectContaining({ code: 'DEVICE_NOT_FOUND' }),
    )
  })

  test('a camera password is given back, and lies sealed on the disk', async () => {
    const at = place()
    const store = await at.open()
    store.addDevices(add('cam-1', 'cam-2'))
    expect(store.cameraPassword('cam-1')).toBeUndefined()
    store.setCameraPassword('cam-1', 'geheimes-Kennwort-42')
    expect(store.cameraPassword('cam-1')).toBe('geheimes-Kennwort-42')
    expect(store.cameraPassword('cam-2')).toBeUndefined()
    expect(() => store.setCameraPassword('cam-9', 'x')).toThrow(
      expect.objectContaining({ code: 'DEVICE_NOT_FOUND' }),
    )
    store.close()
    expect(readFileSync(at.file).includes('geheimes')).toBe(false)
    const again = await at.open()
    expect(again.cameraPassword('cam-1')).toBe('geheimes-Kennwort-42')
    expect(readFileSync(join(dirname(at.file), 'seal.key'))).toHaveLength(32)
  })

  test('every change of regions, devices and secrets moves lastChange', async () => {
    const store = await opened()
    const seen = [store.lastChange()]
    const note = () => seen.push(store.lastChange())
    store.putRegions([region()])
    note()
    store.addDevices(add('a'))
    note()
    store.setSecretHash('a', 'f00d')
    note()
    store.setCameraPassword('a', 'x')
    note()
    store.quarantine({ clientId: 'x', remote: '10.0.0.1', at: 1, reason: 'unknown-device' })
    expect(seen).toEqual([0, 1, 2, 3, 4])
    expect(store.lastChange()).toBe(4)
  })

  describe('quarantine', () => {
    test('counts the tries of a client, newest client first', async () => {
      const store = await opened()
      store.quarantine(knock('x', 1))
      store.quarantine(knock('y', 2))
      store.quarantine({ ...knock('x', 3), reason: 'wrong-secret' })
      expect(store.quarantined(10)).toEqual([
        {
          clientId: 'x',
          remote: '10.0.0.1:3',
          firstAt: 1,
          lastAt: 3,
          tries: 2,
          reason: 'wrong-secret',
        },
        {
          clientId: 'y',
          remote: '10.0.0.1:2',
          firstAt: 2,
          lastAt: 2,
          tries: 1,
          reason: 'unknown-device',
        },
      ])
      expect(store.quarantined(1)).toHaveLength(1)
    })

    test('keeps 10,000 clients, the ones silent longest go first', async () => {
      const store = await opened()
      for (let n = 0; n < 10_000; n += 1) store.quarantine(knock(`client-${n}`, n))
      store.quarantine(knock('client-0', 20_000))
      store.quarantine(knock('client-new', 20_001))
      const kept = store.quarantined(20_000).map(({ clientId }) => clientId)
      expect(kept).toHaveLength(10_000)
      expect(kept.slice(0, 2)).toEqual(['client-new', 'client-0'])
      expect(kept).not.toContain('client-1')
    })
  })

  test('another connection sees a change, and waits its turn to write', async () => {
    const at = place()
    const [web, intake] = [await at.open(), await at.open({ busyTimeoutMs: 0 })]
    web.addDevices(add('a'))
    expect(intake.allDevices()).toHaveLength(1)
    const release = at.hold()
    expect(() => intake.addDevices(add('b'))).toThrow(
      expect.objectContaining({ code: 'STORE_BUSY' }),
    )
    release()
    expect(intake.addDevices(add('b'))[0]?.n).toBe(1)
    expect(web.lastChange()).toBe(2)
  })
})
