import { existsSync, globSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { expect, test } from 'vitest'

/**
 * The floor is Chrome 109, the last Chromium on Windows 7: many duty rooms have nothing newer. The
 * build lowers syntax; built-ins and CSS it leaves as they are, so newer ones are refused here.
 */
const root = fileURLToPath(new URL('../../', import.meta.url))

/** Built-ins by the version of Chrome that brought them. */
const newBuiltIns: readonly [number, RegExp][] = [
  [110, /\.(toSorted|toReversed|toSpliced)\(/],
  [110, /\b(?:\w+Array|Array\.prototype)\b[^\n]*\.with\(/],
  [111, /\.startViewTransition\(/],
  [114, /\.(showPopover|hidePopover|togglePopover)\(/],
  [114, /\bscrollend\b/],
  [115, /\bScrollTimeline\b|\bViewTimeline\b/],
  [116, /\bAbortSignal\.any\(/],
  [117, /\b(Object|Map)\.groupBy\(/],
  [118, /\bdocumentPictureInPicture\b/],
  [119, /\bPromise\.withResolvers\(/],
  [120, /\bURL\.canParse\(/],
  [121, /\bArray\.fromAsync\(/],
  [122, /\bnew Set\([^)]*\)\.(union|intersection|difference|isSubsetOf)\(/],
  [122, /\bIterator\.from\(|\.values\(\)\.(map|filter|take|drop)\(/],
  [126, /\bURL\.parse\(/],
  [128, /\bPromise\.try\(/],
  [129, /\bIntl\.DurationFormat\b/],
  [129, /\bscheduler\.yield\(/],
  [136, /\bRegExp\.escape\(/],
  [140, /\.(toBase64|toHex)\(\)|\bUint8Array\.fromBase64\(/],
]

/** CSS by the version of Chrome that brought it. */
const newCss: readonly [number, RegExp][] = [
  [111, /\bcolor-mix\(/],
  [111, /\b(oklch|oklab|lch|lab|color)\(/],
  [111, /\b(sin|cos|tan|asin|acos|atan2?|pow|sqrt|hypot|log|exp)\(/],
  [112, /(^|[\s;{])&\s*[.:[>+~a-z]/],
  [114, /\[popover\]|:popover-open/],
  [114, /\btext-wrap\s*:/],
  [115, /\banimation-timeline\s*:|\bscroll-timeline/],
  [117, /\bsubgrid\b/],
  [117, /@starting-style/],
  [118, /@scope\b/],
  [123, /\blight-dark\(/],
  [123, /\bfield-sizing\s*:/],
  [125, /\b(round|mod|rem)\(/],
  [125, /\banchor\(|\bposition-anchor\b/],
  [129, /\binterpolate-size\b|\bcalc-size\(/],
  [133, /:open\b/],
  [137, /\bif\(/],
]

const own = globSync('console/src/**/*.{ts,svelte,css}', { cwd: root })
const built = existsSync(`${root}console/dist`)
  ? globSync('console/dist/_app/**/*.css', { cwd: root })
  : []

const styleOf = (path: string, source: string) => {
  if (path.endsWith('.css')) return source
  return [...source.matchAll(/<style[^>]*>([\s\S]*?)<\/style>/g)].map(([, css]) => css).join('\n')
}
const withoutComments = (source: string) =>
  source.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[^:])\/\/[^\n]*/g, '$1')

function refuse(paths: readonly string[], rules: typeof newCss, part: typeof styleOf) {
  return paths.flatMap((path) => {
    const source = part(path, withoutComments(readFileSync(`${root}${path}`, 'utf8')))
    return rules.flatMap(([version, rule]) => {
      const hit = rule.exec(source)
      return hit ? [`${path}: ${hit[0].trim()} needs Chrome ${version}`] : []
    })
  })
}

test('no built-in is newer than Chrome 109', () => {
  const scripts = own.filter((path) => !path.endsWith('.css'))
  expect(scripts.length).toBeGreaterThan(40)
  expect(refuse(scripts, newBuiltIns, (_path, source) => source)).toEqual([])
})

test('no CSS is newer than Chrome 109, neither as written nor as built', () => {
  expect(
    refuse([...own.filter((path) => !path.endsWith('.ts')), ...built], newCss, styleOf),
  ).toEqual([])
})

test.each([
  ['[3, 1].toSorted()', newBuiltIns],
  ['await Array.fromAsync(rows)', newBuiltIns],
  ['AbortSignal.any([a, b])', newBuiltIns],
  ['.a { color: color-mix(in srgb, red, blue) }', newCss],
  ['.a { &:hover { color: red } }', newCss],
  ['.a { color: oklch(50% 0 0) }', newCss],
])('the list sees %s', (source, rules) => {
  expect(rules.some(([, rule]) => rule.test(source))).toBe(true)
})
