import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { SetupError, say } from './say.mjs'

/** The project's own Node: the npm package `node`, the same for every machine. */
export const projectNode = (root) => join(root, 'node_modules/node/bin/node')

/** Runs `npm ci` when the packages are missing or not those of the lockfile. */
export function installPackages(root) {
  const lock = readFileSync(join(root, 'package-lock.json'))
  const stampFile = join(root, 'node_modules/.setup-stamp')
  const stamp = createHash('sha256').update(lock).digest('hex')
  if (read(stampFile) === stamp && existsSync(projectNode(root))) return
  if (!samePackages(root, JSON.parse(lock)) || !existsSync(projectNode(root))) {
    say('installing the locked packages; a first run downloads about 120 MB ...')
    const started = Date.now()
    // Pages of warnings that npm runs on an older Node than the packages do would only frighten.
    runNpm(root, ['ci', '--no-audit', '--no-fund', '--loglevel=error'])
    say(`packages installed in ${Math.round((Date.now() - started) / 1000)} s`)
  }
  checkNode(root, JSON.parse(lock).packages['node_modules/node'].version)
  writeFileSync(stampFile, stamp)
}

const read = (file) => (existsSync(file) ? readFileSync(file, 'utf8') : undefined)

/** True when npm's own record of what it installed names the versions of the lockfile. */
function samePackages(root, lock) {
  const record = read(join(root, 'node_modules/.package-lock.json'))
  if (!record) return false
  const installed = JSON.parse(record).packages
  return Object.entries(lock.packages).every(([path, wanted]) => {
    if (path === '') return true
    const found = installed[path]
    // Packages for other systems are left out by npm.
    return found ? found.version === wanted.version : wanted.optional || wanted.devOptional
  })
}

/** npm must not run on the Node inside node_modules: `npm ci` removes that one first. */
function runNpm(root, args) {
  const PATH = process.env.PATH.split(delimiter)
    .filter((folder) => !folder.includes('node_modules'))
    .join(delimiter)
  const inherited = Object.entries(process.env).filter(
    ([name]) => !/^npm_(package|lifecycle|node|command|execpath)/.test(name) && name !== 'NODE',
  )
  const { status, error } = spawnSync('npm', args, {
    cwd: root,
    env: { ...Object.fromEntries(inherited), PATH },
    stdio: ['ignore', 2, 2],
  })
  if (error) throw new SetupError('npm is not on the PATH: install it (it comes with Node).')
  if (status !== 0)
    throw new SetupError(
      `'npm ${args[0]}' failed, see above: check the network and the free disk space, then try again.`,
    )
}

/** npm may be set to run no install script; the package `node` needs its own. */
function checkNode(root, version) {
  const answers = () => spawnSync(projectNode(root), ['--version']).stdout?.toString().trim()
  if (answers() === `v${version}`) return
  say(`fetching Node ${version} ...`)
  runNpm(root, ['rebuild', 'node', '--ignore-scripts=false'])
  if (answers() !== `v${version}`)
    throw new SetupError(
      `Node ${version} did not get installed: allow install scripts for the package 'node' and try again.`,
    )
}
