import { randomInt } from 'node:crypto'

const consonants = 'bdfghjkmnprstvz'
const vowels = 'aeiou'

const pick = (letters: string) => letters.charAt(randomInt(letters.length))
const pair = () => pick(consonants) + pick(vowels) + pick(consonants) + pick(vowels)

/** A password one can read out loud: `tofa-numi-besa-kuro`, 8 syllables, 49 bits of chance. */
export function readablePassword(): string {
  return [pair(), pair(), pair(), pair()].join('-')
}
