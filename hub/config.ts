import { accessSync, constants, existsSync, readFileSync } from 'node:fs'
import { isIP } from 'node:net'
import { resolve } from 'node:path'
import { parse as parseYaml } from 'yaml'
import { z } from 'zod'
import { errors } from './errors.ts'
import { Settings } from './schema/settings.ts'

/** Environment as the process has it. */
export type Environment = Readonly<Record<string, string | undefined>>

/** Names beside `Settings` that the hub reads; they say where the settings stand. */
const configName = 'HUB_CONFIG'
const known = [...Object.keys(Settings.shape), configName]
/** Values that are never repeated in a message. */
const secret = /PASSWORD|TOKEN|SECRET/

const SettingsFile = z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))

/**
 * The only reader of the environment and of `hub.yaml` (or the file `HUB_CONFIG` names, from `cwd`).
 * The environment wins; an empty value counts as not set.
 * @throws CONFIG_INVALID with one sentence that names the setting and what it takes
 */
export function readConfig(env: Environment = process.env, cwd: string = process.cwd()): Settings {
  const fromFile = readSettingsFile(env[configName], cwd)
  const fromEnv = Object.entries(env).filter(([name]) => name.startsWith('HUB_'))
  const given = new Map([...fromFile, ...fromEnv].filter(([, value]) => value !== ''))
  given.delete(configName)
  for (const name of given.keys()) refuseUnknown(name)
  const parsed = Settings.safeParse(Object.fromEntries(given))
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    const name = String(issue?.path[0])
    const value = secret.test(name) ? '' : ` '${given.get(name)}'`
    throw errors.configInvalid(`${name}${value}: ${issue?.message}`)
  }
  const settings = withAbsolutePaths(parsed.data, cwd)
  requireTls(settings)
  return settings
}

/** Roles and messages then mean the same place, whatever folder they look from. */
function withAbsolutePaths(settings: Settings, cwd: string): Settings {
  const absolute = { ...settings }
  for (const name of ['HUB_DATA_DIR', 'HUB_TLS_CERT', 'HUB_TLS_KEY'] as const) {
    const path = settings[name]
    if (path !== undefined) absolute[name] = resolve(cwd, path)
  }
  return absolute
}

/** Entries of the settings file; none when the default file is absent. */
function readSettingsFile(named: string | undefined, cwd: string): [string, string][] {
  const file = resolve(cwd, named || 'hub.yaml')
  if (!named && !existsSync(file)) return []
  let content: unknown
  try {
    content = parseYaml(readFileSync(file, 'utf8')) ?? {}
  } catch (error) {
    const [why] = error instanceof Error ? error.message.split('\n') : []
    throw errors.configInvalid(`the settings file '${file}' cannot be read: ${why}`)
  }
  const entries = SettingsFile.safeParse(content)
  if (!entries.success)
    throw errors.configInvalid(`the settings file '${file}' must hold lines 'HUB_NAME: value'`)
  return Object.entries(entries.data).map(([name, value]) => [name, String(value ?? '')])
}

function refuseUnknown(name: string) {
  if (known.includes(name)) return
  const nearest = nearestName(name, known)
  throw errors.configInvalid(
    `${name} is no setting of the hub${nearest ? `; did you mean ${nearest}?` : ', see docs/settings.md'}`,
  )
}

/** True for addresses that never leave this machine. */
export const isLoopback = (host: string) =>
  host === 'localhost' || host === '::1' || (isIP(host) === 4 && host.startsWith('127.'))

/** Cookies, sound and notifications need a secure context, and MQTT secrets need a closed envelope. */
function requireTls(settings: Settings) {
  const { HUB_TLS_CERT: cert, HUB_TLS_KEY: key } = settings
  if ((cert === undefined) !== (key === undefined))
    throw errors.configInvalid('HUB_TLS_CERT and HUB_TLS_KEY are only of use together')
  for (const name of ['HUB_HTTP_HOST', 'HUB_MQTT_HOST'] as const)
    if (!isLoopback(settings[name]) && cert === undefined)
      throw errors.configInvalid(
        `${name} '${settings[name]}' is not loopback: set HUB_TLS_CERT and HUB_TLS_KEY`,
      )
  for (const name of ['HUB_TLS_CERT', 'HUB_TLS_KEY'] as const) {
    const file = settings[name]
    if (file === undefined) continue
    try {
      accessSync(file, constants.R_OK)
    } catch {
      throw errors.configInvalid(`${name}: the file '${file}' cannot be read`)
    }
  }
}

/** The candidate with the fewest edits away from `name`, if that is at most a third of its length. */
export function nearestName(name: string, candidates: readonly string[]): string | undefined {
  const ranked = candidates
    .map((candidate) => ({ candidate, edits: editDistance(name, candidate) }))
    .toSorted((a, b) => a.edits - b.edits)
  const [best] = ranked
  return best && best.edits <= name.length / 3 ? best.candidate : undefined
}

/** Levenshtein distance: insertions, deletions and replacements between two words. */
function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, index) => index)
  for (const [i, letter] of Array.from(a).entries()) {
    const next = [i + 1]
    for (const [j, other] of Array.from(b).entries()) {
      const replaced = (row[j] ?? 0) + (letter === other ? 0 : 1)
      next.push(Math.min(replaced, (row[j + 1] ?? 0) + 1, (next[j] ?? 0) + 1))
    }
    row = next
  }
  return row[b.length] ?? 0
}
