import { connect as connectMqtt } from 'mqtt'
import { spawnSync } from 'node:child_process'
import { afterEach, describe, expect, test } from 'vitest'
import { AlarmFrame, HeartbeatFrame, StatusFrame } from '../../hub/schema/native.ts'
import { type CountyPlan, makeCounty } from '../../simulators/county.ts'
import {
  type Simulation,
  type SimulationOptions,
  startSimulation,
} from '../../simulators/simulation.ts'
import { startLife } from '../../simulators/life.ts'
import { seeded } from '../../simulators/random.ts'
import { timerWheel } from '../../simulators/timer-wheel.ts'
import type { Truth, TruthLine } from '../../simulators/truth.ts'
import { mosquitto, type SimBroker, simBroker } from '../support/sim-broker.ts'
import { until } from '../support/until.ts'

/** 2 villages of 6 devices: 1 button, 1 camera, 3 lamps, 1 contact each; a beat a second. */
const plan: CountyPlan = {
  seed: 11,
  townships: 1,
  villagesPerTownship: 2,
  perVillage: 6,
  rtspPort: 8554,
  heartbeatS: 1,
  commissionedAt: 0,
}
const village = '339901100200'
const door = 'contact-100200-1'
const button = 'panic-100200-1'
const lamp = 'light-100200-1'
const eye = 'camera-100200-1'
const mainsOfVillage = [1, 2, 3].map((at) => `light-100200-${at}`).concat(eye)

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

/** A county on a broker of its own, everybody connected. */
async function living(change: Partial<SimulationOptions> = {}) {
  const county = makeCounty(plan)
  const broker = await simBroker(county)
  closing.push(() => broker.close())
  const told: TruthLine[] = []
  const truth: Truth = { tell: (line) => void told.push(line), close: async () => undefined }
  const simulation = await startSimulation({
    county,
    mqttHost: '127.0.0.1',
    mqttPort: broker.port,
    rtspPort: 0,
    truth,
    // Five beats a second.
    now: () => performance.now() * 5,
    ...change,
  })
  closing.push(() => simulation.close())
  expect(await simulation.fleet.ready(1, 15_000)).toBe(12)
  await until('every birth', () => births(broker).length === 12)
  return { county, broker, told, simulation }
}

const statuses = (broker: SimBroker, online: boolean) =>
  broker.published.filter(
    ({ branch, body }) => branch === 'status' && StatusFrame.parse(body).online === online,
  )
const births = (broker: SimBroker) => statuses(broker, true)
const wills = (broker: SimBroker) => statuses(broker, false).map(({ device }) => device)
const beats = (broker: SimBroker, device: string) => broker.of(device, 'hb').length
const alarms = (broker: SimBroker, device: string) =>
  broker.of(device, 'a').map(({ body }) => AlarmFrame.parse(body))

/** Waits until another device has beaten `count` times more: that much time has passed for all. */
async function passing(broker: SimBroker, witness: string, count: number) {
  const wanted = beats(broker, witness) + count
  await until(`${count} more beats of ${witness}`, () => beats(broker, witness) >= wanted)
}
const ok = (simulation: Simulation, words: string) => {
  const answer = simulation.command(words)
  expect(answer, answer.message).toMatchObject({ ok: true })
  return answer.message
}

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

describe('losses', () => {
  test('device killed: the will comes at once, and it stays away until it is back', async () => {
    const { broker, simulation } = await living()
    ok(simulation, `device killed ${lamp}`)
    await until('the will', () => wills(broker).length > 0)
    expect(wills(broker)).toEqual([lamp])
    await passing(broker, door, 3)
    expect(births(broker)).toHaveLength(12)
    ok(simulation, `device back ${lamp}`)
    await until('its birth', () => births(broker).length === 13)
  })

  test('device silent: the socket stays, nothing comes; it comes back by taking over', async () => {
    const { broker, simulation } = await living()
    await until('a beat', () => beats(broker, lamp) > 0)
    ok(simulation, `device silent ${lamp}`)
    await passing(broker, door, 1)
    const before = beats(broker, lamp)
    await passing(broker, door, 3)
    expect(beats(broker, lamp)).toBe(before)
    expect(broker.sockets()).toBe(12)
    expect(wills(broker)).toEqual([])
    ok(simulation, `device back ${lamp}`)
    await until('it beats again', () => beats(broker, lamp) > before)
    await until('the old socket to end', () => broker.sockets() === 12)
  })

  test('a silent device sends no PINGREQ either: the broker gives up and it stays silent', async () => {
    const { broker, simulation } = await living({ keepaliveS: 1 })
    ok(simulation, `device silent ${lamp}`)
    // [MQTT-3.1.2-24] one and a half times the keep-alive.
    await until('the will of the silent one', () => wills(broker).includes(lamp))
    await passing(broker, door, 3)
    expect(births(broker)).toHaveLength(12)
    expect(wills(broker)).toEqual([lamp])
  })

  test('power cut: lamps and cameras of the village vanish without a word, batteries go on', async () => {
    const { broker, simulation, told } = await living()
    const name = simulation.command(`power cut ${village}`)
    expect(name).toEqual({ ok: true, message: `power cut in ${village}: 4 devices dark` })
    await passing(broker, door, 1)
    const before = mainsOfVillage.map((device) => beats(broker, device))
    await passing(broker, door, 3)
    expect(mainsOfVillage.map((device) => beats(broker, device))).toEqual(before)
    await passing(broker, button, 1)
    await passing(broker, 'light-100201-1', 1)
    expect(wills(broker)).toEqual([])
    expect(simulation.rtsp.faultOf(eye)).toBe('dark')
    const lost = told.filter(({ what }) => what === 'power lost').map(({ device }) => device)
    expect(lost.toSorted()).toEqual(mainsOfVillage.toSorted())
    expect(simulation.command(`device back ${lamp}`)).toEqual({
      ok: false,
      message: `'${lamp}' has no power`,
    })

    ok(simulation, 'power back')
    await until('four births', () => births(broker).length === 16, 15_000)
    const boots = births(broker)
      .filter(({ device }) => device === lamp)
      .map(({ body }) => StatusFrame.parse(body).boot)
    expect(new Set(boots).size).toBe(2)
    expect(simulation.rtsp.faultOf(eye)).toBeUndefined()
  })

  test('power cut by name, of a township and of an unknown place', async () => {
    const { county, simulation } = await living()
    const named = county.regions.find(({ code }) => code === village)
    expect(ok(simulation, `power cut ${named?.name}`)).toContain('4 devices dark')
    expect(ok(simulation, 'power cut 339901100')).toContain('8 devices dark')
    expect(ok(simulation, 'power back 339901100000')).toContain('8 devices boot')
    expect(simulation.command('power cut 无名村').message).toContain("no region '无名村'")
    expect(simulation.command('power cut 339901999').ok).toBe(false)
  })
})

describe('commands', () => {
  test('camera faults reach the RTSP server and end with camera back', async () => {
    const { simulation } = await living()
    const words = {
      'camera freezes': 'freeze',
      'camera stalls': 'stall',
      'camera drops': 'drops',
      'camera offline': 'offline',
      'camera refuses password': 'wrong-password',
      'camera sends garbage': 'garbage',
    }
    for (const [command, fault] of Object.entries(words)) {
      ok(simulation, `${command} ${eye}`)
      expect(simulation.rtsp.faultOf(eye)).toBe(fault)
      ok(simulation, 'camera back')
      expect(simulation.rtsp.faultOf(eye)).toBeUndefined()
    }
  })

  test('a silent camera gives no picture either; camera back does not wake it', async () => {
    const { simulation } = await living()
    ok(simulation, `device silent ${eye}`)
    expect(simulation.rtsp.faultOf(eye)).toBe('dark')
    expect(simulation.command(`camera back ${eye}`).ok).toBe(false)
    ok(simulation, 'camera back')
    expect(simulation.rtsp.faultOf(eye)).toBe('dark')
    ok(simulation, 'device back')
    expect(simulation.rtsp.faultOf(eye)).toBeUndefined()
  })

  test('any takes a device the command fits', async () => {
    const { simulation, broker } = await living()
    expect(ok(simulation, 'door opens any')).toMatch(/^contact-/)
    expect(ok(simulation, 'lamp fails')).toMatch(/^light-/)
    expect(ok(simulation, 'battery low any')).toMatch(/^(contact|panic)-/)
    await until(
      'three alarms',
      () => broker.published.filter((one) => one.branch === 'a').length === 3,
    )
    const kinds = broker.published.filter(({ branch }) => branch === 'a').map(({ body }) => body)
    expect(kinds.map((body) => AlarmFrame.parse(body).kind).toSorted()).toEqual([
      'battery-low',
      'intrusion',
      'lamp-failure',
    ])
  })

  test.each([
    ['dance', /^cannot 'dance'; possible: door opens <contact \| any>, .*power cut/],
    [`door opens ${lamp}`, /is no contact$/],
    ['door opens contact-9', /^no device 'contact-9'/],
    [`camera freezes ${door}`, /is no camera$/],
    [`device back ${door}`, /is not away$/],
    ['power cut', /^no region ''/],
  ])('%s is refused in words', async (words, message) => {
    const { simulation } = await living()
    const answer = simulation.command(words)
    expect(answer.ok).toBe(false)
    expect(answer.message).toMatch(message)
  })
})

test.each([
  // 6 hours: at 215 s between two on average, 100 doors, three standard deviations either way.
  ['calm', 100, 30],
  ['busy', 1_080, 100],
  ['none', 0, 0],
] as const)(
  '%s: in 6 hours about %i doors open, each once, and close again',
  async (pace, mean, spread) => {
    const { simulation, told } = await living()
    let at = 0
    const wheel = timerWheel({ now: () => at })
    closing.push(() => wheel.close())
    const truth: Truth = { tell: (line) => void told.push(line), close: async () => undefined }
    const random = seeded(5)
    startLife({ fleet: simulation.fleet, pace, random, wheel, clock: () => at, truth })
    const doors = (what: string) => told.filter((line) => line.what === what).length
    for (; at < 6 * 3_600_000; at += 1_000) wheel.advance()
    expect(Math.abs(doors('door opens') - mean)).toBeLessThanOrEqual(spread)
    // With two doors only, some stand open already: no second alarm then.
    expect(doors('alarm intrusion active')).toBeLessThanOrEqual(doors('door opens'))
    expect(doors('alarm intrusion active') > mean / 4).toBe(pace !== 'none')
    expect(doors('alarm intrusion active') - doors('alarm intrusion cleared')).toBeLessThanOrEqual(
      2,
    )
    expect(doors('lamp flickers') > mean).toBe(pace !== 'none')
  },
)

test.skipIf(spawnSync('mosquitto', ['-h']).error)(
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
