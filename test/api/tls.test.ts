import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { request } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect } from 'node:tls'
import { io } from 'socket.io-client'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { password } from '../support/web-county.ts'
import { webRole } from '../support/web-role.ts'
import { tlsCertificate, tlsKey } from '../support/web-tls.ts'

let dir = ''
beforeAll(() => {
  dir = mkdtempSync(join(tmpdir(), 'tls-'))
  writeFileSync(join(dir, 'cert.pem'), tlsCertificate)
  writeFileSync(join(dir, 'key.pem'), tlsKey)
})
afterAll(() => rmSync(dir, { recursive: true }))

const settings = () => ({ HUB_TLS_CERT: join(dir, 'cert.pem'), HUB_TLS_KEY: join(dir, 'key.pem') })

interface Answer {
  status: number | undefined
  cookie: string
  hsts: string | undefined
}

const signIn = (port: number) =>
  new Promise<Answer>((resolve, reject) => {
    const body = JSON.stringify({ name: 'clerk', password })
    const headers = { 'content-type': 'application/json', 'content-length': body.length }
    const options = { port, host: '127.0.0.1', path: '/api/v1/session', method: 'POST', headers }
    request({ ...options, ca: tlsCertificate }, (answer) => {
      answer.resume()
      const [cookie = ''] = answer.headers['set-cookie'] ?? []
      const hsts = answer.headers['strict-transport-security']
      resolve({ status: answer.statusCode, cookie, hsts })
    })
      .on('error', reject)
      .end(body)
  })

test('over TLS the cookie is __Host- and the live door takes it', async () => {
  await using web = await webRole({}, settings())
  const { status, cookie, hsts } = await signIn(web.port)
  expect(status).toBe(200)
  expect(cookie).toMatch(/^__Host-hub=[^;]{43}; Path=\/; HttpOnly; Secure; SameSite=Strict$/)
  expect(hsts).toContain('max-age=')
  const page = io(`https://127.0.0.1:${web.port}`, {
    transports: ['websocket'],
    reconnection: false,
    forceNew: true,
    ca: tlsCertificate,
    extraHeaders: {
      cookie: cookie.split(';', 1)[0] ?? '',
      origin: `https://127.0.0.1:${web.port}`,
    },
  })
  const pulse = await new Promise((resolve) => page.once('pulse', resolve))
  page.disconnect()
  expect(pulse).toMatchObject({ at: web.county.clock.now() })
})

test('TLS 1.1 is refused', async () => {
  await using web = await webRole({}, settings())
  const socket = connect({
    port: web.port,
    host: '127.0.0.1',
    ca: tlsCertificate,
    minVersion: 'TLSv1.1',
    maxVersion: 'TLSv1.1',
    ciphers: 'DEFAULT@SECLEVEL=0',
  })
  const error = await new Promise<Error>((resolve, reject) => {
    socket.once('error', resolve)
    socket.once('secureConnect', () => reject(new Error('TLS 1.1 was taken')))
  })
  expect(error.message).toMatch(/alert|protocol/i)
})

test('a certificate that cannot be read is told in one sentence', async () => {
  const missing = join(dir, 'missing.pem')
  await expect(webRole({}, { ...settings(), HUB_TLS_KEY: missing })).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: `Bad setting: HUB_TLS_KEY: the file '${missing}' cannot be read`,
  })
})

test('a port that is taken is told with its setting', async () => {
  await using web = await webRole()
  await expect(webRole({}, { HUB_HTTP_PORT: web.port })).rejects.toMatchObject({
    code: 'PORT_TAKEN',
    message: expect.stringContaining('HUB_HTTP_PORT'),
  })
})

test('files that hold no certificate are told in one sentence', async () => {
  writeFileSync(join(dir, 'wrong.pem'), 'no certificate')
  const wrong = { ...settings(), HUB_TLS_CERT: join(dir, 'wrong.pem') }
  await expect(webRole({}, wrong)).rejects.toMatchObject({
    code: 'CONFIG_INVALID',
    message: expect.stringContaining('HUB_TLS_CERT and HUB_TLS_KEY do not make a TLS door'),
  })
})
