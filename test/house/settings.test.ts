import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { settingsDoc } from '../../hub/commands/settings-doc.ts'
import { Settings } from '../../hub/schema/settings.ts'
import { projectRoot } from '../support/hub-process.ts'
import { sourceFiles } from '../support/source-files.ts'

const read = (file: string) => readFileSync(join(projectRoot, file), 'utf8')

test('docs/settings.md is what the schema says (npm run hub -- settings-doc)', () => {
  expect(read('docs/settings.md')).toBe(settingsDoc())
})

test('every HUB_ name in docs and docker is a setting', () => {
  const known = new Set([...Object.keys(Settings.shape), 'HUB_CONFIG'])
  const texts = sourceFiles().filter((file) => /^(docs|docker)\/|^README/.test(file))
  const unknown = texts.flatMap((file) =>
    // Names with a star stand for all of them.
    [...read(file).matchAll(/\bHUB_[A-Z_]+(?!\*)\b/g)]
      .map(([name]) => name)
      .filter((name) => !known.has(name) && !name.endsWith('_'))
      .map((name) => `${file}: ${name}`),
  )
  expect(unknown).toEqual([])
})

test('only hub/config.ts reads the environment', () => {
  const readers = sourceFiles().filter(
    (file) =>
      /^(hub|devices|console\/src)\/.*\.ts$/.test(file) && /process\.env\b/.test(read(file)),
  )
  // The fork passes the environment on without any HUB_ name; the demo adds its defaults to it.
  expect(readers.toSorted()).toEqual([
    'hub/commands/demo.ts',
    'hub/config.ts',
    'hub/role-process.ts',
  ])
})
