import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs'
import { dirname } from 'node:path'
import { CountyFile } from '../hub/schema/county-file.ts'

/** Writes a county with its secrets, readable by its owner only; an older file is replaced at once. */
export function writeCounty(path: string, county: CountyFile) {
  mkdirSync(dirname(path), { recursive: true })
  const fresh = `${path}.${process.pid}.new`
  writeFileSync(fresh, `${JSON.stringify(county)}\n`, { mode: 0o600, flag: 'wx' })
  renameSync(fresh, path)
}

/** Reads a county file. @throws Error in one sentence when it is missing or not one */
export function readCounty(path: string): CountyFile {
  const parsed = CountyFile.safeParse(readJson(path))
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw new Error(`'${path}' is no county file: ${issue?.path.join('.')} ${issue?.message}`)
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT'
    throw new Error(
      missing ? `there is no county file '${path}'` : `'${path}' cannot be read as JSON`,
      { cause: error },
    )
  }
}
