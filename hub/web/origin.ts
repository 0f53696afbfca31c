import type { IncomingHttpHeaders } from 'node:http'

/** Host and port of an origin and of a Host header, both without the scheme's own port. */
function hosts(origin: string, host: string): { page: string; door: string } | undefined {
  try {
    const page = new URL(origin)
    return { page: page.host, door: new URL(`${page.protocol}//${host}`).host }
  } catch {
    return undefined
  }
}

/**
 * True when a request comes from a page of this hub or from no page at all (curl, a crew's script).
 * Browsers send Sec-Fetch-Site (Fetch Metadata) and Origin; neither can be set by a foreign page.
 */
export function sameOrigin(headers: IncomingHttpHeaders): boolean {
  const site = headers['sec-fetch-site']
  if (site !== undefined && site !== 'same-origin' && site !== 'none') return false
  if (headers.origin === undefined) return true
  const both = hosts(headers.origin, headers.host ?? '')
  return both !== undefined && both.page !== '' && both.page === both.door
}
