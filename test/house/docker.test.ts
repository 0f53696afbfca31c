import { spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { createServer } from 'node:http'
import { join } from 'node:path'
import { describe, expect, test } from 'vitest'
import { parse } from 'yaml'
import { z } from 'zod'
import { Settings } from '../../hub/schema/settings.ts'
import { parseDockerfile } from '../support/dockerfile.ts'
import { projectRoot, runProgram } from '../support/hub-process.ts'

const read = (file: string) => readFileSync(join(projectRoot, file), 'utf8')
const exists = (file: string) => existsSync(join(projectRoot, file))
const isSetting = (name: string) => name in Settings.shape
/** What a stage makes that no file of the project is. */
const built = new Set(['/app/node_modules', '/app/console/dist'])
const standard = Settings.parse({})

test('the Dockerfile parser joins lines and reads both forms', () => {
  expect(parseDockerfile('# c\nRUN a \\\n  b\nCMD ["x", "y z"]\nCOPY --from=s a b')).toEqual([
    { name: 'RUN', flags: {}, words: ['a', 'b'], text: 'a b' },
    { name: 'CMD', flags: {}, words: ['x', 'y z'], text: '["x", "y z"]' },
    { name: 'COPY', flags: { from: 's' }, words: ['a', 'b'], text: 'a b' },
  ])
})

describe('Dockerfile', () => {
  const instructions = parseDockerfile(read('docker/Dockerfile'))
  const all = (name: string) => instructions.filter((each) => each.name === name)
  const last = (name: string) => all(name).at(-1)

  const sourcesOf = (copies: typeof instructions) =>
    copies.flatMap(({ words }) => words.slice(0, -1))
  const fromStages = all('COPY').filter(({ flags }) => flags.from !== undefined)
  const fromProject = sourcesOf(all('COPY').filter(({ flags }) => flags.from === undefined))

  test('copies only what exists, or what an earlier stage made', () => {
    const stages = all('FROM').flatMap(({ words }) => (words[1] === 'AS' ? [words[2]] : []))
    expect(fromStages.filter(({ flags }) => !stages.includes(flags.from))).toEqual([])
    expect(sourcesOf(fromStages).filter((source) => !built.has(source))).toEqual([])
    expect(fromProject).toContain('hub')
    expect(fromProject.filter((source) => !exists(source))).toEqual([])
  })

  test('leaves nothing out of the build that it copies', () => {
    const ignored = read('docker/Dockerfile.dockerignore').split('\n').filter(Boolean)
    expect(ignored.filter((pattern) => fromProject.includes(pattern))).toEqual([])
  })

  test('runs files that the last stage holds', () => {
    const final = instructions.slice(instructions.findLastIndex(({ name }) => name === 'FROM'))
    const held = final
      .filter(({ name }) => name === 'COPY')
      .flatMap(({ words }) => words.slice(0, -1))
    const health = last('HEALTHCHECK')?.text ?? ''
    for (const file of [last('CMD')?.words[1] ?? '', /"node", "([^"]+)"/.exec(health)?.[1] ?? '']) {
      expect(exists(file), file).toBe(true)
      expect(
        held.some((path) => file === path || file.startsWith(`${path}/`)),
        file,
      ).toBe(true)
    }
    // Everything the hub imports: its rooms and the device adapters.
    expect(held).toEqual(expect.arrayContaining(['hub', 'devices', 'package.json']))
  })

  test('builds the console with a program of the locked packages', () => {
    const build = all('RUN').find(({ text }) => text.includes('vite'))?.text ?? ''
    const [, script = ''] = /node \.\.\/(\S+) build/.exec(build) ?? []
    expect(exists(script), script).toBe(true)
  })

  test('is not root, keeps data in a volume, and exposes the default ports', () => {
    expect(last('USER')?.words).toEqual(['node'])
    expect(last('EXPOSE')?.words.map(Number)).toEqual([
      standard.HUB_HTTP_PORT,
      standard.HUB_MQTT_PORT,
    ])
    const variables = all('ENV').flatMap(({ words }) => words.map((word) => word.split('=')))
    const settings = variables.map(([name = '']) => name).filter((name) => name.startsWith('HUB_'))
    expect(settings.filter((name) => !isSetting(name))).toEqual([])
    expect(Object.fromEntries(variables).HUB_DATA_DIR).toBe(last('VOLUME')?.words[0])
    for (const { words } of all('FROM')) expect(words[0]).toMatch(/^node:24-slim$/)
  })
})

const Compose = z.object({
  services: z.record(
    z.string(),
    z.object({
      build: z.object({ context: z.string(), dockerfile: z.string() }).optional(),
      image: z
        .string()
        .regex(/:\d+\.\d+\.?\d*$/, 'an image is pinned to a version')
        .optional(),
      profiles: z.array(z.string()).default([]),
      environment: z.record(z.string(), z.coerce.string()).default({}),
      volumes: z.array(z.string()).default([]),
      ports: z.array(z.string()).default([]),
      read_only: z.boolean().default(false),
      network_mode: z.string().optional(),
      cap_drop: z.array(z.string()).default([]),
    }),
  ),
  volumes: z.record(z.string(), z.unknown()),
})

describe('compose.yaml', () => {
  const compose = Compose.parse(parse(read('docker/compose.yaml')))
  const services = Object.entries(compose.services)
  const hub = compose.services.hub

  test('runs the hub alone by default, and each other server by its profile', () => {
    expect(Object.fromEntries(services.map(([name, { profiles }]) => [name, profiles]))).toEqual({
      hub: [],
      influx: ['influx'],
      broker: ['broker'],
      postgres: ['postgres'],
      redis: ['redis'],
    })
  })

  test('builds from a Dockerfile that exists, with a read-only root and no rights', () => {
    expect(join('docker', hub?.build?.context ?? '')).toBe('.')
    expect(exists(hub?.build?.dockerfile ?? '')).toBe(true)
    expect(hub).toMatchObject({ read_only: true, cap_drop: ['ALL'] })
  })

  test('names only settings that exist, with the documented defaults', () => {
    for (const [name, value] of Object.entries(hub?.environment ?? {})) {
      expect(isSetting(name), name).toBe(true)
      const [, from, fallback] = /^\$\{([A-Z_]+):-(.*)\}$/.exec(value) ?? []
      expect(from).toBe(name)
      const given = Settings.parse(fallback === '' ? {} : { [name]: fallback })
      expect(given).toEqual(standard)
    }
  })

  test('mounts declared volumes, and the hub its data where the image expects it', () => {
    const mounts = services.flatMap(([, { volumes }]) => volumes.map((each) => each.split(':')[0]))
    expect(new Set(mounts)).toEqual(new Set(Object.keys(compose.volumes)))
    expect(hub?.volumes).toEqual(['hub-data:/data'])
  })

  test('opens ports on loopback only', () => {
    for (const [name, { ports }] of services)
      for (const port of ports) expect(port, name).toMatch(/^127\.0\.0\.1:\d+:\d+$/)
    expect(hub?.network_mode).toBe('host')
  })

  test('says of each server that the hub does not use yet that it does not', () => {
    const text = read('docker/compose.yaml')
    const operation = read('docs/operation.md')
    for (const [setting, service] of [
      ['HUB_BROKER_URL', 'broker'],
      ['HUB_DATABASE_URL', 'postgres'],
      ['HUB_REDIS_URL', 'redis'],
    ] as const) {
      // Once the setting exists, compose has to pass it on instead.
      expect(isSetting(setting)).toBe(false)
      expect(text).toMatch(new RegExp(`# Not used by the hub yet[^\\n]*\\n  ${service}:`))
      expect(operation).toMatch(new RegExp(`\`${service}\`[^\\n]*does not use`))
    }
  })
})

test('the docs say which docker steps nobody ran', () => {
  expect(read('docs/operation.md')).toMatch(/not run/i)
  expect(read('docs/operation.md')).toMatch(/token, org and bucket/)
})

describe('the health check', () => {
  const script = 'docker/healthcheck.mjs'

  test.each([
    [200, 0],
    [503, 1],
  ])('ends on an answer of %i with %i', async (status, code) => {
    const asked: (string | undefined)[] = []
    const server = createServer((request, response) => {
      asked.push(request.url)
      response.writeHead(status).end()
    }).listen(0, '127.0.0.1')
    await once(server, 'listening')
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    const check = runProgram([script], { env: { HUB_HTTP_PORT: String(address.port) } })
    expect(await check.ended).toBe(code)
    expect(asked).toEqual(['/readyz'])
    server.close()
  })

  test('ends with 1 when nobody answers', () => {
    const { status } = spawnSync(process.execPath, [script], {
      cwd: projectRoot,
      env: { ...process.env, HUB_HTTP_PORT: '1' },
    })
    expect(status).toBe(1)
  })
})
