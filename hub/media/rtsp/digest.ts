import { createHash } from 'node:crypto'

/** One `WWW-Authenticate` challenge. */
export interface Challenge {
  scheme: 'basic' | 'digest'
  realm: string
  nonce: string
  opaque: string | undefined
  algorithm: 'MD5' | 'SHA-256'
  session: boolean
  /** `auth` when the server offers it; undefined = RFC 2069 style. */
  qop: 'auth' | undefined
  stale: boolean
}

export interface Credential {
  user: string
  password: string
}

const parameter = /([a-zA-Z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]*))/g

/** Reads one header value; undefined for schemes and algorithms this client does not speak. */
export function readChallenge(header: string): Challenge | undefined {
  const space = header.indexOf(' ')
  const scheme = (space < 0 ? header : header.slice(0, space)).toLowerCase()
  if (scheme !== 'basic' && scheme !== 'digest') return undefined
  const fields = new Map<string, string>()
  for (const [, name = '', quoted, plain] of header.slice(scheme.length, 4096).matchAll(parameter))
    fields.set(name.toLowerCase(), quoted === undefined ? (plain ?? '') : unquote(quoted))
  const [algorithm, session] = readAlgorithm(fields.get('algorithm') ?? 'MD5')
  if (!algorithm) return undefined
  const offered = fields.get('qop')
  const qops = offered?.split(',').map((each) => each.trim().toLowerCase())
  // auth-int would need a body hash; every camera that offers it offers auth as well.
  if (qops && !qops.includes('auth')) return undefined
  return {
    scheme,
    realm: fields.get('realm') ?? '',
    nonce: fields.get('nonce') ?? '',
    opaque: fields.get('opaque'),
    algorithm,
    session,
    qop: qops ? 'auth' : undefined,
    stale: fields.get('stale')?.toLowerCase() === 'true',
  }
}

function readAlgorithm(
  text: string,
): [algorithm: Challenge['algorithm'] | undefined, session: boolean] {
  const upper = text.toUpperCase()
  const session = upper.endsWith('-SESS')
  const base = session ? upper.slice(0, -5) : upper
  return [base === 'MD5' || base === 'SHA-256' ? base : undefined, session]
}

/** The strongest of several challenges: Digest SHA-256, Digest MD5, Basic (RFC 7616 section 3.7). */
export function bestChallenge(headers: readonly string[]): Challenge | undefined {
  const rank = (challenge: Challenge) =>
    challenge.scheme === 'basic' ? 0 : challenge.algorithm === 'MD5' ? 1 : 2
  let best: Challenge | undefined
  for (const header of headers) {
    const challenge = readChallenge(header)
    if (challenge && (!best || rank(challenge) > rank(best))) best = challenge
  }
  return best
}

export interface DigestInput {
  challenge: Challenge
  credential: Credential
  method: string
  uri: string
  /** How often this nonce was used, from 1. */
  count: number
  cnonce: string
}

/** Value of the `Authorization` header (RFC 7617, RFC 7616 section 3.4). */
export function authorization(input: DigestInput): string {
  const { challenge, credential } = input
  if (challenge.scheme === 'basic')
    return `Basic ${Buffer.from(`${credential.user}:${credential.password}`).toString('base64')}`
  const { realm, nonce, opaque, qop } = challenge
  const nc = input.count.toString(16).padStart(8, '0')
  const fields = [
    `username=${quote(credential.user)}`,
    `realm=${quote(realm)}`,
    `nonce=${quote(nonce)}`,
    `uri=${quote(input.uri)}`,
    `response="${digestResponse(input, nc)}"`,
  ]
  // Old firmware stumbles over an algorithm it did not name itself: MD5 is the default anyway.
  if (challenge.algorithm !== 'MD5' || challenge.session)
    fields.push(`algorithm=${challenge.algorithm}${challenge.session ? '-sess' : ''}`)
  if (opaque !== undefined) fields.push(`opaque=${quote(opaque)}`)
  if (qop) fields.push(`qop=${qop}`, `nc=${nc}`)
  if (qop || challenge.session) fields.push(`cnonce=${quote(input.cnonce)}`)
  return `Digest ${fields.join(', ')}`
}

function digestResponse({ challenge, credential, method, uri, cnonce }: DigestInput, nc: string) {
  const name = challenge.algorithm === 'MD5' ? 'md5' : 'sha256'
  const hash = (text: string) => createHash(name).update(text).digest('hex')
  const { realm, nonce, qop } = challenge
  const secret = hash(`${credential.user}:${realm}:${credential.password}`)
  const ha1 = challenge.session ? hash(`${secret}:${nonce}:${cnonce}`) : secret
  const ha2 = hash(`${method}:${uri}`)
  return hash(qop ? `${ha1}:${nonce}:${nc}:${cnonce}:${qop}:${ha2}` : `${ha1}:${nonce}:${ha2}`)
}

const quote = (text: string) => `"${text.replace(/["\\]/g, '\\$&').replace(/[\r\n]/g, '')}"`
const unquote = (text: string) => text.replace(/\\(.)/g, '$1')
