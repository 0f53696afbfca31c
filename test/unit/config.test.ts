import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { nearestName, readConfig } from '../../hub/config.ts'
import { Settings } from '../../hub/schema/settings.ts'
import { temporaryFolder } from '../support/hub-process.ts'

const refusal = (sentence: RegExp) =>
  expect.objectContaining({ code: 'CONFIG_INVALID', message: expect.stringMatching(sentence) })

test('without a setting the hub listens on loopback with the documented ports', () => {
  using folder = temporaryFolder()
  expect(readConfig({}, folder.path)).toMatchObject({
    HUB_HTTP_HOST: '127.0.0.1',
    HUB_HTTP_PORT: 8080,
    HUB_MQTT_HOST: '127.0.0.1',
    HUB_MQTT_PORT: 1883,
    HUB_DATA_DIR: join(folder.path, 'data'),
    HUB_LEVEL: 'county',
  })
})

test('a variable of another program is none of our business', () => {
  using folder = temporaryFolder()
  expect(readConfig({ PATH: '/bin', GITHUB_TOKEN: 'x' }, folder.path)).not.toHaveProperty('PATH')
})

test.each([
  [{ HUB_HTTP_PORT: 'many' }, /^Bad setting: HUB_HTTP_PORT 'many': /],
  [{ HUB_HTTP_PORT: '65536' }, /^Bad setting: HUB_HTTP_PORT '65536': /],
  [{ HUB_MQTT_PORT: '-1' }, /^Bad setting: HUB_MQTT_PORT '-1': /],
  [{ HUB_MQTT_PORT: '18.5' }, /^Bad setting: HUB_MQTT_PORT '18\.5': /],
  [{ HUB_LEVEL: 'province' }, /^Bad setting: HUB_LEVEL 'province': /],
  [{ HUB_REGION: '33' }, /^Bad setting: HUB_REGION '33': a scope has 6, 9 or 12 digits$/],
  [{ HUB_INFLUX_URL: 'influx' }, /^Bad setting: HUB_INFLUX_URL 'influx': /],
  [{ HUB_INFLUX_URL: 'file:///etc/passwd' }, /^Bad setting: HUB_INFLUX_URL /],
  [{ HUB_LOG_LEVEL: 'loud' }, /^Bad setting: HUB_LOG_LEVEL 'loud': /],
])('%j is refused in one sentence that names it', (env, sentence) => {
  using folder = temporaryFolder()
  expect(() => readConfig(env, folder.path)).toThrow(refusal(sentence))
  expect(() => readConfig(env, folder.path)).toThrow(
    expect.objectContaining({ message: expect.not.stringContaining('\n') }),
  )
})

test('a refused password is not repeated in the sentence', () => {
  using folder = temporaryFolder()
  expect(() => readConfig({ HUB_ADMIN_PASSWORD: 'canary' }, folder.path)).toThrow(
    expect.objectContaining({ message: expect.not.stringContaining('canary') }),
  )
})

test('an unknown HUB_ name is refused with the nearest known one', () => {
  using folder = temporaryFolder()
  expect(() => readConfig({ HUB_HTP_PORT: '1' }, folder.path)).toThrow(
    refusal(/HUB_HTP_PORT is no setting of the hub; did you mean HUB_HTTP_PORT\?$/),
  )
  expect(() => readConfig({ HUB_COFFEE_MACHINE: '1' }, folder.path)).toThrow(
    refusal(/HUB_COFFEE_MACHINE is no setting of the hub, see docs\/settings\.md$/),
  )
})

test('the nearest name is the one with the fewest edits, and none when all are far', () => {
  expect(nearestName('HUB_PORT', ['HUB_MQTT_PORT', 'HUB_PORTS'])).toBe('HUB_PORTS')
  expect(nearestName('x', ['HUB_PORTS'])).toBeUndefined()
})

describe('hub.yaml', () => {
  test('gives settings that the environment overrides; an empty variable counts as not set', () => {
    using folder = temporaryFolder()
    const lines = ['HUB_HTTP_PORT: 9000', 'HUB_MQTT_PORT: "1999"', 'HUB_REGION: "339902"']
    writeFileSync(join(folder.path, 'hub.yaml'), lines.join('\n'))
    expect(readConfig({ HUB_HTTP_PORT: '9001', HUB_MQTT_PORT: '' }, folder.path)).toMatchObject({
      HUB_HTTP_PORT: 9001,
      HUB_MQTT_PORT: 1999,
      HUB_REGION: '339902',
    })
  })

  test('may stand where HUB_CONFIG says; then it must be there', () => {
    using folder = temporaryFolder()
    mkdirSync(join(folder.path, 'etc'))
    writeFileSync(join(folder.path, 'etc/one.yaml'), 'HUB_LEVEL: village')
    expect(readConfig({ HUB_CONFIG: 'etc/one.yaml' }, folder.path).HUB_LEVEL).toBe('village')
    expect(() => readConfig({ HUB_CONFIG: 'etc/two.yaml' }, folder.path)).toThrow(
      refusal(/etc\/two\.yaml' cannot be read/),
    )
  })

  test('may be empty', () => {
    using folder = temporaryFolder()
    writeFileSync(join(folder.path, 'hub.yaml'), '# nothing yet\n')
    expect(readConfig({}, folder.path).HUB_HTTP_PORT).toBe(8080)
  })

  test.each([
    ['HUB_MQTT_PROT: 1', /did you mean HUB_MQTT_PORT\?/],
    ['HUB_HTTP_PORT: true', /HUB_HTTP_PORT 'true'/],
    ['HUB_HTTP_PORT: [1, 2]', /must hold lines 'HUB_NAME: value'/],
    ['- HUB_HTTP_PORT', /must hold lines 'HUB_NAME: value'/],
    ['HUB_HTTP_PORT: "unclosed', /hub\.yaml' cannot be read/],
  ])('%s is refused', (text, sentence) => {
    using folder = temporaryFolder()
    writeFileSync(join(folder.path, 'hub.yaml'), text)
    expect(() => readConfig({}, folder.path)).toThrow(refusal(sentence))
  })
})

describe('TLS', () => {
  test.each(['0.0.0.0', '::', '192.168.1.4', 'hub.example'])('%s needs it', (host) => {
    using folder = temporaryFolder()
    for (const name of ['HUB_HTTP_HOST', 'HUB_MQTT_HOST'])
      expect(() => readConfig({ [name]: host }, folder.path)).toThrow(
        refusal(/is not loopback: set HUB_TLS_CERT and HUB_TLS_KEY$/),
      )
  })

  test.each(['127.0.0.1', '127.3.2.1', '::1', 'localhost'])('%s does without', (host) => {
    using folder = temporaryFolder()
    expect(readConfig({ HUB_HTTP_HOST: host }, folder.path).HUB_HTTP_HOST).toBe(host)
  })

  test('with certificate and key any host is taken, and the files are looked at', () => {
    using folder = temporaryFolder()
    const env = { HUB_HTTP_HOST: '0.0.0.0', HUB_TLS_CERT: 'c.pem', HUB_TLS_KEY: 'k.pem' }
    writeFileSync(join(folder.path, 'c.pem'), '')
    expect(() => readConfig(env, folder.path)).toThrow(refusal(/HUB_TLS_KEY: the file .*k\.pem/))
    writeFileSync(join(folder.path, 'k.pem'), '')
    expect(readConfig(env, folder.path).HUB_TLS_CERT).toBe(join(folder.path, 'c.pem'))
  })

  test('a certificate without its key is refused', () => {
    using folder = temporaryFolder()
    expect(() => readConfig({ HUB_TLS_CERT: 'c.pem' }, folder.path)).toThrow(
      refusal(/only of use together/),
    )
  })
})

test('every setting says in words what it is for', () => {
  for (const [name, schema] of Object.entries(Settings.shape))
    expect(schema.description ?? '', name).toMatch(/\w{3}/)
})
