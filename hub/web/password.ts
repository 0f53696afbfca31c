import { argon2, randomBytes, timingSafeEqual } from 'node:crypto'
import { errors } from '../errors.ts'

/** OWASP's second choice for argon2id (m = 7 MiB, t = 5, p = 1): about 30 ms here, 14 MiB at most in flight. */
const cost = { memory: 7168, passes: 5, parallelism: 1, tagLength: 32 }

/** Hashes of one caller at once; more wait, so that a flood of sign-ins cannot take all memory. */
const inFlightMax = 2
const waitingMax = 64

/** Shortest password accepted, in characters. */
export const passwordMin = 10

interface Cost {
  memory: number
  passes: number
  parallelism: number
  tagLength: number
}

const b64 = (bytes: Uint8Array) => Buffer.from(bytes).toString('base64').replace(/=+$/, '')

const derive = (
  password: string,
  nonce: Uint8Array,
  { memory, passes, parallelism, tagLength }: Cost,
) =>
  new Promise<Buffer>((resolve, reject) => {
    argon2(
      'argon2id',
      { message: password.normalize('NFKC'), nonce, memory, passes, parallelism, tagLength },
      (error, key) => (error ? reject(error) : resolve(key)),
    )
  })

/** argon2id of a password as a PHC string, `$argon2id$v=19$m=7168,t=5,p=1$salt$hash` (RFC 9106). */
export async function hashPassword(password: string): Promise<string> {
  const nonce = randomBytes(16)
  const key = await derive(password, nonce, cost)
  const { memory, passes, parallelism } = cost
  return `$argon2id$v=19$m=${memory},t=${passes},p=${parallelism}$${b64(nonce)}$${b64(key)}`
}

const phc = /^\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$([A-Za-z0-9+/]+)\$([A-Za-z0-9+/]+)$/

async function verify(password: string, stored: string): Promise<boolean> {
  const parts = phc.exec(stored)
  if (!parts) throw new Error('a stored password is not an argon2id PHC string')
  const [, memory, passes, parallelism, salt = '', hash = ''] = parts
  const expected = Buffer.from(hash, 'base64')
  const key = await derive(password, Buffer.from(salt, 'base64'), {
    memory: Number(memory),
    passes: Number(passes),
    parallelism: Number(parallelism),
    tagLength: expected.length,
  })
  return timingSafeEqual(key, expected)
}

/** Checks and makes password hashes, two at a time. */
export interface Passwords {
  /** True when `password` is the one behind `stored`; with no stored hash it takes as long and is false. @throws OVERLOADED */
  check(password: string, stored: string | undefined): Promise<boolean>
  /** @throws PASSWORD_TOO_WEAK, OVERLOADED */
  make(password: string): Promise<string>
}

/** One per web role: owns the queue that keeps at most two hashes in flight. */
export function passwords(): Passwords {
  let running = 0
  const waiting: (() => void)[] = []
  // What an unknown name is checked against: nobody knows its password.
  const nobody = hashPassword(randomBytes(32).toString('base64'))

  async function inTurn<T>(work: () => Promise<T>): Promise<T> {
    if (running >= inFlightMax) {
      if (waiting.length >= waitingMax) throw errors.overloaded()
      await new Promise<void>((go) => waiting.push(go))
    } else running += 1
    try {
      return await work()
    } finally {
      const next = waiting.shift()
      if (next) next()
      else running -= 1
    }
  }

  return {
    check: (password, stored) =>
      inTurn(async () => {
        const equal = await verify(password, stored ?? (await nobody))
        return equal && stored !== undefined
      }),
    async make(password) {
      if (password.length < passwordMin) throw errors.passwordTooWeak()
      return inTurn(() => hashPassword(password))
    },
  }
}
