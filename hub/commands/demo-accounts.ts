import { readFileSync, writeFileSync } from 'node:fs'
import { z } from 'zod'
import type { CountyFile } from '../schema/county-file.ts'
import { Role } from '../schema/people.ts'
import type { CommandStores } from './command.ts'
import { readablePassword } from './readable-password.ts'
import { addPerson, type NewPerson } from './user.ts'

const Account = z.object({
  name: z.string(),
  displayName: z.string(),
  role: Role,
  scope: z.string(),
  password: z.string(),
})
/** Someone who may sign in to the demo, with the password in the clear: only ever for the demo. */
export type Account = z.infer<typeof Account>

const accountsFile = z.array(Account)

/** Reads the accounts an earlier start made. */
export const readAccounts = (file: string): Account[] =>
  accountsFile.parse(JSON.parse(readFileSync(file, 'utf8')))

/** One account per role over the demo county, kept in `file` (mode 0600). */
export async function makeAccounts(
  stores: Pick<CommandStores, 'people' | 'audit'>,
  county: CountyFile,
  file: string,
): Promise<Account[]> {
  const accounts = people(county).map((person) =>
    Object.assign(person, { password: readablePassword() }),
  )
  for (const { password, ...person } of accounts) await addPerson(stores, person, password, false)
  writeFileSync(file, `${JSON.stringify(accounts, undefined, 2)}\n`, { mode: 0o600 })
  return accounts
}

/** Each works where such a person works: one village, its township, or the whole county. */
function people({ regions }: CountyFile): NewPerson[] {
  const village = regions.find(({ level }) => level === 'village')?.code
  if (village === undefined) throw new Error('the county has no village')
  const township = village.slice(0, 9)
  const county = village.slice(0, 6)
  return [
    { name: 'village', displayName: '村值班员', role: 'village-duty', scope: village },
    { name: 'township', displayName: '乡镇值班长', role: 'township-officer', scope: township },
    { name: 'crew', displayName: '维修员', role: 'crew', scope: county },
    { name: 'county', displayName: '县主管', role: 'county-supervisor', scope: county },
    { name: 'auditor', displayName: '审计员', role: 'auditor', scope: county },
    { name: 'administrator', displayName: '管理员', role: 'administrator', scope: county },
  ]
}
