import { createHash } from 'node:crypto'
import { mkdirSync, mkdtempSync, rmSync, utimesSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { brotliCompressSync } from 'node:zlib'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { webApp } from '../support/web-app.ts'

const script = 'import("/_app/immutable/start.js")'
const page = `<!doctype html><html><head><script src="/x.js"></script></head><body>
<script nonce="">${script}</script></body></html>`
let consoleDir = ''

beforeAll(() => {
  consoleDir = mkdtempSync(join(tmpdir(), 'console-'))
  mkdirSync(join(consoleDir, '_app/immutable'), { recursive: true })
  const put = (name: string, text: string | Buffer) => writeFileSync(join(consoleDir, name), text)
  put('index.html', page)
  put('index.html.br', brotliCompressSync(page))
  put('_app/immutable/start.js', 'export {}')
  put('_app/immutable/start.js.br', brotliCompressSync('export {}'))
  put('.hidden', 'secret')
})
afterAll(() => rmSync(consoleDir, { recursive: true }))

const html = { accept: 'text/html,application/xhtml+xml' }

test.each(['/', '/s/339901/alarms', '/d/contact-1', '/settings?x=1'])(
  'the address %s of a screen answers the console’s page',
  async (url) => {
    await using web = await webApp({ consoleDir })
    const answer = await web.ask(undefined, { url, headers: html })
    expect(answer.statusCode).toBe(200)
    expect(answer.body).toBe(page)
    expect(answer.headers['cache-control']).toBe('no-cache')
  },
)

test.each(['/api/v1/nothing', '/media/nothing', '/socket.io/', '/metrics/x', '/api'])(
  'the address %s is never a screen',
  async (url) => {
    await using web = await webApp({ consoleDir })
    const answer = await web.ask(undefined, { url, headers: html })
    expect(answer.statusCode).toBe(404)
    expect(answer.json()).toMatchObject({ code: 'NOT_FOUND' })
  },
)

test('a missing script is a 404, not a page', async () => {
  await using web = await webApp({ consoleDir })
  const answer = await web.ask(undefined, {
    url: '/_app/immutable/gone.js',
    headers: { accept: 'application/javascript' },
  })
  expect(answer.statusCode).toBe(404)
})

test('files with a hash in the name are kept for ever and sent compressed', async () => {
  await using web = await webApp({ consoleDir })
  const answer = await web.ask(undefined, {
    url: '/_app/immutable/start.js',
    headers: { 'accept-encoding': 'br' },
  })
  expect(answer.headers).toMatchObject({
    'content-encoding': 'br',
    'cache-control': 'public, max-age=31536000, immutable',
  })
  expect(answer.headers['content-type']).toContain('javascript')
})

test('the one inline script of the page may run, by its hash', async () => {
  await using web = await webApp({ consoleDir })
  const { headers } = await web.ask(undefined, { url: '/', headers: html })
  const hash = createHash('sha256').update(script).digest('base64')
  expect(headers['content-security-policy']).toContain(`script-src 'self' 'sha256-${hash}';`)
  expect(headers['content-security-policy']).not.toMatch(/script-src[^;]*unsafe/)
})

test('a console that is built anew runs its new inline script without a restart', async () => {
  await using web = await webApp({ consoleDir })
  const policy = async () =>
    (await web.ask(undefined, { url: '/', headers: html })).headers['content-security-policy']
  const before = await policy()
  writeFileSync(join(consoleDir, 'index.html'), page.replace('start.js', 'other.js'))
  utimesSync(join(consoleDir, 'index.html'), 1, 1)
  web.county.clock.advance(1001)
  const after = await policy()
  writeFileSync(join(consoleDir, 'index.html'), page)
  expect(after).toMatch(/script-src 'self' 'sha256-[^']+';/)
  expect(after).not.toBe(before)
})

test.each([
  '/../package.json',
  '/..%2fpackage.json',
  '/%2e%2e/package.json',
  '/.hidden',
  '/_app/..%5c..%5cx',
])('%s does not leave the folder', async (url) => {
  await using web = await webApp({ consoleDir })
  const answer = await web.ask(undefined, { url })
  expect(answer.body).not.toContain('secret')
  expect(answer.body).not.toContain('"dependencies"')
})

test('a console that was not built says how to build it', async () => {
  await using web = await webApp()
  const answer = await web.ask(undefined, { url: '/', headers: html })
  expect(answer.statusCode).toBe(503)
  expect(answer.body).toContain('npm run build')
  expect(answer.body).toContain('控制台尚未构建')
})

test('a POST to a screen is a 404', async () => {
  await using web = await webApp({ consoleDir })
  expect((await web.ask('clerk', { method: 'POST', url: '/s/339901' })).statusCode).toBe(404)
})
