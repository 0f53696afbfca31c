import { readFileSync } from 'node:fs'
import { dirname, join, normalize } from 'node:path'
import ts from 'typescript'
import { describe, expect, test } from 'vitest'
import { projectRoot } from '../support/hub-process.ts'
import { sourceFiles } from '../support/source-files.ts'

/** Rooms in the order they are looked up: the first whose path begins a file's is its own. */
const mayImport: readonly (readonly [room: string, rooms: readonly string[]])[] = [
  ['hub/setup', []],
  ['hub/schema', []],
  ['hub/errors.ts', []],
  ['hub/rules', ['hub/schema', 'hub/errors.ts']],
  ['hub/store', ['hub/rules', 'hub/schema', 'hub/errors.ts']],
  ['hub/bus', ['hub/store', 'hub/rules', 'hub/schema', 'hub/errors.ts']],
  ['hub/audit', ['hub/store', 'hub/rules', 'hub/schema', 'hub/errors.ts']],
  ['hub/intake', ['devices']],
  ['hub/media', []],
  ['hub/sink', []],
  ['hub/web', []],
  // main, supervisor, role and what they are made of: the frame around the rooms.
  ['hub/commands', ['hub']],
  ['hub/', ['hub']],
  ['devices', ['hub/schema']],
  ['simulators', ['devices', 'hub/schema']],
  ['console', ['hub/schema']],
  ['docker', []],
  ['test', ['']],
  ['vitest.config.ts', []],
]
/** What every role may use beside its own room. */
const roleRooms = ['hub/store', 'hub/bus', 'hub/audit', 'hub/rules', 'hub/schema', 'hub/errors.ts']
const roles = new Set(['hub/intake', 'hub/media', 'hub/sink', 'hub/web'])

const roomOf = (file: string) => mayImport.find(([room]) => file.startsWith(room))?.[0]

function allowed(room: string): readonly string[] {
  const listed = mayImport.find(([name]) => name === room)?.[1] ?? []
  return [room, ...listed, ...(roles.has(room) ? roleRooms : [])]
}

const inRoom = (file: string, room: string) =>
  room === '' || file === room || file.startsWith(room.endsWith('/') ? room : `${room}/`)

/** Script parts of a Svelte component, or the file itself. */
function scriptOf(file: string): string {
  const text = readFileSync(join(projectRoot, file), 'utf8')
  if (!file.endsWith('.svelte')) return text
  return [...text.matchAll(/<script[^>]*>([\s\S]*?)<\/script>/g)].map(([, body]) => body).join('\n')
}

/** Every import, export-from, type import and dynamic import of a file, as written. */
const importsOf = (file: string) =>
  ts.preProcessFile(scriptOf(file), true, true).importedFiles.map(({ fileName }) => fileName)

/** Path inside the project; undefined for packages and for what the console's build provides. */
function resolveImport(from: string, specifier: string): string | undefined {
  if (specifier.startsWith('#schema/')) return specifier.replace('#schema/', 'hub/schema/')
  if (specifier.startsWith('$lib/')) return specifier.replace('$lib/', 'console/src/lib/')
  if (specifier.startsWith('.')) return normalize(join(dirname(from), specifier))
  return undefined
}

const code = sourceFiles().filter((file) => /\.(ts|mjs|svelte)$/.test(file))
const edges = code.flatMap((from) =>
  importsOf(from).map((specifier) => ({ from, specifier, to: resolveImport(from, specifier) })),
)

test('the walk finds the code', () => {
  expect(code.length).toBeGreaterThan(100)
  expect(code).toContain('hub/supervisor.ts')
  expect(edges.length).toBeGreaterThan(300)
  // A dynamic import and an alias are seen, too.
  expect(edges).toContainEqual(
    expect.objectContaining({ from: 'hub/start-role.ts', to: 'hub/web/role.ts' }),
  )
})

test('every file has a room', () => {
  expect(code.filter((file) => roomOf(file) === undefined)).toEqual([])
})

test('a room imports only the rooms of the table', () => {
  const wrong = edges.filter(({ from, to }) => {
    const room = roomOf(from)
    return to !== undefined && room && !allowed(room).some((other) => inRoom(to, other))
  })
  expect(wrong.map(({ from, to }) => `${from} -> ${to}`)).toEqual([])
})

test('hub/schema and hub/errors use no package but zod', () => {
  const wrong = edges.filter(
    ({ from, specifier, to }) =>
      /^hub\/(schema\/|errors\.ts)/.test(from) && to === undefined && specifier !== 'zod',
  )
  expect(wrong).toEqual([])
})

test('the set-up script uses no package at all', () => {
  const wrong = edges.filter(
    ({ from, specifier, to }) =>
      from.startsWith('hub/setup') && to === undefined && !specifier.startsWith('node:'),
  )
  expect(wrong).toEqual([])
})

test('no two files import each other in a circle', () => {
  const next = Map.groupBy(
    edges.filter(({ to }) => to !== undefined),
    ({ from }) => from,
  )
  const done = new Set<string>()
  const circles: string[] = []
  function walk(file: string, path: readonly string[]) {
    const seenAt = path.indexOf(file)
    if (seenAt >= 0) circles.push([...path.slice(seenAt), file].join(' -> '))
    if (seenAt >= 0 || done.has(file)) return
    for (const { to } of next.get(file) ?? []) if (to) walk(to, [...path, file])
    done.add(file)
  }
  for (const file of code) walk(file, [])
  expect(circles).toEqual([])
})

test('every import inside the project names a file that exists', () => {
  const known = new Set(sourceFiles())
  const missing = edges.filter(
    ({ to, specifier }) => to && !specifier.includes('$types') && !known.has(to),
  )
  expect(missing.map(({ from, to }) => `${from} -> ${to}`)).toEqual([])
})

describe('form', () => {
  test('no file of code has more than 500 lines', () => {
    const long = code
      .map((file) => ({ file, lines: linesOf(file) }))
      .filter(({ lines }) => lines > 500)
    expect(long).toEqual([])
  })

  test('no function has more than 110 lines of its own', () => {
    const long = code
      .filter((file) => !file.startsWith('test/'))
      .flatMap((file) => functionsOf(file).filter(({ lines }) => lines > 110))
    expect(long).toEqual([])
  })

  test('nothing has the type any', () => {
    expect(code.filter((file) => usesAny(parse(file)))).toEqual([])
  })

  test('no component writes raw HTML', () => {
    const raw = code.filter(
      (file) =>
        file.endsWith('.svelte') &&
        readFileSync(join(projectRoot, file), 'utf8').includes('{@html'),
    )
    expect(raw).toEqual([])
  })

  test('file names are kebab-case, components PascalCase', () => {
    const odd = code.filter((file) => {
      const name = file.split('/').at(-1) ?? ''
      if (file.startsWith('console/src/routes/')) return false
      return file.endsWith('.svelte')
        ? !/^[A-Z][A-Za-z0-9]*\.svelte$/.test(name)
        : !/^[a-z0-9]+(-[a-z0-9]+)*(\.[a-z]+)*\.(ts|mjs)$/.test(name)
    })
    expect(odd).toEqual([])
  })
})

const linesOf = (file: string) =>
  readFileSync(join(projectRoot, file), 'utf8').trimEnd().split('\n').length

const parse = (file: string) =>
  ts.createSourceFile(file, scriptOf(file), ts.ScriptTarget.Latest, true)

/**
 * Functions with their own lines: those of functions inside them are not counted, so that a closure
 * over ten short functions is not one long function.
 */
function functionsOf(file: string) {
  const source = parse(file)
  const lineAt = (position: number) => source.getLineAndCharacterOfPosition(position).line
  const found: { file: string; line: number; lines: number }[] = []
  /** Lines of the functions directly inside `node`. */
  const visit = (node: ts.Node): number => {
    let inner = 0
    ts.forEachChild(node, (child) => void (inner += visit(child)))
    if (!ts.isFunctionLike(node)) return inner
    const lines = lineAt(node.getEnd()) - lineAt(node.getStart()) + 1
    found.push({ file, line: lineAt(node.getStart()) + 1, lines: lines - inner })
    // A one-line function leaves its line to the one around it.
    return lines - 1
  }
  visit(source)
  return found
}

const usesAny = (node: ts.Node): boolean =>
  node.kind === ts.SyntaxKind.AnyKeyword || ts.forEachChild(node, usesAny) === true
