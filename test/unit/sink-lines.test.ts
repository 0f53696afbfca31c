import * as fc from 'fast-check'
import { expect, test } from 'vitest'
import { influxLines } from '../../hub/sink/influx-lines.ts'
import { point, startAt } from '../support/store-points.ts'

const ns = (order: string) => `${startAt}${order}`

test('a point becomes one line: series, sorted tags, fields, receive time in ns', () => {
  expect(influxLines({ seq: 1, points: [point()] })).toEqual({
    unfit: 0,
    lines: [
      `heartbeat,deviceId=contact-1,kind=contact,region=339901001001 batt=87.5,open=F,rssi=-61 ${ns('000000')}`,
    ],
  })
})

test('a heartbeat without readings is still a sign of life', () => {
  expect(influxLines({ seq: 1, points: [point({ fields: {} })] }).lines).toEqual([
    `heartbeat,deviceId=contact-1,kind=contact,region=339901001001 present=T ${ns('000000')}`,
  ])
})

test.each([
  ['a device id with a backslash', { deviceId: 'x\\' }],
  ['an empty kind', { kind: '' }],
  ['a region with a line break', { region: '3399\n01' }],
  ['an id longer than 64', { deviceId: 'x'.repeat(65) }],
  ['no field but a bad name', { fields: { 'a b': 1 } }],
  ['no field but one that is not finite', { fields: { rssi: Number.NaN } }],
  ['no time', { at: 0 }],
])('a point with %s is not sent, and counted', (_what, part) => {
  expect(influxLines({ seq: 1, points: [point(part), point()] })).toMatchObject({
    unfit: 1,
    lines: [expect.stringContaining('contact-1')],
  })
})

test('a bad field is left out of a good point', () => {
  const fields = { rssi: -61, 'bad name': 3, volts: Number.POSITIVE_INFINITY }
  expect(influxLines({ seq: 1, points: [point({ fields })] }).lines[0]).toContain(' rssi=-61 ')
})

test.each(['deviceId', 'kind', 'region', 'time'])(
  'a field named %s gets an underscore: it would hide the tag or be refused',
  (name) => {
    const { lines } = influxLines({ seq: 1, points: [point({ fields: { [name]: 1 } })] })
    expect(lines[0]).toContain(` ${name}_=1 `)
  },
)

test('a text is cut at 256 and holds no control character', () => {
  const note = 'a'.repeat(300)
  const { lines } = influxLines({
    seq: 1,
    points: [point({ fields: { note } }), point({ fields: { note: 'x\r\ny\0\u0085' } })],
  })
  expect(lines[0]).toContain(`note="${'a'.repeat(256)}" `)
  expect(lines[1]).toContain('note="x  y  " ')
})

test('equal series, device and millisecond are numbered below the millisecond', () => {
  const points = [point(), point({ deviceId: 'contact-2' }), point(), point({ at: startAt + 1 })]
  const { lines } = influxLines({ seq: 77, points })
  expect(lines.map((line) => line.split(' ').at(-1))).toEqual([
    ns('000000'),
    ns('000000'),
    ns('000001'),
    `${startAt + 1}000000`,
  ])
})

test.each([
  [1, '001000'],
  [77, '077000'],
  [1_999, '999000'],
  [2_000, '000000'],
])('alarm edges of batch %i are numbered from %s', (seq, order) => {
  const { lines } = influxLines({ seq, points: [point({ series: 'alarm' })] })
  expect(lines[0]?.split(' ').at(-1)).toBe(ns(order))
})

test('the same batch gives the same lines, so that sending it twice changes nothing', () => {
  const batch = { seq: 5, points: [point(), point(), point({ series: 'alarm' })] }
  expect(influxLines(batch)).toEqual(influxLines(structuredClone(batch)))
})

test('one point in is at most one line out, whatever the names and texts are', () => {
  const word = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('\\', '"', '\n', 'a b,c=1'))
  fc.assert(
    fc.property(word, word, word, word, (deviceId, kind, name, text) => {
      const odd = point({ deviceId, kind, fields: { [name]: text, ok: 1 } })
      const { lines, unfit } = influxLines({ seq: 1, points: [odd] })
      expect(lines.length + unfit).toBe(1)
      for (const line of lines) expect(line).not.toMatch(/[\r\n\0]/)
    }),
    { numRuns: 2_000, seed: 20_261_123 },
  )
})
