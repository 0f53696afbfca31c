import { createHash } from 'node:crypto'

const md5 = (text: string) => createHash('md5').update(text).digest('hex')

/** The answer of RFC 2617 3.2.2.1 without `qop`, as nearly every camera asks for it. */
export const digestResponse = (of: {
  user: string
  realm: string
  password: string
  nonce: string
  method: string
  uri: string
}) =>
  md5(
    `${md5(`${of.user}:${of.realm}:${of.password}`)}:${of.nonce}:${md5(`${of.method}:${of.uri}`)}`,
  )

/** Fields of a `Digest ...` header, names in lower case; undefined for another scheme. */
export function digestFields(header: string | undefined): Map<string, string> | undefined {
  if (!header || !/^digest\s/i.test(header)) return undefined
  const fields = new Map<string, string>()
  for (const [, name = '', quoted, bare] of header
    .slice(6)
    .matchAll(/([a-z0-9-]+)\s*=\s*(?:"([^"]*)"|([^,\s]+))/gi))
    fields.set(name.toLowerCase(), quoted ?? bare ?? '')
  return fields
}

/** True when the header proves the password for this request, with the nonce we gave. */
export function proves(
  header: string | undefined,
  known: { user: string; realm: string; password: string; nonce: string; method: string },
): boolean {
  const fields = digestFields(header)
  if (!fields) return false
  return (
    fields.get('username') === known.user &&
    fields.get('realm') === known.realm &&
    fields.get('nonce') === known.nonce &&
    fields.get('response') === digestResponse({ ...known, uri: fields.get('uri') ?? '' })
  )
}
