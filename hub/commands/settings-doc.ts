import { writeFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'
import { Settings } from '../schema/settings.ts'
import { readArgs, type Command } from './command.ts'

const file = fileURLToPath(new URL('../../docs/settings.md', import.meta.url))

/** `docs/settings.md` as it must be: one row per setting, from the schema's own words. */
export function settingsDoc(): string {
  const defaults: Record<string, string | number | undefined> = Settings.parse({})
  const { properties = {} } = z.toJSONSchema(Settings, { io: 'output' })
  const rows = Object.entries(properties).map(([name, property]) => {
    if (typeof property === 'boolean') throw new Error(`${name} has no shape`)
    const standard = defaults[name]
    const shown = standard === undefined || standard === '' ? '-' : `\`${standard}\``
    return `| \`${name}\` | ${shown} | ${valuesOf(property)} | ${property.description} |`
  })
  return `# Settings

Every setting is an environment variable, or the same key in \`hub.yaml\` in the working folder (or in the
file that \`HUB_CONFIG\` names). The environment wins; an empty value counts as not set; an unknown
\`HUB_*\` name and a wrong value are refused at the start in one sentence. Relative paths are looked up
from the working folder.

This table is made by \`npm run hub -- settings-doc\` from \`hub/schema/settings.ts\`.

| setting | default | values | what it does |
| --- | --- | --- | --- |
${rows.join('\n')}
`
}

type Property = Exclude<z.core.JSONSchema.JSONSchema['properties'], undefined>[string]

function valuesOf(property: Exclude<Property, boolean>): string {
  if (property.enum) return property.enum.map((value) => `\`${String(value)}\``).join(', ')
  if (property.type === 'integer') return `whole number ${property.minimum} to ${property.maximum}`
  if (property.format === 'uri') return 'address'
  return property.minLength && property.minLength > 1
    ? `text of at least ${property.minLength} characters`
    : 'text'
}

export const settingsDocCommand: Command = {
  name: 'settings-doc',
  takes: '',
  summary: 'write docs/settings.md from the settings schema (for developers)',
  async run(args, print) {
    readArgs(this, args, {}, 0)
    writeFileSync(file, settingsDoc())
    print('docs/settings.md written')
  },
}
