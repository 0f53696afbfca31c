import { existsSync, readFileSync, statSync } from 'node:fs'
import { join } from 'node:path'
import fastifyStatic from '@fastify/static'
import type { FastifyInstance } from 'fastify'
import { errors } from '../errors.ts'
import type { Clock } from '../rules/clock.ts'
import { inlineScriptHashes } from './csp.ts'

/** Paths that are never a screen of the console. */
const machinePaths = /^\/(api|media|socket\.io|metrics|livez|readyz)(\/|$|\?)/

const notBuilt = `<!doctype html><html lang="zh-CN"><meta charset="utf-8"><title>技防值守台</title>
<h1>控制台尚未构建</h1><p>请在程序目录运行 <code>npm run build</code>，然后重新启动本程序。</p>
<h2>The console is not built</h2><p>Run <code>npm run build</code> in the program's folder, then start the hub again.</p></html>`

const pageFile = (dir: string) => join(dir, 'index.html')

/** How often the page is looked at for a new build, ms. */
const lookEachMs = 1000

/** Hashes of the built page's inline scripts, read again when somebody built the console anew. */
export function pageScripts(dir: string, clock: Pick<Clock, 'mono'>): () => readonly string[] {
  let lookedAt = -Infinity
  let builtAt = 0
  let hashes: readonly string[] = []
  return () => {
    if (clock.mono() - lookedAt < lookEachMs) return hashes
    lookedAt = clock.mono()
    const mtimeMs = statSync(pageFile(dir), { throwIfNoEntry: false })?.mtimeMs ?? 0
    if (mtimeMs === builtAt) return hashes
    builtAt = mtimeMs
    hashes = inlineScriptHashes(readFileSync(pageFile(dir), 'utf8'))
    return hashes
  }
}

/**
 * Serves the console's files; any other GET that asks for a page gets `index.html`, whose router
 * knows the screens. Files under `_app/immutable` carry their hash in the name and never change.
 */
export async function consoleFiles(app: FastifyInstance, dir: string): Promise<void> {
  const built = existsSync(pageFile(dir))
  if (built)
    await app.register(fastifyStatic, {
      root: dir,
      preCompressed: true,
      dotfiles: 'ignore',
      schemaHide: true,
      cacheControl: false,
      setHeaders: (reply, path) => {
        const forever = path.includes('/_app/immutable/')
        void reply.header(
          'cache-control',
          forever ? 'public, max-age=31536000, immutable' : 'no-cache',
        )
      },
    })
  app.setNotFoundHandler((request, reply) => {
    const { method, url } = request
    const page = method === 'GET' && !machinePaths.test(url) && asksForPage(request.headers.accept)
    if (!page) throw errors.notFound(`${method} ${url.slice(0, 200)}`)
    if (built) return reply.sendFile('index.html')
    return reply.code(503).type('text/html; charset=utf-8').send(notBuilt)
  })
}

/** A missing picture or script must stay a 404: only pages fall back. */
const asksForPage = (accept: string | undefined) =>
  accept === undefined || accept.includes('text/html') || accept === '*/*'
