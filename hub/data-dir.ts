import {
  accessSync,
  constants,
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { errors } from './errors.ts'

export interface DataDir {
  /** The hub before this one was killed: its roles may still be closing their ports. */
  readonly afterKill: boolean
  release(): void
}

/**
 * Takes the data folder for this hub alone and keeps it until `release` or the end of the process.
 * The lock is SQLite's own on `hub.lock`: the system drops it with the process, so none is ever stale.
 * @throws DATA_NOT_WRITABLE
 * @throws DATA_IN_USE naming the process that has it
 */
export function claimDataDir(dir: string): DataDir {
  const pidFile = join(dir, 'hub.pid')
  const lock = openLock(dir)
  try {
    lock.exec('begin exclusive')
  } catch {
    lock.close()
    throw errors.dataInUse(dir, readPid(pidFile) ?? 'unknown')
  }
  const afterKill = readPid(pidFile) !== undefined
  try {
    writeFileSync(pidFile, `${process.pid}\n`)
  } catch {
    lock.close()
    throw errors.dataNotWritable(dir)
  }
  return {
    afterKill,
    release() {
      rmSync(pidFile, { force: true })
      lock.close()
    },
  }
}

/** Makes the data folder, closed to other accounts, where there is none. @throws DATA_NOT_WRITABLE */
export function makeDataDir(dir: string): void {
  try {
    makeFolders(dir)
    accessSync(dir, constants.W_OK)
  } catch {
    throw errors.dataNotWritable(dir)
  }
}

/** Node's own recursive mkdir never returns below /proc. */
function makeFolders(dir: string) {
  if (existsSync(dir)) return
  makeFolders(dirname(dir))
  mkdirSync(dir, { mode: 0o700 })
}

function openLock(dir: string): DatabaseSync {
  makeDataDir(dir)
  try {
    return new DatabaseSync(join(dir, 'hub.lock'), { timeout: 0 })
  } catch {
    throw errors.dataNotWritable(dir)
  }
}

function readPid(file: string): string | undefined {
  try {
    return readFileSync(file, 'utf8').trim() || undefined
  } catch {
    return undefined
  }
}
