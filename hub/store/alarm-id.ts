/** Crockford's base 32: no I, L, O, U; sorts like the number it stands for. */
const digits = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'

const base32 = (value: number, length: number) => {
  let text = ''
  for (let rest = value, left = length; left > 0; left -= 1, rest = Math.floor(rest / 32))
    text = digits.charAt(rest % 32) + text
  return text
}

/**
 * Makes alarm ids of 26 characters that sort by time: 10 of epoch ms, 4 that count within the
 * millisecond, 12 (60 bits) of chance, so that two hubs never make the same one.
 *
 * @param random fills a buffer of the size asked for with random bytes
 */
export function alarmIds(random: (size: number) => Uint8Array): (at: number) => string {
  let lastAt = -1
  let count = 0
  return (at) => {
    count = at === lastAt ? count + 1 : 0
    lastAt = at
    const chance = Array.from(random(12), (byte) => digits.charAt(byte % 32)).join('')
    return base32(at, 10) + base32(count, 4) + chance
  }
}
