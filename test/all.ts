import { spawn } from 'node:child_process'
import { mkdirSync, readFileSync, rmSync } from 'node:fs'
import { dirname, join, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { z } from 'zod'

// `npm test`: all checks and all tests. The last line counts them; a check counts as one test.
const root = resolve(dirname(fileURLToPath(import.meta.url)), '..')
const bin = (name: string) => join(root, 'node_modules/.bin', name)
const results = join(root, 'test/results')

/**
 * Two lanes of tests side by side: those that wait for servers, processes and browsers one file at a
 * time, and all others. One after the other they took 490 s of which the processors worked 320 s.
 */
const lanes = [
  { name: 'flows', projects: ['flows'] },
  { name: 'rooms', projects: ['hub', 'console'] },
] as const
const reportOf = (lane: string) => join(results, `vitest-${lane}.json`)

interface Step {
  name: string
  command: string
  args: string[]
  cwd?: string
}

interface Outcome {
  name: string
  ok: boolean
  seconds: number
  output: string
}

/** Checks that need no other: two at a time, since the reference machine has two cores. */
const checks: readonly (readonly Step[])[] = [
  [{ name: 'format', command: bin('oxfmt'), args: ['--check'] }],
  [{ name: 'lint', command: bin('oxlint'), args: ['--type-aware'] }],
  [{ name: 'types', command: bin('tsc'), args: ['-p', '.'] }],
  [
    { name: 'console set-up', command: bin('svelte-kit'), args: ['sync'], cwd: 'console' },
    {
      name: 'console types',
      command: bin('svelte-check'),
      args: ['--tsgo', '--tsconfig', './tsconfig.json'],
      cwd: 'console',
    },
  ],
]
const checksAtOnce = 2

const Report = z.object({
  numPassedTests: z.int(),
  numFailedTests: z.int(),
  numPendingTests: z.int(),
  numTodoTests: z.int(),
  testResults: z.array(z.object({ status: z.string(), assertionResults: z.array(z.unknown()) })),
})

const print = (line: string) => void process.stdout.write(`${line}\n`)

/** Runs a step; its output is kept and shown when it failed, or at once when `live`. */
function run({ name, command, args, cwd = '.' }: Step, live = false): Promise<Outcome> {
  const started = performance.now()
  const child = spawn(command, args, {
    cwd: join(root, cwd),
    stdio: ['ignore', live ? 'inherit' : 'pipe', live ? 'inherit' : 'pipe'],
    env: { ...process.env, FORCE_COLOR: process.stdout.isTTY ? '1' : '0' },
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr])
    stream?.setEncoding('utf8').on('data', (text: string) => (output += text))
  return new Promise((done) => {
    const end = (ok: boolean) =>
      done({ name, ok, seconds: (performance.now() - started) / 1000, output })
    child.once('error', (error) => {
      output += error.message
      end(false)
    })
    child.once('close', (code) => end(code === 0))
  })
}

function show({ name, ok, seconds, output }: Outcome) {
  const warnings = /Found (\d+) warnings?/.exec(output)?.[1]
  const noted = warnings && warnings !== '0' ? `, ${warnings} warnings` : ''
  print(
    `${ok ? 'ok    ' : 'FAILED'} ${name.padEnd(16)} ${seconds.toFixed(1).padStart(6)} s${noted}`,
  )
  if (!ok) print(output.trimEnd().split('\n').slice(-200).join('\n'))
}

/** Runs the checks, a few at a time; one row's steps follow each other. */
async function runChecks(): Promise<Outcome[]> {
  const outcomes: Outcome[] = []
  const left = [...checks]
  const worker = async () => {
    for (let row = left.shift(); row; row = left.shift())
      for (const step of row) {
        const outcome = await run(step)
        outcomes.push(outcome)
        show(outcome)
        if (!outcome.ok) break
      }
  }
  await Promise.all(Array.from({ length: checksAtOnce }, worker))
  return outcomes
}

/** Counts of one lane; a file that could not even be loaded counts as one failed test. */
function counts(lane: string) {
  const { testResults, ...numbers } = Report.parse(JSON.parse(readFileSync(reportOf(lane), 'utf8')))
  const unloaded = testResults.filter(
    ({ status, assertionResults }) => status === 'failed' && assertionResults.length === 0,
  ).length
  return {
    passed: numbers.numPassedTests,
    failed: numbers.numFailedTests + unloaded,
    skipped: numbers.numPendingTests + numbers.numTodoTests,
  }
}

/** Runs one lane and counts it. An error outside any test fails the lane without failing a test. */
async function runLane({ name, projects }: (typeof lanes)[number]) {
  const outcome = await run(
    {
      name: `tests: ${name}`,
      command: bin('vitest'),
      args: [
        'run',
        ...projects.flatMap((project) => ['--project', project]),
        '--reporter=default',
        '--reporter=json',
        `--outputFile.json=${reportOf(name)}`,
      ],
    },
    true,
  )
  let total = { passed: 0, failed: 1, skipped: 0 }
  try {
    total = counts(name)
  } catch (error) {
    print(`The lane '${name}' left no report: ${error instanceof Error ? error.message : ''}`)
  }
  if (!outcome.ok && total.failed === 0) total.failed = 1
  return { outcome, total }
}

async function main() {
  mkdirSync(results, { recursive: true })
  for (const { name } of lanes) rmSync(reportOf(name), { force: true })
  const outcomes = await runChecks()
  const ran = await Promise.all(lanes.map(runLane))
  for (const { outcome } of ran) show(outcome)
  const sum = (what: 'passed' | 'failed' | 'skipped') =>
    ran.reduce((all, { total }) => all + total[what], 0)
  const checksFailed = outcomes.filter(({ ok }) => !ok).length
  const failed = sum('failed') + checksFailed
  process.exitCode = failed > 0 ? 1 : 0
  print(
    `${sum('passed') + outcomes.length - checksFailed} passed, ${failed} failed, ${sum('skipped')} skipped`,
  )
}

await main()
