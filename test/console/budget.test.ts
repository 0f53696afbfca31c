// @vitest-environment node
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { beforeAll, expect, test } from 'vitest'

const consoleDir = fileURLToPath(new URL('../../console/', import.meta.url))
const app = join(consoleDir, 'dist/_app/immutable')
/** gzip bytes */
const budget = { js: 90_000, css: 12_000 }

beforeAll(() => {
  if (existsSync(app)) return
  execFileSync(join(consoleDir, '../node_modules/.bin/vite'), ['build'], { cwd: consoleDir })
}, 120_000)

const fileIn = (folder: string, name: RegExp) => {
  const found = readdirSync(join(app, folder)).find((file) => name.test(file))
  if (!found) throw new Error(`no ${name} in ${folder}`)
  return join(app, folder, found)
}

/** A file and everything it imports before it runs; `import()` is not followed. */
function closure(entries: readonly string[], seen = new Set<string>()): Set<string> {
  for (const file of entries) {
    if (seen.has(file)) continue
    seen.add(file)
    const source = readFileSync(file, 'utf8')
    const imports = [...source.matchAll(/(?:from|import)\s*["'](\.[^"']+\.js)["']/g)]
    closure(
      imports.map(([, path = '']) => join(file, '..', path)),
      seen,
    )
  }
  return seen
}

/** Scripts and styles the duty screen loads before it stands: the entry, the frame and its route. */
function firstScreen() {
  const entry = fileIn('entry', /^app\..*\.js$/)
  const source = readFileSync(entry, 'utf8')
  const route = /"\/s\/\[scope\]":\[(\d+),\[([\d,]*)\]\]/.exec(source)
  if (!route) throw new Error('the route of the duty screen is not where it was')
  const nodes = ['0', route[1], ...(route[2] ?? '').split(',')].filter(Boolean)
  const start = fileIn('entry', /^start\..*\.js$/)
  const kit = [...readFileSync(start, 'utf8').matchAll(/import\([`"'](\.[^`"']+\.js)[`"']\)/g)]
  const scripts = closure([
    entry,
    start,
    ...kit.map(([, path = '']) => join(start, '..', path)),
    ...nodes.map((node) => fileIn('nodes', new RegExp(`^${node}\\.`))),
  ])
  const map = /m\.f=\[([^\]]*)\]/.exec(source)?.[1] ?? ''
  const files = [...map.matchAll(/"([^"]+)"/g)].map(([, path = '']) => path)
  const styles = new Set<string>()
  for (const node of nodes) {
    const calls = [
      ...source.matchAll(
        /import\([`"']\.\.\/nodes\/(\d+)\.[^)]*\),__vite__mapDeps\(\[([\d,]*)\]\)/g,
      ),
    ]
    const needs = calls.find(([, number]) => number === node)?.[2] ?? ''
    for (const at of needs.split(',')) {
      const file = files[Number(at)]
      if (at && file?.endsWith('.css')) styles.add(join(consoleDir, 'dist', file))
    }
  }
  return { scripts, styles }
}

const gzipOf = (files: Iterable<string>) =>
  [...files].reduce((sum, file) => sum + gzipSync(readFileSync(file)).length, 0)

test('the first screen costs at most 90 kB of script and 12 kB of style', () => {
  const { scripts, styles } = firstScreen()
  const js = gzipOf(scripts)
  const css = gzipOf(styles)
  process.stdout.write(
    `first screen: ${js} B script in ${scripts.size} files, ${css} B style (gzip)\n`,
  )
  expect(scripts.size).toBeGreaterThan(5)
  expect(styles.size).toBeGreaterThan(1)
  expect(js).toBeLessThanOrEqual(budget.js)
  expect(css).toBeLessThanOrEqual(budget.css)
})

test('map, player and the schemas stay out of the first screen', () => {
  const { scripts } = firstScreen()
  for (const file of scripts) {
    const source = readFileSync(file, 'utf8')
    expect(source.includes('leaflet-container'), file).toBe(false)
    expect(source.includes('ZodError'), file).toBe(false)
    expect(source.includes('addSourceBuffer'), file).toBe(false)
  }
})
