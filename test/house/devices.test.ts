import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { pathToFileURL } from 'node:url'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { type DeviceModel, readRecords } from '../../devices/device.ts'
import { models } from '../../devices/index.ts'
import { CanonicalRecord } from '../../hub/schema/record.ts'

const context = (branch: string) => ({
  topic: `jf/v1/339901/001/002/dev-1/${branch}`,
  receivedAt: 1_795_392_000_000,
  settings: {},
})
const samples = models.flatMap((model) =>
  model.samples.map((sample, index) => ({ model, sample, name: `${model.model} sample ${index}` })),
)

describe('every device model', () => {
  test('has an id of its own, and samples', () => {
    expect(new Set(models.map(({ model }) => model)).size).toBe(models.length)
    for (const { model, samples: own, heartbeatS } of models) {
      expect(model).toMatch(/^[a-z0-9-]+\/[a-z0-9-]+$/)
      expect(own.length).toBeGreaterThan(0)
      expect(heartbeatS).toBeGreaterThan(0)
    }
  })

  test.each(samples)('$name means what it says', ({ model, sample }) => {
    const records = readRecords(model, Buffer.from(sample.payload), context(sample.branch))
    for (const record of records) expect(CanonicalRecord.safeParse(record).error).toBeUndefined()
    for (const expected of sample.expect)
      expect(records).toContainEqual(expect.objectContaining(expected))
  })

  test.each(samples)('$name, cut anywhere, never throws', ({ model, sample }) => {
    const payload = Buffer.from(sample.payload)
    for (let length = 0; length < payload.length; length++) {
      const records = readRecords(model, payload.subarray(0, length), context(sample.branch))
      expect(records).toMatchObject([{ type: 'reject' }])
    }
  })

  test.each(samples)(
    '$name, any bits flipped, never throws and stays canonical',
    ({ model, sample }) => {
      const flips = fc.array(fc.nat(sample.payload.length * 8 - 1), { minLength: 1, maxLength: 4 })
      fc.assert(
        fc.property(flips, (bits) => {
          const payload = Buffer.from(sample.payload)
          for (const bit of bits)
            payload.writeUInt8(payload.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
          for (const record of readRecords(model, payload, context(sample.branch)))
            expect(CanonicalRecord.safeParse(record).error).toBeUndefined()
        }),
        { numRuns: 500 },
      )
    },
  )
})

describe('docs/add-a-device.md', () => {
  test('its example runs as it stands, and its samples mean what they say', async () => {
    const page = readFileSync(new URL('../../docs/add-a-device.md', import.meta.url), 'utf8')
    const code = /<!-- example: [^>]+ -->\s+```ts\n([\s\S]+?)```/.exec(page)?.[1]
    expect(code).toContain('defineDevice')
    // Beside the real models, so that its imports are those of the page.
    const folder = mkdtempSync(
      join(new URL('../../devices', import.meta.url).pathname, '.example-'),
    )
    try {
      const file = join(folder, 'water-detector.ts')
      writeFileSync(file, code ?? '')
      const { waterDetector }: { waterDetector: DeviceModel } = await import(
        pathToFileURL(file).href
      )
      for (const { branch, payload, expect: expected } of waterDetector.samples)
        expect(readRecords(waterDetector, Buffer.from(payload), context(branch))).toEqual(
          expected.map((record) => expect.objectContaining(record)),
        )
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
