import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { judgeGrant } from '../../hub/media/grant.ts'
import { makeGrant, mediaDoorKey, readGrant } from '../../hub/rules/grant.ts'

const grant = { camera: 'cam-1', session: 'a'.repeat(64), from: 1_000, exp: 61_000 }
const token = makeGrant(grant, 'secret')
const asked = { secret: 'secret', session: grant.session, camera: 'cam-1', now: 60_999 }

const bytesOf = (text: string) => text.split('.').map((part) => Buffer.from(part, 'base64url'))
const sameBytes = (text: string) => {
  const wanted = bytesOf(token)
  return bytesOf(text).every((part, index) => wanted[index]?.equals(part))
}

describe('media grants', () => {
  test('what was made is read back whole', () => {
    expect(readGrant(token, 'secret')).toEqual(grant)
  })

  test('another key reads nothing', () => {
    expect(readGrant(token, 'Secret')).toBeUndefined()
  })

  test('no changed token is ever accepted', () => {
    const parts = fc.tuple(fc.nat({ max: token.length - 1 }), fc.integer({ min: 33, max: 126 }))
    fc.assert(
      fc.property(parts, ([at, code]) => {
        const changed = token.slice(0, at) + String.fromCharCode(code) + token.slice(at + 1)
        const read = readGrant(changed, 'secret')
        // The last base64url digit has spare bits: a token that spells the same bytes is the same token.
        expect(read ?? grant).toEqual(grant)
        expect(read === undefined || sameBytes(changed)).toBe(true)
      }),
      { numRuns: 2_000 },
    )
  })

  test('no text is read as a grant', () => {
    const text = fc.string({ maxLength: 2_000 })
    fc.assert(fc.property(text, (any) => readGrant(any, 's') === undefined))
    expect(readGrant('e30.e30', 's')).toBeUndefined()
  })

  test('a signed payload that is no grant is refused', () => {
    const halfGrant: Partial<typeof grant> = { ...grant }
    delete halfGrant.camera
    expect(readGrant(makeGrant(halfGrant as typeof grant, 'secret'), 'secret')).toBeUndefined()
  })

  test.each([
    ['its own session and camera within a minute', {}, 'ok'],
    ['another session', { session: 'b'.repeat(64) }, 'grant-foreign'],
    ['another camera', { camera: 'cam-2' }, 'grant-invalid'],
    ['the moment it ends', { now: 61_000 }, 'grant-expired'],
    ['another key', { secret: 'other' }, 'grant-invalid'],
  ])('a grant shown with %s', (_name, change, verdict) => {
    expect(judgeGrant(token, { ...asked, ...change })).toBe(verdict)
  })

  test("the door's key is not the grants' key", () => {
    expect(mediaDoorKey('secret')).toMatch(/^[0-9a-f]{64}$/)
    expect(mediaDoorKey('secret')).not.toBe(mediaDoorKey('other'))
  })
})
