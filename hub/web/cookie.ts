/** Name of the session cookie: the `__Host-` prefix needs Secure, which loopback over http has not. */
export const cookieName = (secure: boolean) => (secure ? '__Host-hub' : 'hub')

/** Attributes of the session cookie (RFC 6265bis): no script reads it, no other site sends it. */
export const cookieOptions = (secure: boolean) =>
  ({ path: '/', httpOnly: true, sameSite: 'strict', secure }) as const

/** Reads one cookie from a raw header, for upgrades that never pass Fastify. */
export function readCookie(header: string | undefined, name: string): string | undefined {
  for (const part of (header ?? '').split(';')) {
    const at = part.indexOf('=')
    if (at > 0 && part.slice(0, at).trim() === name) return part.slice(at + 1).trim()
  }
  return undefined
}
