import { fstatSync, readFileSync } from 'node:fs'
import type { CountyFile } from '../hub/schema/county-file.ts'
import { type SimulationOptions, startSimulation } from './simulation.ts'
import { noTruth, truthFile } from './truth.ts'

/** What `run` takes from the command line. */
export interface RunOptions extends Omit<SimulationOptions, 'truth' | 'rtspPort'> {
  /** Absent: the port in the cameras' addresses. */
  rtspPort: number | undefined
  truth: string | undefined
  readyWithinMs: number
}

/** Runs a county until a signal or the end of the parent; says `ready` on stdout and over IPC. */
export async function run(options: RunOptions) {
  checkDescriptors(options.county.devices.length)
  const stopping = untilStopped()
  const simulation = await startSimulation({
    ...options,
    rtspPort: options.rtspPort ?? portOf(options.county),
    truth: options.truth ? truthFile(options.truth) : noTruth,
  })
  const { fleet, rtsp } = simulation
  const devices = fleet.members.size
  await Promise.race([fleet.ready(0.99, options.readyWithinMs), stopping])
  const connected = fleet.connected()
  if (connected < devices * 0.99)
    process.stderr.write(
      `simulate: ${connected} of ${devices} devices connected; ${fleet.trouble() ?? 'still trying'}\n`,
    )
  const facts = { devices, connected, rtspPort: rtsp.port, control: options.control }
  process.stdout.write(`ready ${JSON.stringify(facts)}\n`)
  // The parent may be gone already; then `stopping` has resolved.
  if (process.connected) process.send?.('ready')
  await stopping
  await simulation.close()
  // A parent's open channel would keep a stopped simulator alive.
  if (process.connected) process.disconnect()
  process.stdin.destroy()
}

/** Descriptors kept for viewers, files and the runtime. */
const otherDescriptors = 200

/** @throws Error when each device cannot have a socket of its own; where there is no /proc, tries. */
function checkDescriptors(devices: number) {
  const limit = openFiles()
  if (devices + otherDescriptors > limit)
    throw new Error(
      `${devices} devices need more than the ${limit} open files allowed here: raise 'ulimit -n' or make a smaller county`,
    )
}

function openFiles(): number {
  try {
    const [, soft] =
      /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8')) ?? []
    return Number(soft ?? Number.POSITIVE_INFINITY)
  } catch {
    return Number.POSITIVE_INFINITY
  }
}

/** Port all cameras' addresses name; 0 (a free one) when there is no camera. */
function portOf({ devices }: CountyFile): number {
  const url = devices.find(({ device }) => device.camera)?.device.camera?.url
  return url ? Number(new URL(url).port || 554) : 0
}

/**
 * Resolves when the run should end: SIGTERM, SIGINT, the parent's IPC channel closed, or a pipe on
 * stdin closed: a simulator never outlives the demo that started it.
 */
function untilStopped(): Promise<void> {
  return new Promise((resolve) => {
    process.once('SIGTERM', () => resolve())
    process.once('SIGINT', () => resolve())
    process.once('disconnect', () => resolve())
    if (!isPipe(0)) return
    process.stdin.once('end', () => resolve())
    process.stdin.once('error', () => resolve())
    process.stdin.resume()
  })
}

/** True for a pipe or socket; a terminal or /dev/null says nothing about the parent. */
function isPipe(descriptor: number): boolean {
  try {
    const stat = fstatSync(descriptor)
    return stat.isFIFO() || stat.isSocket()
  } catch {
    return false
  }
}
