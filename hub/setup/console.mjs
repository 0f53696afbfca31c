import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, statSync, utimesSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { projectNode } from './packages.mjs'
import { SetupError, say } from './say.mjs'

const made = new Set(['dist', '.svelte-kit', 'node_modules'])

/** Builds the console when one of its sources is newer than the last build. */
export function buildConsole(root) {
  const folder = join(root, 'console')
  const stampFile = join(folder, 'dist/.built')
  const newest = Math.max(
    ...readdirSync(folder)
      .filter((name) => !made.has(name))
      .map((name) => newestIn(join(folder, name))),
    newestIn(join(root, 'hub/schema')),
    newestIn(join(root, 'package-lock.json')),
  )
  if (existsSync(stampFile) && statSync(stampFile).mtimeMs >= newest) return
  say('building the console ...')
  const started = new Date()
  const { status, error } = spawnSync(
    projectNode(root),
    [join(root, 'node_modules/vite/bin/vite.js'), 'build', '--logLevel', 'warn'],
    { cwd: folder, stdio: ['ignore', 2, 2] },
  )
  if (error || status !== 0) throw new SetupError('The console did not build, see above.')
  // What changed while it was building is newer than the stamp and builds again next time.
  writeFileSync(stampFile, '')
  utimesSync(stampFile, started, started)
  say(`console built in ${Math.round((Date.now() - started) / 1000)} s`)
}

/** Newest change below a path, epoch ms; a folder's own time tells of a removed file. */
function newestIn(path) {
  const stat = statSync(path)
  if (!stat.isDirectory()) return stat.mtimeMs
  return Math.max(stat.mtimeMs, ...readdirSync(path).map((name) => newestIn(join(path, name))))
}
