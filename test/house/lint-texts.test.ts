import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { projectRoot } from '../support/hub-process.ts'
import { sourceFiles } from '../support/source-files.ts'

const read = (file: string) => readFileSync(join(projectRoot, file), 'utf8')
const texts = sourceFiles().filter((file) =>
  /\.(ts|mjs|svelte|md|json|yaml|yml|html|css|npmrc|npmrc)$|Dockerfile$|\.ci\/run$/.test(file),
)

const linesWith = (pattern: RegExp, files = texts) =>
  files.flatMap((file) =>
    read(file)
      .split('\n')
      .flatMap((line, index) => (pattern.test(line) ? [`${file}:${index + 1}`] : [])),
  )

test('no file names a path of the machine it was written on', () => {
  expect(linesWith(/(^|[\s'"`(=:])\/(work|root|home\/[a-z]+|Users\/[A-Za-z]+)\//)).toEqual([])
})

test('the lockfile pins by hash and names no registry', () => {
  const lock = z
    .object({ packages: z.record(z.string(), z.object({ resolved: z.string().optional() })) })
    .parse(JSON.parse(read('package-lock.json')))
  const resolved = Object.entries(lock.packages).filter(([, entry]) => entry.resolved)
  expect(resolved).toEqual([])
  expect(linesWith(/registry\s*=/, ['.npmrc'])).toEqual([])
})

test('every direct dependency is pinned exactly', () => {
  const names = z.record(z.string(), z.string())
  const { dependencies, devDependencies } = z
    .object({ dependencies: names, devDependencies: names })
    .parse(JSON.parse(read('package.json')))
  const loose = Object.entries({ ...dependencies, ...devDependencies }).filter(
    ([, version]) => !/^(npm:[^@]+@)?\d+\.\d+\.\d+$/.test(version),
  )
  expect(loose).toEqual([])
})

test('no test is skipped, focused or left for later', () => {
  const weak = /\b(test|it|describe)\.(only|todo|skip)\(|expect\(true\)|\b(TO)DO\b|\b(FIX)ME\b/
  expect(
    linesWith(
      weak,
      texts.filter((file) => file.endsWith('.ts')),
    ),
  ).toEqual([])
})
