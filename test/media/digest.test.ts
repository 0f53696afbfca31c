import * as fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { authorization, bestChallenge, readChallenge } from '../../hub/media/rtsp/digest.ts'

// RFC 7616 section 3.9.1
const nonce = '7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v'
const opaque = 'FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS'
const offer = (algorithm: string) =>
  `Digest realm="http-auth@example.org", qop="auth, auth-int", algorithm=${algorithm}, nonce="${nonce}", opaque="${opaque}"`
const input = {
  credential: { user: 'Mufasa', password: 'Circle of Life' },
  method: 'GET',
  uri: '/dir/index.html',
  count: 1,
  cnonce: 'f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ',
}
const prove = (header: string, change: Partial<typeof input> = {}) => {
  const challenge = readChallenge(header)
  if (!challenge) throw new Error('not read')
  return authorization({ challenge, ...input, ...change })
}

describe('authentication', () => {
  test.each([
    ['MD5', '8ca523f5e9506fed4657c9700eebdbec'],
    ['SHA-256', '753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1'],
  ])('Digest %s answers as RFC 7616 section 3.9.1 prints it', (algorithm, response) => {
    const header = prove(offer(algorithm))
    expect(header).toContain(`response="${response}"`)
    expect(header).toContain('nc=00000001')
    expect(header).toContain(`opaque="${opaque}"`)
  })

  test('without qop it answers as RFC 2069 does', () => {
    // RFC 2069 section 2.4 as corrected by its erratum 749
    const header = prove(
      'Digest realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093"',
      { credential: { user: 'Mufasa', password: 'CircleOfLife' } },
    )
    expect(header).toContain('response="1949323746fe6a43ef61f9606e7febea"')
    expect(header).not.toContain('cnonce')
  })

  test('Basic is base64 of user and password', () => {
    // RFC 7617 section 2
    const credential = { user: 'Aladdin', password: 'open sesame' }
    expect(prove('Basic realm="WallyWorld"', { credential })).toBe(
      'Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==',
    )
  })

  test('the strongest of several offers is taken', () => {
    const offers = ['Basic realm="x"', offer('SHA-256'), offer('MD5')]
    expect(bestChallenge(offers)?.algorithm).toBe('SHA-256')
    expect(bestChallenge(['Basic realm="x"', offer('MD5')])?.scheme).toBe('digest')
    expect(bestChallenge(['Negotiate', offer('SHA-512-256')])).toBeUndefined()
  })

  test('auth-int alone is not spoken', () => {
    expect(readChallenge('Digest realm="x", nonce="n", qop="auth-int"')).toBeUndefined()
  })

  test('stale and -sess are read', () => {
    expect(readChallenge('Digest realm="x",nonce="n",stale=TRUE,algorithm=MD5-sess')).toMatchObject(
      {
        stale: true,
        session: true,
        algorithm: 'MD5',
      },
    )
  })

  test('a name or realm cannot break out of the header', () => {
    fc.assert(
      fc.property(fc.string(), fc.string(), (user, realm) => {
        const challenge = readChallenge('Digest realm="x", nonce="n"')
        if (!challenge) throw new Error('not read')
        const credential = { user, password: 'p' }
        const header = authorization({ ...input, challenge: { ...challenge, realm }, credential })
        expect(header).not.toMatch(/[\r\n]/)
        expect(header.replace(/\\./g, '').match(/"/g)?.length).toBe(10)
      }),
    )
  })

  test('no header makes the reader throw or hang', () => {
    fc.assert(
      fc.property(fc.string({ maxLength: 5_000 }), (text) => {
        expect(() => readChallenge(`Digest ${text}`)).not.toThrow()
      }),
    )
  })
})
