import { spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { chmodSync, existsSync, mkdirSync, readFileSync, utimesSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { projectRoot, temporaryFolder } from '../support/hub-process.ts'

const script = join(projectRoot, 'hub/setup.mjs')

/** A small clone: the set-up scripts, a lockfile of one package, a console that builds with one line. */
function clone() {
  const folder = temporaryFolder('setup')
  const root = join(folder.path, 'project')
  const put = (path: string, text: string, mode = 0o644) => {
    mkdirSync(join(root, path, '..'), { recursive: true })
    writeFileSync(join(root, path), text, { mode })
  }
  for (const file of ['steps', 'say', 'packages', 'console', 'tools'].map(
    (name) => `setup/${name}`,
  ))
    put(`hub/${file}.mjs`, readFileSync(join(projectRoot, `hub/${file}.mjs`), 'utf8'))
  put('hub/setup.mjs', readFileSync(script, 'utf8'))
  put('hub/schema/one.ts', '')
  put('console/src/app.html', '')
  const lock = (version: string) =>
    put('package-lock.json', JSON.stringify({ packages: { 'node_modules/node': { version } } }))
  lock('24.1.0')
  // Stands for npm: notes how it was called and installs the one package.
  const bin = join(folder.path, 'bin')
  mkdirSync(bin)
  const npm = `#!/bin/sh
echo "$*" >> ${root}/npm-calls
[ -f ${root}/npm-fails ] && exit 1
rm -rf node_modules && mkdir -p node_modules/node/bin node_modules/vite/bin
version=$(sed 's/.*version":"\\([0-9.]*\\)".*/\\1/' package-lock.json)
cp package-lock.json node_modules/.package-lock.json
printf '#!/bin/sh\\nif [ "$1" = --version ]; then echo v%s; else mkdir -p dist; echo built >> dist/builds; fi\\n' $version > node_modules/node/bin/node
chmod +x node_modules/node/bin/node
`
  writeFileSync(join(bin, 'npm'), npm, { mode: 0o755 })
  const lines = (path: string) =>
    existsSync(join(root, path)) ? readFileSync(join(root, path), 'utf8').trim().split('\n') : []
  return {
    root,
    put,
    lock,
    calls: () => lines('npm-calls'),
    builds: () => lines('console/dist/builds').length,
    run: (purpose: string) =>
      spawnSync(process.execPath, [join(root, 'hub/setup.mjs'), purpose], {
        cwd: root,
        encoding: 'utf8',
        env: { ...process.env, PATH: `${bin}${delimiter}${process.env['PATH']}` },
      }),
    [Symbol.dispose]: () => folder[Symbol.dispose](),
  }
}

describe('packages', () => {
  test('are installed from the lockfile when missing, and then left alone', () => {
    using project = clone()
    const first = project.run('simulate')
    expect(first).toMatchObject({ status: 0, stdout: '' })
    expect(first.stderr).toContain('installing the locked packages')
    expect(project.calls()).toEqual(['ci --no-audit --no-fund --loglevel=error'])
    expect(project.run('simulate')).toMatchObject({ status: 0, stdout: '', stderr: '' })
    expect(project.calls()).toHaveLength(1)
  })

  test('are installed again when the lockfile names another version', () => {
    using project = clone()
    project.run('simulate')
    project.lock('24.2.0')
    expect(project.run('simulate').status).toBe(0)
    expect(project.calls()).toHaveLength(2)
  })

  test('that somebody installed by hand are taken when they are those of the lockfile', () => {
    using project = clone()
    project.run('simulate')
    const stamp = join(project.root, 'node_modules/.setup-stamp')
    writeFileSync(stamp, 'of another lockfile')
    expect(project.run('simulate')).toMatchObject({ status: 0, stderr: '' })
    expect(project.calls()).toHaveLength(1)
    const lock = readFileSync(join(project.root, 'package-lock.json'))
    expect(readFileSync(stamp, 'utf8')).toBe(createHash('sha256').update(lock).digest('hex'))
  })

  test('that do not install end the command with one last sentence', () => {
    using project = clone()
    project.put('npm-fails', '')
    const { status, stderr } = project.run('simulate')
    expect(status).toBe(1)
    expect(stderr.trim().split('\n').at(-1)).toMatch(/^'npm ci' failed, see above: /)
  })

  test('whose own Node is another version are mended by a rebuild', () => {
    using project = clone()
    project.run('simulate')
    const node = join(project.root, 'node_modules/node/bin/node')
    writeFileSync(node, '#!/bin/sh\necho v20.0.0\n')
    chmodSync(node, 0o755)
    writeFileSync(join(project.root, 'node_modules/.setup-stamp'), '')
    // The stand-in for npm installs it anew at `rebuild`, as npm would.
    expect(project.run('simulate').status).toBe(0)
    expect(project.calls().at(-1)).toBe('rebuild node --ignore-scripts=false')
  })
})

describe('the console', () => {
  test('is built when it never was, and again when a source is newer', () => {
    using project = clone()
    expect(project.run('start').stderr).toContain('building the console')
    expect(project.builds()).toBe(1)
    project.run('start')
    expect(project.builds()).toBe(1)
    for (const source of ['console/src/app.html', 'hub/schema/one.ts']) {
      const soon = new Date(Date.now() + 60_000)
      utimesSync(join(project.root, 'console/dist/.built'), new Date(), new Date())
      utimesSync(join(project.root, source), soon, soon)
      project.run('start')
      const past = new Date(Date.now() - 60_000)
      utimesSync(join(project.root, source), past, past)
    }
    expect(project.builds()).toBe(3)
  })

  test('is not needed to simulate', () => {
    using project = clone()
    project.run('simulate')
    expect(project.builds()).toBe(0)
  })
})

test.each(['14.21.3', '16.20.2', '17.9.1'])('Node %s is refused in one sentence', (version) => {
  const pretend = `data:text/javascript,Object.defineProperty(process,'versions',{value:{node:'${version}'}})`
  const { status, stderr } = spawnSync(process.execPath, ['--import', pretend, script, 'demo'], {
    encoding: 'utf8',
  })
  expect(status).toBe(1)
  expect(stderr).toBe(`Node ${version} is too old: install Node 18 or newer and try again.\n`)
})

test('the file an old Node reads has no syntax newer than Node 12', () => {
  const text = readFileSync(script, 'utf8')
  expect(text).not.toMatch(/\?\?|\?\.|\bawait\b|^import /m)
})

test('an unknown purpose is refused with the known ones', () => {
  const { status, stderr } = spawnSync(process.execPath, [script, 'dance'], { encoding: 'utf8' })
  expect({ status, stderr }).toEqual({
    status: 1,
    stderr: 'Usage: node hub/setup.mjs demo|start|test|simulate\n',
  })
})
