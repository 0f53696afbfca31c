import { randomUUID } from 'node:crypto'
import { errors } from '../errors.ts'
import { Role, User, UserName } from '../schema/people.ts'
import { Scope } from '../schema/region.ts'
import { hashPassword } from '../web/password.ts'
import { commandActor, readArgs, withStores, type Command, type CommandStores } from './command.ts'
import { readablePassword } from './readable-password.ts'

export interface NewPerson {
  name: string
  displayName: string
  role: Role
  scope: string
}

/** Adds a person with the given password. @throws USER_EXISTS */
export async function addPerson(
  { people, audit }: Pick<CommandStores, 'people' | 'audit'>,
  person: NewPerson,
  password: string,
  mustChange: boolean,
): Promise<User> {
  const user = User.parse({ ...person, id: randomUUID(), mustChange })
  people.add(user, await hashPassword(password))
  audit.write({
    actor: commandActor,
    action: 'user.add',
    subject: user.id,
    region: null,
    outcome: 'ok',
    detail: `${user.role} ${user.scope}`,
  })
  return user
}

const add: Command = {
  name: 'user add',
  takes: `NAME --role ${Role.options.join('|')} [--scope DIGITS] [--display TEXT]`,
  summary: 'add a person; prints the one-time password',
  async run(args, print) {
    const { values, positionals } = readArgs(
      this,
      args,
      { role: { type: 'string' }, scope: { type: 'string' }, display: { type: 'string' } },
      1,
    )
    const name = UserName.safeParse(positionals[0])
    if (!name.success) throw errors.badRequest(`NAME '${positionals[0]}': 2 to 32 of a-z 0-9 _ . -`)
    const role = Role.safeParse(values.role)
    if (!role.success) throw errors.badRequest(`--role must be one of ${Role.options.join(', ')}`)
    await withStores(async (stores) => {
      const scope = Scope.safeParse(values.scope ?? stores.settings.HUB_REGION)
      if (!scope.success) throw errors.badRequest('--scope must have 6, 9 or 12 digits')
      const password = readablePassword()
      const person = {
        name: name.data,
        displayName: values.display ?? name.data,
        role: role.data,
        scope: scope.data,
      }
      await addPerson(stores, person, password, true)
      print(`${name.data} may sign in with the one-time password ${password} (shown only now)`)
    })
  },
}

const list: Command = {
  name: 'user list',
  takes: '',
  summary: 'who may sign in, with which role and where',
  async run(args, print) {
    readArgs(this, args, {}, 0)
    await withStores(({ people }) => {
      for (const { name, role, scope, displayName } of people.users())
        print(`${name.padEnd(20)} ${role.padEnd(18)} ${scope.padEnd(12)} ${displayName}`)
    })
  },
}

const reset: Command = {
  name: 'user reset',
  takes: 'NAME',
  summary: 'give a person a new one-time password and end their sessions',
  async run(args, print) {
    const { positionals } = readArgs(this, args, {}, 1)
    const [name = ''] = positionals
    await withStores(async ({ people, audit }) => {
      const found = people.byName(name)
      if (!found) throw errors.userNotFound(name)
      const password = readablePassword()
      people.setPassword(found.user.id, await hashPassword(password), true)
      people.closeSessionsOf(found.user.id)
      audit.write({
        actor: commandActor,
        action: 'user.reset',
        subject: found.user.id,
        region: null,
        outcome: 'ok',
        detail: '',
      })
      print(`${name} may sign in with the one-time password ${password} (shown only now)`)
    })
  },
}

export const userCommands: readonly Command[] = [add, list, reset]
