import { spawnSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { expect, test, vi } from 'vitest'
import { sqliteAlarms } from '../../hub/store/sqlite-alarms.ts'
import { sqliteAudit } from '../../hub/store/sqlite-audit.ts'
import { sqliteMetrics } from '../../hub/store/sqlite-metrics.ts'
import { county, edge } from '../support/store-alarms.ts'
import { temporaryDir } from '../support/store-places.ts'
import { storeProcess } from '../support/store-process.ts'

// Each test starts processes of its own; a busy machine takes seconds for one.
vi.setConfig({ testTimeout: 60_000 })

const patient = { busyTimeoutMs: 10_000 }

test('four processes open one new file at once, and migrate it once', async () => {
  const file = join(temporaryDir(), 'alarms.db')
  const openers = [1, 2, 3, 4].map(() => storeProcess('open', file, 0))
  const said = await Promise.all(openers.map((each) => each.ended()))
  expect(said).toEqual([[0], [0], [0], [0]])
})

test('four processes make one key at once, and agree on a whole one', async () => {
  const file = join(temporaryDir(), 'seal.key')
  const makers = [1, 2, 3, 4].map(() => storeProcess('seal', file, 0))
  const keys = (await Promise.all(makers.map((each) => each.ended()))).flat()
  expect(new Set(keys).size).toBe(1)
  expect(keys[0]).toMatch(/^[0-9a-f]{64}$/)
  expect(readdirSync(dirname(file))).toEqual(['seal.key'])
})

test('two processes take 100 alarms: each alarm has one owner, and each owner knows his own', async () => {
  const file = join(temporaryDir(), 'alarms.db')
  const store = await sqliteAlarms(file, patient)
  store.accept(
    Array.from({ length: 100 }, (_, n) => edge({ deviceId: `contact-${n}` })),
    [],
  )
  const people = ['wang', 'li'].map((name) => storeProcess('acknowledge', file, 0, name))
  const taken = await Promise.all(people.map((each) => each.ended()))
  for (const [index, name] of ['wang', 'li'].entries())
    for (const id of taken[index]?.slice(1) ?? [])
      expect(store.get(String(id))?.acknowledgedBy).toBe(name)
  expect((taken[0]?.length ?? 0) + (taken[1]?.length ?? 0)).toBe(102)
  // 100 raised, 100 taken: no change was lost and no number given twice.
  expect(store.lastChange()).toBe(200)
  expect(store.list({ regions: county, states: ['ack-active'], limit: 500 })).toHaveLength(100)
  store.close()
})

test('intake accepts beside a process that writes: both are whole', async () => {
  const file = join(temporaryDir(), 'alarms.db')
  const writers = ['contact-a', 'contact-b'].map((name) => storeProcess('accept', file, 150, name))
  await Promise.all(writers.map((each) => each.ended()))
  const store = await sqliteAlarms(file, patient)
  const counts = store.list({ regions: county, limit: 9 }).map(({ count }) => count)
  expect(counts).toEqual([150, 150])
  expect(store.lastChange()).toBe(300)
  store.close()
})

test('a process killed while it accepts loses nothing that it had accepted', async () => {
  const file = join(temporaryDir(), 'alarms.db')
  for (let round = 0; round < 3; round += 1) {
    const name = `contact-${round}`
    const writer = storeProcess('accept', file, 1_000_000, name)
    while (writer.said.length < 100) await writer.next()
    await writer.kill()
    const told = writer.said.length
    const store = await sqliteAlarms(file, patient)
    const known = Array.from({ length: told }, (_, seq) => edge({ deviceId: name, seq }))
    const outcomes = new Set(store.accept(known, []).map(({ outcome }) => outcome))
    expect(outcomes).toEqual(new Set(['duplicate']))
    store.close()
  }
})

test('two processes append points: none is lost, the backlog is exact', async () => {
  const file = join(temporaryDir(), 'metrics.db')
  await Promise.all(
    ['intake', 'media'].map((name) => storeProcess('append-points', file, 200, name).ended()),
  )
  const store = await sqliteMetrics(file, patient)
  expect(store.backlog(0)).toBe(800)
  expect(store.batches(0, 1_000).map(({ seq }) => seq)).toEqual(
    Array.from({ length: 400 }, (_, n) => n + 1),
  )
  store.close()
})

test('two processes write the audit: every line has its own number', async () => {
  const file = join(temporaryDir(), 'audit.db')
  const said = await Promise.all(
    ['web', 'intake'].map((name) => storeProcess('append-audit', file, 100, name).ended()),
  )
  const numbers = said.flat().map(Number)
  expect(new Set(numbers).size).toBe(200)
  expect(Math.max(...numbers)).toBe(200)
  const store = await sqliteAudit(file, patient)
  expect(store.list({ limit: 500 })).toHaveLength(200)
  store.close()
})

const strace = '/usr/bin/strace'
if (!existsSync(strace))
  process.stderr.write(
    'SKIPPED an fsync proof: strace is not installed (Debian: apt install strace)\n',
  )

// SQLite WAL with synchronous=FULL syncs the log in every commit; NORMAL only at checkpoints.
test.skipIf(!existsSync(strace))(
  'each accepted batch is synced to the disk before it returns',
  () => {
    const dir = temporaryDir()
    const [file, trace] = [join(dir, 'alarms.db'), join(dir, 'trace')]
    const main = new URL('../support/store-process-main.ts', import.meta.url).pathname
    const syncs = (times: number) => {
      const command = [process.execPath, main, 'accept', file, String(times), `contact-${times}`]
      const { status } = spawnSync(
        strace,
        ['-f', '-qq', '-e', 'trace=fsync,fdatasync', '-o', trace, ...command],
        { stdio: 'ignore' },
      )
      expect(status).toBe(0)
      return readFileSync(trace, 'utf8').match(/f(data)?sync\(/g)?.length ?? 0
    }
    syncs(1)
    expect(syncs(40) - syncs(0)).toBeGreaterThanOrEqual(40)
  },
)
