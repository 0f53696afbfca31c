import { globSync, readFileSync } from 'node:fs'
import { relative } from 'node:path'
import { fileURLToPath } from 'node:url'
import { parse, type AST } from 'svelte/compiler'
import { expect, test } from 'vitest'

const root = fileURLToPath(new URL('../../', import.meta.url))
const files = globSync('console/src/**/*.svelte', { cwd: root }).map((path) => `${root}${path}`)

interface Node {
  type: string
  start: number
  [key: string]: unknown
}

/** Every node of a component's markup, in any nesting, without those inside the types in `skip`. */
function* nodesOf(value: unknown, skip: readonly string[]): Generator<Node> {
  if (Array.isArray(value)) for (const each of value) yield* nodesOf(each, skip)
  else if (typeof value === 'object' && value !== null) {
    const typed = 'type' in value && typeof value.type === 'string'
    if (typed && skip.includes(String(value.type))) return
    if (typed) yield value as Node
    for (const each of Object.values(value))
      if (typeof each === 'object') yield* nodesOf(each, skip)
  }
}

const fragmentOf = (source: string): AST.Fragment => parse(source, { modern: true }).fragment

/** `file:line` of the markup nodes that break a rule; nodes of the types in `skip` are not entered. */
function found(breaks: (node: Node) => boolean, ...skip: string[]): string[] {
  return files.flatMap((file) => {
    const source = readFileSync(file, 'utf8')
    return [...nodesOf(fragmentOf(source), skip)]
      .filter(breaks)
      .map(({ start }) => `${relative(root, file)}:${source.slice(0, start).split('\n').length}`)
  })
}

test('there are components to look at', () => {
  expect(files.length).toBeGreaterThan(20)
})

test('every {#each} has a key: without one a row keeps the state of its neighbour', () => {
  expect(found(({ type, key }) => type === 'EachBlock' && !key)).toEqual([])
})

test('no {@html}: what a device sends is text, never markup', () => {
  expect(found(({ type }) => type === 'HtmlTag')).toEqual([])
})

test('no other door to markup: innerHTML and its kin, or a string handed to Leaflet', () => {
  const doors =
    /\b(innerHTML|outerHTML|insertAdjacentHTML|document\.write|createContextualFragment)\b|\b(bindTooltip|bindPopup|setTooltipContent|setPopupContent|setContent)\((?!plainText\()|\bdivIcon\(/
  const sources = globSync('console/src/**/*.{svelte,ts}', { cwd: root })
  expect(sources.length).toBeGreaterThan(60)
  expect(sources.filter((path) => doors.test(readFileSync(`${root}${path}`, 'utf8')))).toEqual([])
})

test('every word on screen comes from the texts', () => {
  const isWord = ({ type, data }: Node) =>
    type === 'Text' && /\p{Script=Han}|[A-Za-z]{2,}/u.test(String(data))
  expect(found(isWord, 'Attribute', 'StyleDirective')).toEqual([])
})

test('no words are written into labels, titles and placeholders', () => {
  const spoken = new Set(['aria-label', 'title', 'placeholder', 'alt'])
  const isWord = (value: unknown): boolean =>
    Array.isArray(value) &&
    value.some(
      (part: Node) =>
        part.type === 'Text' && /\p{Script=Han}{2,}|[A-Za-z]{4,}/u.test(String(part['data'])),
    )
  expect(
    found(
      ({ type, name, value }) => type === 'Attribute' && spoken.has(String(name)) && isWord(value),
    ),
  ).toEqual([])
})
