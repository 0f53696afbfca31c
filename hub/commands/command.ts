import { join } from 'node:path'
import { parseArgs, type ParseArgsConfig } from 'node:util'
import { auditWriter, type AuditWriter } from '../audit/audit.ts'
import { systemClock } from '../clock.ts'
import { readConfig } from '../config.ts'
import { makeDataDir } from '../data-dir.ts'
import { errors } from '../errors.ts'
import type { Settings } from '../schema/settings.ts'
import type { PeopleStore } from '../store/people-store.ts'
import type { RegistryStore } from '../store/registry-store.ts'
import { sqliteAudit } from '../store/sqlite-audit.ts'
import { sqlitePeople } from '../store/sqlite-people.ts'
import { sqliteRegistry } from '../store/sqlite-registry.ts'

/** One command of `npm run hub -- <name>`. */
export interface Command {
  /** e.g. `user add` */
  name: string
  /** Arguments as they stand in the help. */
  takes: string
  summary: string
  run(args: string[], print: (line: string) => void): Promise<void>
}

/** What commands change; they may run beside a hub that works in the same folder. */
export interface CommandStores {
  settings: Settings
  registry: RegistryStore
  people: PeopleStore
  audit: AuditWriter
}

const busyTimeoutMs = 5000

/** Opens the stores of the configured data folder for the time of `work`. */
export async function withStores<Result>(
  work: (stores: CommandStores) => Result | Promise<Result>,
  settings: Settings = readConfig(),
): Promise<Result> {
  const file = (name: string) => join(settings.HUB_DATA_DIR, `${name}.db`)
  const opened: { close(): void }[] = []
  const keep = <Store extends { close(): void }>(store: Store) => {
    opened.push(store)
    return store
  }
  try {
    makeDataDir(settings.HUB_DATA_DIR)
    return await work({
      settings,
      registry: keep(await sqliteRegistry(file('registry'), { busyTimeoutMs })),
      people: keep(await sqlitePeople(file('registry'), { busyTimeoutMs })),
      audit: keep(auditWriter(await sqliteAudit(file('audit'), { busyTimeoutMs }), systemClock)),
    })
  } finally {
    for (const store of opened.toReversed()) store.close()
  }
}

/** Arguments of a command. @throws BAD_REQUEST with the usage when they do not fit */
export function readArgs<const Options extends NonNullable<ParseArgsConfig['options']>>(
  command: Pick<Command, 'name' | 'takes'>,
  args: string[],
  options: Options,
  positionals: number,
) {
  const usage = `Usage: npm run hub -- ${command.name} ${command.takes}`.trimEnd()
  let parsed
  try {
    parsed = parseArgs({ args, options, allowPositionals: true })
  } catch (error) {
    const [why] = error instanceof Error ? error.message.split('. ') : []
    throw errors.badRequest(`${why}. ${usage}`)
  }
  if (parsed.positionals.length !== positionals) throw errors.badRequest(usage)
  return parsed
}

/** Who did it, in the audit: a person with access to the machine. */
export const commandActor = 'command'
