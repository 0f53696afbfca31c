import { existsSync, readdirSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { projectRoot } from './hub-process.ts'

const roots = ['.ci', 'hub', 'devices', 'simulators', 'console', 'test', 'docker', 'docs']
const made = new Set(['node_modules', 'dist', '.svelte-kit', 'results', 'fixtures', '.vite'])
const single = ['README.md', 'package.json', 'package-lock.json', '.npmrc', 'vitest.config.ts']

/** Every file that people write in this project, relative to its root, with `/`. */
export function sourceFiles(): string[] {
  const walk = (path: string): string[] =>
    statSync(join(projectRoot, path)).isDirectory()
      ? readdirSync(join(projectRoot, path))
          .filter((name) => !made.has(name))
          .flatMap((name) => walk(`${path}/${name}`))
      : [path]
  return [...roots, ...single].filter((path) => existsSync(join(projectRoot, path))).flatMap(walk)
}
