import { afterAll, beforeAll, expect, test } from 'vitest'
import { WebSocket } from 'ws'
import { CameraGrant, System } from '../../hub/schema/api.ts'
import { temporaryFolder } from '../support/hub-process.ts'
import { influxServer, type InfluxServer } from '../support/influx.ts'
import { cookieOf, liveCounty, openDoorByHand, type LiveCounty } from '../support/live-county.ts'
import { until } from '../support/until.ts'

// The whole chain with nothing of ours at either end: mosquitto_pub in front, InfluxDB 1.6 behind.
let influx: InfluxServer
let live: LiveCounty
const folder = temporaryFolder('influx')

beforeAll(async () => {
  influx = await influxServer()
  const settings = { HUB_INFLUX_URL: influx.url, HUB_INFLUX_WRITE_PATH: '/write' }
  live = await liveCounty(folder.path, { townships: 1, villages: 1, perVillage: 12 }, settings)
  await live.startHub()
  await live.startSimulator()
})
afterAll(async () => {
  await live?.[Symbol.asyncDispose]()
  await influx?.remove()
  folder[Symbol.dispose]()
})

const first = (kind: string) =>
  live.county.devices.find(({ device }) => device.kind === kind)!.device.deviceId

const rows = (what: string) => influx.query(what)

test.each(['contact', 'light', 'camera'])('InfluxQL returns heartbeats of a %s', async (kind) => {
  const found = await until(
    `a ${kind}'s heartbeat in InfluxDB`,
    async () => {
      const beats = await rows(`SELECT * FROM heartbeat WHERE kind = '${kind}'`)
      return beats.length > 0 && beats
    },
    40_000,
  )
  expect(found[0]).toMatchObject({ kind })
})

test('InfluxQL returns the alarm that mosquitto_pub sent', async () => {
  await openDoorByHand(live, first('contact'), { kind: 'intrusion', state: 'active', prio: 1 })
  const [alarm] = await until(
    'the alarm in InfluxDB',
    async () => {
      const found = await rows(`SELECT * FROM alarm WHERE "deviceId" = '${first('contact')}'`)
      return found.length > 0 && found
    },
    20_000,
  )
  expect(alarm).toMatchObject({ deviceId: first('contact') })
})

test('InfluxQL returns stream statistics of a watched camera', async () => {
  const cookie = await cookieOf(live.hub.address, 'village-duty')
  const camera = first('camera')
  const answer = await fetch(`${live.hub.address}/api/v1/cameras/${camera}/grant`, {
    method: 'POST',
    headers: { cookie, origin: live.hub.address },
  })
  const { grant } = CameraGrant.parse(await answer.json())
  const socket = new WebSocket(`${live.hub.address.replace('http', 'ws')}/media/live`, {
    headers: { cookie, origin: live.hub.address },
  })
  try {
    socket.once('open', () => socket.send(JSON.stringify({ op: 'play', tile: 0, camera, grant })))
    const [stream] = await until(
      'stream statistics in InfluxDB',
      async () => {
        const found = await rows(`SELECT * FROM stream WHERE "deviceId" = '${camera}' AND fps > 0`)
        return found.length > 0 && found
      },
      40_000,
    )
    expect(stream!['fps']).toBeGreaterThan(20)
  } finally {
    socket.close()
  }
})

test('the system page says when InfluxDB was last written', async () => {
  const cookie = await cookieOf(live.hub.address, 'administrator')
  const answer = await fetch(`${live.hub.address}/api/v1/system`, { headers: { cookie } })
  const { sink } = System.parse(await answer.json())
  expect(sink).toMatchObject({ target: 'influx', error: null })
})
