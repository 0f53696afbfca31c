import { dirname, resolve } from 'node:path'
import { fileURLToPath } from 'node:url'
import { buildConsole } from './console.mjs'
import { installPackages } from './packages.mjs'
import { installTools } from './tools.mjs'

const root = resolve(dirname(fileURLToPath(import.meta.url)), '../..')

/**
 * Makes a clone ready for `purpose`: locked packages, the console's build, tools that tests use.
 * Does nothing, within half a second, when nothing is to do.
 */
export function setUp(purpose, folder = root) {
  installPackages(folder)
  if (purpose !== 'simulate') buildConsole(folder)
  if (purpose === 'test') installTools()
}
