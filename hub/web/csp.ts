import { createHash } from 'node:crypto'

/** `'sha256-…'` of every inline script of a page (CSP 3, 6.7.2.2): the only inline scripts that may run. */
export const inlineScriptHashes = (html: string): string[] =>
  [...html.matchAll(/<script(?![^>]*\ssrc=)[^>]*>([\s\S]*?)<\/script>/gi)].map(
    ([, text = '']) => `'sha256-${createHash('sha256').update(text).digest('base64')}'`,
  )

const socketSource = (host: string | undefined, secure: boolean) =>
  host && /^[A-Za-z0-9.:[\]-]{1,255}$/.test(host) ? ` ${secure ? 'wss' : 'ws'}://${host}` : ''

/** Content security policy of every answer; `host` is the request's Host, for browsers whose 'self' leaves out ws. */
export const contentSecurityPolicy = (
  scriptHashes: readonly string[],
  host: string | undefined,
  secure: boolean,
) =>
  [
    "default-src 'self'",
    ["script-src 'self'", ...scriptHashes].join(' '),
    "style-src 'self'",
    // Svelte's compiled templates carry style attributes; an attribute cannot load or run anything.
    "style-src-attr 'unsafe-inline'",
    "img-src 'self' data: blob:",
    "media-src 'self' blob:",
    "worker-src 'self' blob:",
    "font-src 'self'",
    "object-src 'none'",
    "base-uri 'none'",
    "form-action 'self'",
    "frame-ancestors 'none'",
    `connect-src 'self'${socketSource(host, secure)}`,
  ].join('; ')
