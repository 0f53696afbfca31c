import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import { errors, HubError } from '../../hub/errors.ts'

const table = readFileSync(new URL('../../docs/errors.md', import.meta.url), 'utf8')
const rows = table
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) => line.split('|').map((cell) => cell.trim()))
  .map(([, code = '', status = '', message = '']) => ({
    code: code.replaceAll('`', ''),
    status: Number(status),
    message,
  }))

/** Every error with `…` for what it is told. */
const made = Object.values(errors).map((make) => {
  const error: unknown = Reflect.apply(make, undefined, ['…', '…', '…', '…'])
  if (!(error instanceof HubError)) throw new Error('errors make HubErrors')
  return { code: error.code, status: error.status, message: error.message }
})

const byCode = (a: { code: string }, b: { code: string }) => (a.code < b.code ? -1 : 1)

test('docs/errors.md lists every code with its status and sentence, and none besides', () => {
  expect(rows.toSorted(byCode)).toEqual(made.toSorted(byCode))
})

test('codes are unique and every sentence says something', () => {
  expect(new Set(made.map(({ code }) => code)).size).toBe(made.length)
  for (const { code, message, status } of made) {
    expect(code).toMatch(/^[A-Z]+(_[A-Z]+)*$/)
    expect(message.length).toBeGreaterThan(0)
    expect(status).toBeGreaterThanOrEqual(400)
  }
})
