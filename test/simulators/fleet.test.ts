import { connect as connectMqtt } from 'mqtt'
import { afterEach, describe, expect, test } from 'vitest'
import { HeartbeatFrame, StatusFrame } from '../../hub/schema/native.ts'
import { makeCounty } from '../../simulators/county.ts'
import { startSimulation } from '../../simulators/simulation.ts'
import { mosquitto, mosquittoInstalled, simBroker } from '../support/sim-broker.ts'
import {
  alarms,
  beats,
  births,
  button,
  countyBench,
  door,
  eye,
  lamp,
  ok,
  passing,
  plan,
  wills,
} from '../support/sim-county.ts'
import { until } from '../support/until.ts'

const { living, closing, close } = countyBench()
afterEach(() => close())

describe('connections', () => {
  test('each device has its own identity, a retained birth, and beats in order', async () => {
    const { broker, county } = await living()
    expect(broker.refused).toEqual([])
    for (const { topic, device, body, qos, retain } of births(broker)) {
      const { region, model, heartbeatS } =
        county.devices.find((one) => one.device.deviceId === device)?.device ?? {}
      expect(topic).toBe(`jf/v1/339901/100/${region?.slice(9)}/${device}/status`)
      expect(StatusFrame.strict().parse(body)).toMatchObject({ model, hb: heartbeatS })
      expect([qos, retain]).toEqual([1, true])
    }
    await until('3 beats of each', () =>
      county.devices.every(({ device }) => beats(broker, device.deviceId) >= 3),
    )
    for (const { device } of county.devices) {
      const frames = broker
        .of(device.deviceId, 'hb')
        .map(({ body }) => HeartbeatFrame.strict().parse(body))
      expect(frames.map(({ seq }) => seq)).toEqual(frames.map((_frame, at) => at))
    }
    expect(broker.of(lamp, 'hb')[0]).toMatchObject({ qos: 0, retain: false })
  })

  test('a camera tells frames and rate of its stream, and 0 while it stalls', async () => {
    const { broker, simulation } = await living({ fillKbps: 2_000 })
    const readings = () => HeartbeatFrame.parse(broker.of(eye, 'hb').at(-1)?.body ?? { seq: 0 }).m
    await until('a beat', () => readings()?.['fps'] === 25)
    expect(readings()?.['bitrate']).toBeGreaterThan(1_600)
    expect(readings()?.['bitrate']).toBeLessThan(2_400)
    ok(simulation, `camera stalls ${eye}`)
    await until('a beat without frames', () => readings()?.['fps'] === 0)
    expect(readings()?.['bitrate']).toBe(0)
  })

  test('beats are spread: devices do not beat in step', async () => {
    const { broker, told } = await living()
    await passing(broker, door, 3)
    const order = broker.published
      .filter(({ branch }) => branch === 'hb')
      .map(({ device }) => device)
      .slice(0, 12)
    const connected = told.filter(({ what }) => what === 'connected').map(({ device }) => device)
    expect(order).not.toEqual(connected)
  })

  test('a wrong secret is refused, tried again later, and named', async () => {
    const county = makeCounty(plan)
    const broker = await simBroker(makeCounty(plan))
    closing.push(() => broker.close())
    const options = { county, mqttHost: '127.0.0.1', mqttPort: broker.port, rtspPort: 0 }
    const simulation = await startSimulation(options)
    closing.push(() => simulation.close())
    await until('a second try of each', () => broker.refused.length >= 24)
    expect(simulation.fleet.connected()).toBe(0)
    expect(simulation.fleet.trouble()).toMatch(/^12 devices: .*(refused|authorized|password)/i)
  })

  test('a broker that ends all connections gets all of them back, same boot, with jitter', async () => {
    const { broker, told, simulation } = await living()
    const boots = new Set(births(broker).map(({ body }) => StatusFrame.parse(body).boot))
    broker.dropAll()
    await until('everybody again', () => births(broker).length === 24)
    expect(simulation.fleet.connected()).toBe(12)
    const after = births(broker).map(({ body }) => StatusFrame.parse(body).boot)
    expect(new Set(after)).toEqual(boots)
    const back = told.filter(({ what }) => what === 'connected').slice(12)
    const spread = Math.max(...back.map(({ at }) => at)) - Math.min(...back.map(({ at }) => at))
    // 0.5 to 1.5 s of the simulation, at five times its speed.
    expect(spread).toBeGreaterThanOrEqual(50)
  })

  test('closing drops every connection, so that the broker publishes every will', async () => {
    const { broker, simulation } = await living()
    await simulation.close()
    await until('12 wills', () => wills(broker).length === 12)
    expect(broker.sockets()).toBe(0)
  })
})

describe('alarms', () => {
  test('an opened door is one alarm with boot and sequence, closing it the next', async () => {
    const { broker, simulation, told } = await living()
    expect(ok(simulation, `door opens ${door}`)).toContain(`${door}: door opens, alarm 0`)
    ok(simulation, `door closes ${door}`)
    await until('two alarms', () => alarms(broker, door).length === 2)
    const [boot] = births(broker)
      .filter(({ device }) => device === door)
      .map(({ body }) => StatusFrame.parse(body).boot)
    expect(alarms(broker, door)).toMatchObject([
      { boot, seq: 0, kind: 'intrusion', state: 'active', prio: 2 },
      { boot, seq: 1, kind: 'intrusion', state: 'cleared', prio: 2 },
    ])
    expect(broker.of(door, 'a')[0]).toMatchObject({ qos: 1, retain: false, dup: false })
    expect(told).toContainEqual(
      expect.objectContaining({ device: door, what: 'alarm intrusion active', boot, seq: 0 }),
    )
  })

  test('an alarm is sent again until it is acknowledged: same boot, same sequence, DUP', async () => {
    const { broker, simulation } = await living()
    broker.holdAlarms = true
    ok(simulation, `panic pressed ${button}`)
    ok(simulation, `panic pressed ${button}`)
    await until('the first try', () => alarms(broker, button).length === 1)
    broker.holdAlarms = false
    broker.dropAll()
    await until('both', () => alarms(broker, button).length === 3)
    expect(alarms(broker, button).map(({ seq }) => seq)).toEqual([0, 0, 1])
    expect(broker.of(button, 'a').map(({ dup }) => dup)).toEqual([false, true, false])
    const link = simulation.fleet.members.get(button)?.link
    await until('no alarm to wait', () => link?.waiting === 0)
    expect(link?.acknowledged).toBe(2)
  })

  test('while the broker is away 64 alarms are kept, the oldest given up, and that is told', async () => {
    const { broker, simulation, told } = await living()
    ok(simulation, `device silent ${button}`)
    const link = simulation.fleet.members.get(button)?.link
    for (let press = 0; press < 70; press++) link?.raise({ kind: 'panic', state: 'pulse', prio: 1 })
    expect(link?.waiting).toBe(64)
    expect(told.filter(({ what }) => what === 'alarm given up').map(({ seq }) => seq)).toEqual([
      0, 1, 2, 3, 4, 5,
    ])
    ok(simulation, `device back ${button}`)
    await until('64 alarms', () => alarms(broker, button).length === 64)
    expect(alarms(broker, button).map(({ seq }) => seq)).toEqual(
      Array.from({ length: 64 }, (_, at) => at + 6),
    )
  })
})

if (!mosquittoInstalled)
  process.stderr.write(
    'SKIPPED mosquitto in test/simulators/fleet.test.ts: apt install mosquitto\n',
  )

test.skipIf(!mosquittoInstalled)(
  'mosquitto keeps the births and publishes a will (a broker nobody here wrote)',
  async () => {
    const broker = await mosquitto()
    closing.push(() => broker.close())
    const simulation = await startSimulation({
      county: makeCounty(plan),
      mqttHost: '127.0.0.1',
      mqttPort: broker.port,
      rtspPort: 0,
    })
    closing.push(() => simulation.close())
    expect(await simulation.fleet.ready(1, 15_000)).toBe(12)
    const seen = new Map<string, StatusFrame>()
    const observer = connectMqtt({ host: '127.0.0.1', port: broker.port })
    closing.push(() => observer.endAsync(true))
    observer.on('message', (topic, payload) => {
      seen.set(topic.split('/').at(-2) ?? '', StatusFrame.parse(JSON.parse(payload.toString())))
    })
    await observer.subscribeAsync('jf/v1/+/+/+/+/status', { qos: 1 })
    await until(
      '12 retained births',
      () => [...seen.values()].filter((s) => s.online).length === 12,
    )
    simulation.command(`device killed ${lamp}`)
    await until('the will', () => seen.get(lamp)?.online === false)
  },
)
