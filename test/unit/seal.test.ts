import { chmodSync, readFileSync, readdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { fileSeal, freshSeal, sealWith } from '../../hub/store/seal.ts'
import { temporaryDir } from '../support/store-places.ts'

const badConfig = expect.objectContaining({ code: 'CONFIG_INVALID' })
const keyFile = () => join(temporaryDir(), 'seal.key')

test.each(['', 'geheim', '密码🔒', 'x'.repeat(10_000)])('%s is sealed and opened', (text) => {
  const seal = freshSeal()
  const sealed = seal.seal(text, 'cam-1')
  expect(seal.open(sealed, 'cam-1')).toBe(text)
  // Version, IV and tag lie before as many bytes as the text has.
  expect(sealed).toHaveLength(29 + Buffer.byteLength(text))
})

test('the same text is sealed differently each time', () => {
  const seal = freshSeal()
  expect(seal.seal('geheim', 'cam-1')).not.toEqual(seal.seal('geheim', 'cam-1'))
})

test('a text does not open for another owner, by another key, or with one bit changed', () => {
  const seal = freshSeal()
  const sealed = seal.seal('geheim', 'cam-1')
  expect(() => seal.open(sealed, 'cam-2')).toThrow(badConfig)
  expect(() => freshSeal().open(sealed, 'cam-1')).toThrow(badConfig)
  for (let bit = 0; bit < sealed.length * 8; bit += 1) {
    const changed = Uint8Array.from(sealed)
    changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
    expect(() => seal.open(changed, 'cam-1')).toThrow(badConfig)
  }
})

test('a text cut anywhere does not open', () => {
  const seal = freshSeal()
  const sealed = seal.seal('geheim', 'cam-1')
  for (let length = 0; length < sealed.length; length += 1)
    expect(() => seal.open(sealed.subarray(0, length), 'cam-1')).toThrow(badConfig)
})

test('the refusal names the owner and what to do, never the text', () => {
  const seal = sealWith(new Uint8Array(32))
  expect(() => seal.open(Buffer.from('geheim'), 'cam-1')).toThrow(
    /'cam-1'.*restore the key file|set the password again/,
  )
})

test('the key file is made once, for its owner only, and nothing lies beside it', () => {
  const file = keyFile()
  const sealed = fileSeal(file).seal('geheim', 'cam-1')
  expect(statSync(file).mode & 0o777).toBe(0o600)
  expect(readFileSync(file)).toHaveLength(32)
  expect(readdirSync(join(file, '..'))).toEqual(['seal.key'])
  expect(fileSeal(file).open(sealed, 'cam-1')).toBe('geheim')
})

test('two installations share no key', () => {
  const files = [keyFile(), keyFile()]
  for (const file of files) fileSeal(file)
  const [one, two] = files.map((file) => readFileSync(file, 'hex'))
  expect(one).not.toBe(two)
})

test('a key that others can read is refused', () => {
  const file = keyFile()
  fileSeal(file)
  chmodSync(file, 0o640)
  expect(() => fileSeal(file)).toThrow(
    expect.objectContaining({ message: expect.stringContaining('chmod 600') }),
  )
})

test('a damaged key is refused, never replaced', () => {
  const file = keyFile()
  writeFileSync(file, 'short', { mode: 0o600 })
  expect(() => fileSeal(file)).toThrow(badConfig)
  expect(readFileSync(file, 'utf8')).toBe('short')
})
