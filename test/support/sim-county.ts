import { AlarmFrame, StatusFrame } from '../../hub/schema/native.ts'
import { type CountyPlan, makeCounty } from '../../simulators/county.ts'
import {
  type Simulation,
  type SimulationOptions,
  startSimulation,
} from '../../simulators/simulation.ts'
import type { Truth, TruthLine } from '../../simulators/truth.ts'
import { type SimBroker, simBroker } from './sim-broker.ts'
import { until } from './until.ts'

/** 2 villages of 6 devices: 1 button, 1 camera, 3 lamps, 1 contact each; a beat a second. */
export const plan: CountyPlan = {
  seed: 11,
  townships: 1,
  villagesPerTownship: 2,
  perVillage: 6,
  rtspPort: 8554,
  heartbeatS: 1,
  commissionedAt: 0,
}
export const village = '339901100200'
export const door = 'contact-100200-1'
export const button = 'panic-100200-1'
export const lamp = 'light-100200-1'
export const eye = 'camera-100200-1'
export const mainsOfVillage = [1, 2, 3].map((at) => `light-100200-${at}`).concat(eye)

/** A truth that only remembers. */
export function memoryTruth(): Truth & { told: TruthLine[] } {
  const told: TruthLine[] = []
  return { told, tell: (line) => void told.push(line), close: async () => undefined }
}

/** Counties on brokers for one test file; `close` after each test ends all of them. */
export function countyBench() {
  const closing: (() => unknown)[] = []
  /** A county on a broker of its own, everybody connected; five beats a second. */
  async function living(change: Partial<SimulationOptions> = {}) {
    const county = makeCounty(plan)
    const broker = await simBroker(county)
    closing.push(() => broker.close())
    const truth = memoryTruth()
    const simulation = await startSimulation({
      county,
      mqttHost: '127.0.0.1',
      mqttPort: broker.port,
      rtspPort: 0,
      truth,
      now: () => performance.now() * 5,
      ...change,
    })
    closing.push(() => simulation.close())
    await until('every birth', () => births(broker).length === county.devices.length)
    return { county, broker, told: truth.told, simulation }
  }
  async function close() {
    for (const end of closing.splice(0).toReversed()) await end()
  }
  return { living, closing, close }
}

const statuses = (broker: SimBroker, online: boolean) =>
  broker.published.filter(
    ({ branch, body }) => branch === 'status' && StatusFrame.parse(body).online === online,
  )
export const births = (broker: SimBroker) => statuses(broker, true)
export const wills = (broker: SimBroker) => statuses(broker, false).map(({ device }) => device)
export const beats = (broker: SimBroker, device: string) => broker.of(device, 'hb').length
export const alarms = (broker: SimBroker, device: string) =>
  broker.of(device, 'a').map(({ body }) => AlarmFrame.parse(body))

/** Waits until another device has beaten `count` times more: that much time has passed for all. */
export async function passing(broker: SimBroker, witness: string, count: number) {
  const wanted = beats(broker, witness) + count
  await until(`${count} more beats of ${witness}`, () => beats(broker, witness) >= wanted)
}

/** Carries out a command that must work; returns its answer. */
export function ok(simulation: Simulation, words: string): string {
  const answer = simulation.command(words)
  if (!answer.ok) throw new Error(`'${words}': ${answer.message}`)
  return answer.message
}
