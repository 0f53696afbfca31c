import { errors } from '../errors.ts'

/** Packs the place after a page's last row into an opaque word. */
export const toCursor = (parts: readonly (string | number)[]) =>
  Buffer.from(JSON.stringify(parts)).toString('base64url')

/** Unpacks `[number, string]`. @throws BAD_REQUEST for anything this hub did not make */
export function fromCursor(cursor: string): [number, string] {
  try {
    const value: unknown = JSON.parse(Buffer.from(cursor, 'base64url').toString())
    if (Array.isArray(value) && Number.isSafeInteger(value[0]) && typeof value[1] === 'string')
      return [Number(value[0]), value[1]]
  } catch {
    // Falls through to the one answer for every foreign cursor.
  }
  throw errors.badRequest('This cursor is not one of ours: begin with the first page')
}
