import { createHmac, timingSafeEqual } from 'node:crypto'

/** Leave to watch one camera, made by web after the policy check and checked by media. Times are epoch ms. */
export interface Grant {
  camera: string
  /** `Session.idHash` (SHA-256 hex of the cookie) of the person it was made for. */
  session: string
  /** Start of the time range: when it was made, for live pictures. */
  from: number
  /** Watching must begin before this. */
  exp: number
}

/** How long a fresh grant may wait for its first use, ms. */
export const grantLifeMs = 60_000

/** How long a tile may run on one grant before it must show a new one, ms. */
export const grantRunMs = 8 * 60 * 60_000

// Longer than any grant the hub makes; a longer text is not even hashed.
const longestGrant = 1024

const macOf = (payload: string, secret: string) =>
  createHmac('sha256', secret).update(payload).digest()

/** `base64url(JSON) . base64url(HMAC-SHA-256)`: opaque to the page, useless in another session. */
export function makeGrant(grant: Grant, secret: string): string {
  const { camera, session, from, exp } = grant
  const payload = Buffer.from(JSON.stringify({ camera, session, from, exp })).toString('base64url')
  return `${payload}.${macOf(payload, secret).toString('base64url')}`
}

/** The grant inside a token, undefined unless this hub's key made it; expiry and session are judged by the caller. */
export function readGrant(token: string, secret: string): Grant | undefined {
  if (token.length > longestGrant) return undefined
  const dot = token.indexOf('.')
  if (dot < 1) return undefined
  const payload = token.slice(0, dot)
  const given = Buffer.from(token.slice(dot + 1), 'base64url')
  const mac = macOf(payload, secret)
  if (given.length !== mac.length || !timingSafeEqual(given, mac)) return undefined
  return parseGrant(Buffer.from(payload, 'base64url').toString())
}

function parseGrant(json: string): Grant | undefined {
  let value: unknown
  try {
    value = JSON.parse(json)
  } catch {
    return undefined
  }
  if (typeof value !== 'object' || value === null) return undefined
  if (!('camera' in value && 'session' in value && 'from' in value && 'exp' in value))
    return undefined
  const { camera, session, from, exp } = value
  if (typeof camera !== 'string' || typeof session !== 'string') return undefined
  if (typeof from !== 'number' || typeof exp !== 'number') return undefined
  return { camera, session, from, exp }
}

/** Headers web adds to the upgrade it passes on to media's loopback door. */
export const mediaHeaders = { key: 'x-hub-key', session: 'x-hub-session' } as const

/** Value of `x-hub-key`: proves that web, and no other program of this machine, knocks at media's door. */
export const mediaDoorKey = (grantSecret: string) =>
  createHmac('sha256', grantSecret).update('media-door').digest('hex')
