import { expect, test } from 'vitest'
import { httpPolicy } from '../../hub/rules/policy.ts'
import { webApp } from '../support/web-app.ts'

interface Operation {
  summary?: string
  tags?: string[]
  parameters?: { name: string; in: string; required?: boolean; schema: object }[]
  requestBody?: { content: Record<string, { schema: object }> }
  responses: Record<string, object>
}
interface Document {
  openapi: string
  info: { title: string; version: string }
  paths: Record<string, Record<string, Operation>>
}

async function documentOf(): Promise<Document> {
  await using web = await webApp()
  const answer = await web.ask('clerk', '/api/openapi.json')
  expect(answer.statusCode).toBe(200)
  return answer.json()
}

const asPath = (url: string) => url.replaceAll(/:(\w+)/g, '{$1}')

test('every route of the policy is in the document, with summary, tag and answer', async () => {
  const { openapi, paths } = await documentOf()
  expect(openapi).toBe('3.1.0')
  const own = new Set(['GET /*', 'GET /api/openapi.json'])
  const told = (key: string) => !own.has(key) && !key.startsWith('GET /api/docs')
  for (const route of Object.keys(httpPolicy).filter(told)) {
    const [method = '', url = ''] = route.split(' ')
    const operation = paths[asPath(url)]?.[method.toLowerCase()]
    expect({ route, summary: operation?.summary }).toEqual({ route, summary: expect.any(String) })
    expect(operation?.tags).toHaveLength(1)
    expect(Object.keys(operation?.responses ?? {})[0]).toMatch(/^20[04]$/)
  }
})

test('every parameter of a path is declared and required', async () => {
  const { paths } = await documentOf()
  for (const [path, operations] of Object.entries(paths))
    for (const { parameters = [] } of Object.values(operations))
      for (const [, name] of path.matchAll(/\{(\w+)\}/g))
        expect(parameters).toContainEqual(
          expect.objectContaining({ name, in: 'path', required: true }),
        )
})

test('bodies refuse fields nobody asked for, in the document, too', async () => {
  const { paths } = await documentOf()
  const bodies = Object.values(paths)
    .flatMap((operations) => Object.values(operations))
    .flatMap(({ requestBody }) => requestBody?.content['application/json']?.schema ?? [])
  expect(bodies.length).toBeGreaterThan(2)
  for (const schema of bodies) expect(schema).toMatchObject({ additionalProperties: false })
})

test('every reference in the document leads somewhere', async () => {
  const document = await documentOf()
  const refs = [...JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)]
  for (const [, ref = ''] of refs) {
    let at: unknown = document
    for (const part of ref.split('/'))
      at = typeof at === 'object' && at ? Reflect.get(at, part) : undefined
    expect({ ref, found: at !== undefined }).toEqual({ ref, found: true })
  }
})

test('query fields are described', async () => {
  const { paths } = await documentOf()
  const strips = paths['/api/v1/regions/{scope}/strips']?.['get']
  expect(strips?.parameters?.find(({ name }) => name === 'from')).toMatchObject({
    description: expect.stringContaining('Epoch ms'),
  })
})

test('the page of the API is for who is signed in, and is served under our content policy', async () => {
  await using web = await webApp()
  expect((await web.ask(undefined, '/api/docs/')).statusCode).toBe(401)
  const bare = await web.ask('clerk', '/api/docs')
  expect([bare.statusCode, bare.headers.location]).toEqual([302, '/api/docs/'])
  const page = await web.ask('clerk', '/api/docs/')
  expect(page.statusCode).toBe(200)
  expect(page.headers['content-security-policy']).toContain("script-src 'self'")
  expect(page.body).not.toMatch(/<script(?![^>]*src=)/)
})
