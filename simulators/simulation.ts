import type { CountyFile } from '../hub/schema/county-file.ts'
import { openControl } from './control.ts'
import { type Faults, faults } from './faults.ts'
import { type Fleet, startFleet } from './fleet.ts'
import { openClips } from './h264-clip.ts'
import { type LifePace, startLife } from './life.ts'
import { seeded, seedOf } from './random.ts'
import { type RtspServer, startRtsp } from './rtsp-camera.ts'
import { timerWheel } from './timer-wheel.ts'
import { noTruth, type Truth } from './truth.ts'

export interface SimulationOptions {
  county: CountyFile
  mqttHost: string
  mqttPort: number
  /** 0 takes a free one. */
  rtspPort: number
  /** Path of the control socket; absent = none. */
  control?: string | undefined
  life?: LifePace | undefined
  truth?: Truth | undefined
  keepaliveS?: number | undefined
  connectsPerS?: number | undefined
  clockLostShare?: number | undefined
  fillKbps?: number | undefined
  /** Milliseconds that never go back, for heartbeats, life and pictures; a test may run them faster. */
  now?: (() => number) | undefined
}

/** A running county. */
export interface Simulation {
  fleet: Fleet
  rtsp: RtspServer
  /** Carries out a command in words. */
  command: Faults
  close(): Promise<void>
}

/** Starts cameras, devices, their life and the control socket; `fleet.ready` tells when all are connected. */
export async function startSimulation(options: SimulationOptions): Promise<Simulation> {
  const { county, truth = noTruth } = options
  const clock = Date.now
  const now = options.now ?? (() => performance.now())
  const random = seeded(seedOf(county.seed, 'events'))
  const rtsp = await startRtsp({
    cameras: county.devices.flatMap(({ device, cameraPassword }) =>
      device.camera && cameraPassword !== null
        ? [
            {
              deviceId: device.deviceId,
              user: device.camera.user ?? '',
              password: cameraPassword,
            },
          ]
        : [],
    ),
    shelf: openClips(),
    seed: county.seed,
    clock,
    now,
    port: options.rtspPort,
    fillKbps: options.fillKbps,
  })
  const wheel = timerWheel({ now })
  const fleet = startFleet({
    county,
    broker: { host: options.mqttHost, port: options.mqttPort },
    wheel,
    clock,
    truth,
    cameraFps: (deviceId) => rtsp.fps(deviceId),
    // The clips themselves have about 90 kbit/s.
    cameraKbps: Math.max(90, options.fillKbps ?? 0),
    keepaliveS: options.keepaliveS,
    connectsPerS: options.connectsPerS,
    clockLostShare: options.clockLostShare,
  })
  const command = faults({ fleet, rtsp, regions: county.regions, clock, random, truth })
  startLife({ fleet, pace: options.life ?? 'none', random, wheel, clock, truth })

  const close = async () => {
    fleet.close()
    wheel.close()
    await rtsp.close()
    await truth.close()
  }
  try {
    const control = options.control ? await openControl(options.control, command) : undefined
    return {
      fleet,
      rtsp,
      command,
      close: async () => {
        await control?.close()
        await close()
      },
    }
  } catch (error) {
    await close()
    throw error
  }
}
