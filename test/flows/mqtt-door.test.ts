import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { deviceClient, publishAlarm } from '../support/mqtt-client.ts'
import { type TestDoor, testDoor, topicOf } from '../support/mqtt-intake.ts'
import { until } from '../support/until.ts'

describe('a device at the MQTT door', () => {
  let hub: TestDoor
  beforeAll(async () => {
    hub = await testDoor()
  })
  afterAll(() => hub.close())

  test('an alarm is on disk before its PUBACK', async () => {
    const client = await deviceClient(hub.port, 'dev-1')
    await publishAlarm(client, 'dev-1', { seq: 1 })
    const alarms = hub.alarms.list({ regions: { from: '0', to: '9' }, limit: 10 })
    expect(alarms).toMatchObject([{ deviceId: 'dev-1', kind: 'intrusion', state: 'unack-active' }])
    expect(hub.status.lines).toContain('seen 0')
    await client.endAsync()
  })

  test('a heartbeat is a sign of life and becomes a point', async () => {
    const client = await deviceClient(hub.port, 'dev-2')
    await client.publishAsync(topicOf('dev-2', 'hb'), '{"seq":1,"rssi":-60,"m":{"open":true}}')
    await until('seen', () => hub.status.lines.includes('seen 1'))
    hub.door.tick()
    const points = hub.metrics.batches(0, 10).flatMap((batch) => batch.points)
    expect(points).toContainEqual(
      expect.objectContaining({
        series: 'heartbeat',
        deviceId: 'dev-2',
        fields: { seq: 1, rssi: -60, open: true },
      }),
    )
    await client.endAsync()
  })
})
