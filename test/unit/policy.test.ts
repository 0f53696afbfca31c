import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import {
  actions,
  allows,
  grants,
  httpPolicy,
  mayEver,
  mediaPolicy,
  mqttPolicy,
  regionFilter,
  roomPolicy,
  type Action,
} from '../../hub/rules/policy.ts'
import { regionRange, within } from '../../hub/rules/scope.ts'
import { nativeBranches } from '../../hub/schema/native.ts'
import { Role, type Principal } from '../../hub/schema/people.ts'

const person = (role: Role, scope: string): Principal => ({
  id: 'u1',
  name: 'zhang',
  displayName: '张三',
  role,
  scope,
})

/** Few digits, so that scopes often contain, equal and miss one another. */
const digits = (length: number) =>
  fc
    .array(fc.constantFrom('1', '2'), { minLength: length, maxLength: length })
    .map((all) => all.join(''))
const code = fc
  .tuple(
    fc.constant('33990'),
    digits(1),
    fc.constant('00'),
    digits(1),
    fc.constant('00'),
    digits(1),
  )
  .map((parts) => parts.join(''))
const scope = fc.tuple(code, fc.constantFrom(6, 9, 12)).map(([all, length]) => all.slice(0, length))
const role = fc.constantFrom(...Role.options)
const action = fc.constantFrom(...actions)

const inRange = (region: string, range: { from: string; to: string } | undefined) =>
  range !== undefined && region >= range.from && region <= range.to

describe('who may do what', () => {
  // The table once more, row by row, so that a change of it is a decision and not a slip.
  const expected: Record<Action, readonly Role[]> = {
    'region:read': Role.options,
    'device:read': [
      'village-duty',
      'township-officer',
      'crew',
      'county-supervisor',
      'administrator',
    ],
    'alarm:read': Role.options,
    'alarm:acknowledge': ['village-duty', 'township-officer', 'county-supervisor'],
    'alarm:close': ['township-officer', 'county-supervisor'],
    'camera:watch': ['village-duty', 'township-officer', 'county-supervisor'],
    'system:read': ['township-officer', 'crew', 'county-supervisor', 'auditor', 'administrator'],
    'audit:read': ['auditor', 'administrator'],
    'user:manage': ['administrator'],
    'quarantine:read': ['crew', 'administrator'],
  }
  const table = actions.flatMap((what) =>
    Role.options.map((who) => [who, what, expected[what].includes(who)] as const),
  )

  test.each(table)('%s: %s is %s', (who, what, granted) => {
    const someone = person(who, '339901')
    expect(mayEver(someone, what)).toBe(granted)
    expect(allows(someone, what, '339901001001')).toBe(granted)
    expect(regionFilter(someone, what) !== undefined).toBe(granted)
  })

  test('whoever keeps the accounts neither watches cameras nor handles alarms', () => {
    for (const what of ['camera:watch', 'alarm:acknowledge', 'alarm:close'] as const)
      expect(grants.administrator).not.toContain(what)
  })
})

describe('regions of a person', () => {
  test.each([
    ['own village', '339901001001', '339901001001', true],
    ['the neighbour village', '339901001001', '339901001002', false],
    ['a village of the own township', '339901001', '339901001002', true],
    ['a village of another township', '339901001', '339901002001', false],
    ['any village of the county', '339901', '339901002001', true],
    ['another county', '339901', '339902001001', false],
    ['the whole township of a village', '339901001001', '339901001', false],
  ])('%s', (_name, own, region, granted) => {
    expect(allows(person('village-duty', own), 'device:read', region)).toBe(granted)
  })

  test('nobody is ever allowed anything outside the own scope', () => {
    fc.assert(
      fc.property(role, action, scope, code, (who, what, own, region) => {
        expect(allows(person(who, own), what, region) && !region.startsWith(own)).toBe(false)
      }),
    )
  })

  test('a filter is exactly the overlap of what is asked and what is owned', () => {
    fc.assert(
      fc.property(role, action, scope, scope, code, (who, what, own, asked, region) => {
        const found = inRange(region, regionFilter(person(who, own), what, asked))
        const granted = grants[who].includes(what)
        expect(found).toBe(granted && within(region, own) && within(region, asked))
      }),
      { numRuns: 500 },
    )
  })

  test('a filter and a single check never disagree', () => {
    fc.assert(
      fc.property(role, action, scope, code, (who, what, own, region) => {
        const someone = person(who, own)
        expect(inRange(region, regionFilter(someone, what))).toBe(allows(someone, what, region))
      }),
      { numRuns: 500 },
    )
  })

  test('asking for nonsense never widens the own scope', () => {
    fc.assert(
      fc.property(role, action, scope, fc.string(), code, (who, what, own, asked, region) => {
        const found = inRange(region, regionFilter(person(who, own), what, asked))
        expect(found && !within(region, own)).toBe(false)
      }),
    )
  })

  test('asking for nothing special means the own scope', () => {
    expect(regionFilter(person('crew', '339901001'), 'device:read')).toEqual(
      regionRange('339901001'),
    )
  })

  test('asking for a place elsewhere gives no filter at all', () => {
    expect(regionFilter(person('crew', '339901001'), 'device:read', '339901002')).toBeUndefined()
  })
})

const branches = (way: 'publish' | 'subscribe') =>
  Object.keys(mqttPolicy).filter((branch) => mqttPolicy[branch]![way].includes('device'))

describe('surfaces', () => {
  const needs = [
    ...Object.values(httpPolicy),
    ...Object.values(roomPolicy),
    ...Object.values(mediaPolicy),
  ]

  test('ask for nothing, a session or an action that exists', () => {
    for (const need of needs) expect(['public', 'session', ...actions]).toContain(need)
  })

  test('make use of every action', () => {
    for (const what of actions) expect(needs).toContain(what)
  })

  test('show no data of the county without a session', () => {
    const open = Object.entries(httpPolicy).filter(([, need]) => need === 'public')
    for (const [route] of open) expect(route).not.toMatch(/api\/v1\/(?!session$)/)
    expect(Object.values(roomPolicy)).not.toContain('public')
    expect(Object.values(mediaPolicy)).not.toContain('public')
  })

  test('name every branch of the native dialect and the bus, and no other', () => {
    expect(Object.keys(mqttPolicy).toSorted()).toEqual([...nativeBranches, 'bus'].toSorted())
  })

  test('let devices speak and listen only where a device should', () => {
    expect(branches('publish').toSorted()).toEqual(['a', 'cfgr', 'hb', 'r', 'status', 't'])
    expect(branches('subscribe').toSorted()).toEqual(['c', 'cfg'])
  })

  test('keep the bus for roles', () => {
    expect(mqttPolicy.bus).toEqual({ publish: ['role'], subscribe: ['role'] })
  })
})
