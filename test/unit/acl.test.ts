import { describe, expect, test } from 'vitest'
import { busTopics } from '../../hub/bus/bus.ts'
import { mqttAcl, type Speaker } from '../../hub/intake/acl.ts'
import { mqttPolicy } from '../../hub/rules/policy.ts'
import { nativeBranches } from '../../hub/schema/native.ts'

const acl = mqttAcl(mqttPolicy)
const own = 'jf/v1/339901/001/002/dev-1/'
const device: Speaker = { kind: 'device', prefix: own }
const gateway: Speaker = { kind: 'gateway', prefix: own }
const role: Speaker = { kind: 'role', prefix: '' }

describe('the start', () => {
  test.each([...nativeBranches, 'bus'])('stops when the policy has no entry for %s', (branch) => {
    const { [branch]: _, ...rest } = mqttPolicy
    expect(() => mqttAcl(rest)).toThrow(/CONFIG_INVALID|has no entry/)
  })

  test('stops when the policy lists a branch that does not exist', () => {
    const more = { ...mqttPolicy, firmware: { publish: ['device'], subscribe: [] } } as const
    expect(() => mqttAcl(more)).toThrow(/'firmware' that does not exist/)
  })
})

describe('every branch of the policy', () => {
  test.each(nativeBranches)(
    '%s: a device may do on its own prefix what the table says',
    (branch) => {
      const allowed = mqttPolicy[branch]
      for (const speaker of [device, gateway]) {
        expect(acl.publishes(speaker, own + branch)).toBe(
          allowed?.publish.includes(speaker.kind) ? branch : undefined,
        )
        expect(acl.subscribes(speaker, own + branch)).toBe(
          allowed?.subscribe.includes(speaker.kind) ?? false,
        )
      }
      expect(acl.publishes(role, own + branch)).toBe(
        allowed?.publish.includes('role') ? branch : undefined,
      )
      expect(acl.subscribes(role, own + branch)).toBe(false)
    },
  )

  test.each([...busTopics])('hub/bus/%s is for roles alone', (topic) => {
    expect(acl.publishes(role, `hub/bus/${topic}`)).toBe('bus')
    expect(acl.subscribes(role, `hub/bus/${topic}`)).toBe(true)
    for (const speaker of [device, gateway]) {
      expect(acl.publishes(speaker, `hub/bus/${topic}`)).toBeUndefined()
      expect(acl.subscribes(speaker, `hub/bus/${topic}`)).toBe(false)
    }
  })

  test('only what somebody may subscribe to is distributed', () => {
    expect(
      ['status', 'hb', 't', 'a', 'r', 'cfgr'].filter((branch) => acl.heard(branch as 'a')),
    ).toEqual([])
    expect(['c', 'cfg', 'bus'].filter((branch) => acl.heard(branch as 'c'))).toEqual([
      'c',
      'cfg',
      'bus',
    ])
  })
})

describe('what no device may touch', () => {
  test.each([
    'jf/v1/339901/001/002/dev-2/a',
    'jf/v1/339901/001/003/dev-1/a',
    'jf/v1/339901/001/002/dev-1',
    'jf/v1/339901/001/002/dev-1/',
    'jf/v1/339901/001/002/dev-1/x',
    'jf/v1/339901/001/002/dev-1/a/b',
    'jf/v1/339901/001/002/dev-1/__proto__',
    'jf/v1/339901/001/002/dev-1/constructor',
    'JF/v1/339901/001/002/dev-1/a',
    '/jf/v1/339901/001/002/dev-1/a',
    'jf/v1/339901/001/002/dev-10/a',
    '$SYS/broker/clients',
    'hub/bus/states',
    '',
  ])("publish '%s'", (topic) => {
    expect(acl.publishes(device, topic)).toBeUndefined()
  })

  test.each([
    '#',
    '+/#',
    'jf/#',
    '$SYS/#',
    'hub/bus/#',
    'jf/v1/+/+/+/dev-1/c',
    `${own}#`,
    `${own}+`,
    `${own}a`,
    'jf/v1/339901/001/002/dev-2/c',
  ])("subscribe '%s'", (filter) => {
    expect(acl.subscribes(device, filter)).toBe(false)
  })

  test.each(['#', '$SYS/#', 'hub/#', 'hub/bus/', 'jf/v1/#', 'jf/v1/339901/001/002/dev-1/a'])(
    "not even a role subscribes '%s'",
    (filter) => {
      expect(acl.subscribes(role, filter)).toBe(false)
    },
  )
})
