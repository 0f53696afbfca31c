import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { onTestFinished } from 'vitest'
import { sqliteAlarms } from '../../hub/store/sqlite-alarms.ts'
import { sqliteAudit } from '../../hub/store/sqlite-audit.ts'
import { sqliteMetrics } from '../../hub/store/sqlite-metrics.ts'
import { sqlitePeople } from '../../hub/store/sqlite-people.ts'
import { sqliteRegistry } from '../../hub/store/sqlite-registry.ts'
import { sqliteState } from '../../hub/store/sqlite-state.ts'

/** A folder of its own that goes with the test. */
export function temporaryDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'hub-store-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

/** Where a store of one backend lives: each `open` is one more connection to the same data. */
export interface Place<Store> {
  open(options?: { busyTimeoutMs?: number }): Promise<Store>
  /** Keeps every writer out, as another process's transaction would; the answer ends it. */
  hold(): () => void
  /** What a second process needs to open the same data. */
  readonly file: string
}

interface Closable {
  close(): void
}

/** The backends each contract suite is looped over; PostgreSQL joins here. */
export const backends = {
  alarms: [{ name: 'SQLite', place: () => sqlitePlace(sqliteAlarms) }],
  audit: [{ name: 'SQLite', place: () => sqlitePlace(sqliteAudit) }],
  metrics: [{ name: 'SQLite', place: () => sqlitePlace(sqliteMetrics) }],
  people: [{ name: 'SQLite', place: () => sqlitePlace(sqlitePeople) }],
  registry: [{ name: 'SQLite', place: () => sqlitePlace(sqliteRegistry) }],
  state: [{ name: 'SQLite', place: () => sqlitePlace(sqliteState) }],
}

function sqlitePlace<Store extends Closable>(
  opener: (file: string, options: { busyTimeoutMs: number }) => Promise<Store>,
): Place<Store> {
  const file = join(temporaryDir(), 'store.db')
  return {
    file,
    async open({ busyTimeoutMs = 2_000 } = {}) {
      const store = await opener(file, { busyTimeoutMs })
      let closed = false
      const close = () => {
        if (!closed) store.close()
        closed = true
      }
      onTestFinished(close)
      return { ...store, close }
    },
    hold() {
      const other = new DatabaseSync(file, { timeout: 2_000 })
      other.exec('begin immediate')
      return () => other.close()
    },
  }
}
