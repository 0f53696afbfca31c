import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import {
  closeSync,
  fsyncSync,
  linkSync,
  openSync,
  readFileSync,
  statSync,
  unlinkSync,
  writeSync,
} from 'node:fs'
import { errors } from '../errors.ts'

/** Locks secrets that must lie on the disk. `owner` is bound in: a sealed text moved to another owner does not open. */
export interface Seal {
  seal(text: string, owner: string): Uint8Array
  /** @throws CONFIG_INVALID when the text was sealed by another key, for another owner, or changed */
  open(sealed: Uint8Array, owner: string): string
}

const version = 1
const ivBytes = 12
const tagBytes = 16
const keyBytes = 32

/** AES-256-GCM (NIST SP 800-38D): 1 byte version, 12 bytes IV, 16 bytes tag, then the ciphertext. */
export function sealWith(key: Uint8Array): Seal {
  return {
    seal(text, owner) {
      const iv = randomBytes(ivBytes)
      const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(owner))
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
      return Buffer.concat([Buffer.of(version), iv, cipher.getAuthTag(), body])
    },
    open(sealed, owner) {
      const bytes = Buffer.from(sealed)
      const body = 1 + ivBytes + tagBytes
      try {
        if (bytes[0] !== version) throw new Error('unknown version')
        const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(1, 1 + ivBytes), {
          authTagLength: tagBytes,
        })
        decipher.setAAD(Buffer.from(owner)).setAuthTag(bytes.subarray(1 + ivBytes, body))
        return Buffer.concat([decipher.update(bytes.subarray(body)), decipher.final()]).toString()
      } catch {
        throw errors.configInvalid(
          `the stored password of '${owner}' was sealed by another key: restore the key file of this data folder, or set the password again`,
        )
      }
    },
  }
}

/** The seal of a new random key that is never written: for databases in memory. */
export const freshSeal = () => sealWith(randomBytes(keyBytes))

/**
 * The seal whose key lies in `file` (32 bytes, mode 0600); made at the first use.
 *
 * @throws CONFIG_INVALID when the file can be read by others or is not a key
 */
export function fileSeal(file: string): Seal {
  createKey(file)
  if ((statSync(file).mode & 0o077) !== 0)
    throw errors.configInvalid(`the key file '${file}' can be read by others: chmod 600 it`)
  const key = readFileSync(file)
  if (key.length !== keyBytes)
    throw errors.configInvalid(`the key file '${file}' is damaged: restore it from a backup`)
  return sealWith(key)
}

/** Writes a key beside and links it into place: two processes starting at once agree on one whole key. */
function createKey(file: string) {
  if (statSync(file, { throwIfNoEntry: false })) return
  const draft = `${file}.${process.pid}.${randomBytes(4).toString('hex')}`
  const handle = openSync(draft, 'wx', 0o600)
  try {
    writeSync(handle, randomBytes(keyBytes))
    fsyncSync(handle)
    linkSync(draft, file)
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'EEXIST')) throw error
  } finally {
    closeSync(handle)
    unlinkSync(draft)
  }
}
