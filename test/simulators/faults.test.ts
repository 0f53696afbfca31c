import { afterEach, describe, expect, test } from 'vitest'
import { AlarmFrame, StatusFrame } from '../../hub/schema/native.ts'
import { startLife } from '../../simulators/life.ts'
import { seeded } from '../../simulators/random.ts'
import { timerWheel } from '../../simulators/timer-wheel.ts'
import type { TruthLine } from '../../simulators/truth.ts'
import {
  beats,
  births,
  button,
  countyBench,
  door,
  eye,
  lamp,
  mainsOfVillage,
  memoryTruth,
  ok,
  passing,
  village,
  wills,
} from '../support/sim-county.ts'
import { until } from '../support/until.ts'

const { living, closing, close } = countyBench()
afterEach(() => close())

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
    const truth = { ...memoryTruth(), tell: (line: TruthLine) => void told.push(line) }
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
