import type { IncomingHttpHeaders } from 'node:http'

const hostOf = (origin: string) => {
  try {
    return new URL(origin).host
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
  const host = hostOf(headers.origin)
  return host !== undefined && host === headers.host?.toLowerCase()
}
