import { nearestName } from '../config.ts'
import { errors } from '../errors.ts'
import { asProgram } from '../run.ts'
import type { Command } from './command.ts'
import { importCommand } from './county.ts'
import { deviceCommands } from './device.ts'
import { doctorCommand } from './doctor.ts'
import { settingsDocCommand } from './settings-doc.ts'
import { userCommands } from './user.ts'

const commands: readonly Command[] = [
  ...userCommands,
  importCommand,
  ...deviceCommands,
  doctorCommand,
  settingsDocCommand,
]

const print = (line: string) => void process.stdout.write(`${line}\n`)

const nameLength = (name: string) => name.split(' ').length

function help() {
  print('Usage: npm run hub -- COMMAND')
  for (const { name, takes, summary } of commands) print(`\n  ${name} ${takes}\n      ${summary}`)
  print('\nSettings come from hub.yaml and HUB_* variables, as for the hub itself.')
}

function unknown(words: readonly string[]) {
  const given = words.slice(0, 2).join(' ')
  const names = commands.map(({ name }) => name)
  const nearest = nearestName(given, names) ?? nearestName(words[0] ?? '', names)
  return `No command '${given}'${nearest ? `; did you mean '${nearest}'?` : ''} (npm run hub -- help)`
}

/** `npm run hub -- <command>`. */
async function main() {
  const words = process.argv.slice(2)
  if (words.length === 0 || words[0] === 'help' || words[0] === '--help') {
    help()
    return
  }
  const command = commands.find(({ name }) => name === words.slice(0, nameLength(name)).join(' '))
  if (!command) throw errors.badRequest(unknown(words))
  await command.run(words.slice(nameLength(command.name)), print)
}

await asProgram(main)
