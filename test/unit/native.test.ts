import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { nativeContact } from '../../devices/alarms/native-contact.ts'
import { readRecords } from '../../devices/device.ts'
import { modelById, models } from '../../devices/index.ts'

const read = (branch: string, body: unknown, settings = {}) =>
  readRecords(nativeContact, Buffer.from(typeof body === 'string' ? body : JSON.stringify(body)), {
    topic: `jf/v1/339901/001/002/dev-1/${branch}`,
    receivedAt: 1_795_392_000_000,
    settings,
  })

describe('a native alarm', () => {
  test.each([
    ['panic', 1],
    ['intrusion', 2],
    ['power-loss', 3],
    ['lamp-failure', 4],
    ['something-new', 3],
    ['constructor', 3],
  ])('of kind %s has priority %i by default', (kind, priority) => {
    expect(read('a', { kind, state: 'active' })).toMatchObject([{ type: 'alarm', priority }])
  })

  test('takes the device over the site, the site over the table', () => {
    const settings = { 'priority.intrusion': 4 }
    expect(read('a', { kind: 'intrusion', state: 'active' }, settings)).toMatchObject([
      { priority: 4 },
    ])
    expect(read('a', { kind: 'intrusion', state: 'active', prio: 1 }, settings)).toMatchObject([
      { priority: 1 },
    ])
    const nonsense = { 'priority.intrusion': 'high' }
    expect(read('a', { kind: 'intrusion', state: 'active' }, nonsense)).toMatchObject([
      { priority: 2 },
    ])
  })

  test('without boot and seq says so with null', () => {
    expect(read('a', { kind: 'panic', state: 'pulse' })).toMatchObject([
      { boot: null, seq: null, at: null, point: '' },
    ])
  })
})

describe('a frame that is not one', () => {
  test.each([
    ['a', 'not json', 'not-json'],
    ['a', Buffer.from([0xff, 0xfe]).toString('latin1'), 'not-json'],
    ['a', { kind: 'intrusion' }, 'bad-frame:state'],
    ['a', { kind: 'Bad Kind', state: 'active' }, 'bad-frame:kind'],
    ['a', { kind: 'panic', state: 'active', prio: 5 }, 'bad-frame:prio'],
    ['hb', { seq: -1 }, 'bad-frame:seq'],
    ['hb', { seq: 1, m: { 'Bad Name': 1 } }, 'bad-frame:m.Bad Name'],
    ['t', { r: [] }, 'bad-frame:r'],
    ['status', 'null', 'bad-frame:'],
    ['zz', {}, 'unknown-branch'],
  ])('on %s is one reject: %j -> %s', (branch, body, reason) => {
    expect(read(branch, body)).toEqual([{ type: 'reject', reason }])
  })

  test('a prototype key in the readings stays data', () => {
    const records = read('hb', '{"seq":1,"m":{"open":true,"__proto__":{"polluted":1}}}')
    expect(Object.hasOwn(Object.prototype, 'polluted')).toBe(false)
    expect(records.length).toBeGreaterThan(0)
  })

  test('any JSON on any branch gives records or one reject, never a throw', () => {
    const branch = fc.constantFrom('hb', 'a', 't', 'status', 'r', 'cfgr', 'x')
    fc.assert(
      fc.property(branch, fc.json(), (name, body) => {
        const records = read(name, body)
        expect(records.length).toBeGreaterThan(0)
      }),
      { numRuns: 2000 },
    )
  })
})

test('models are found by the id that is stored with a device', () => {
  expect([...modelById().keys()].toSorted()).toEqual([
    'native/camera',
    'native/contact',
    'native/light',
    'native/panic',
  ])
  expect(models).toHaveLength(modelById().size)
})
