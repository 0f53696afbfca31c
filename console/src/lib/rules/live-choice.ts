import type { AlarmView } from '#schema/alarm.ts'
import type { Snapshot } from '#schema/live.ts'
import { isUnack } from './alarm-order.ts'

type Camera = Snapshot['cameras'][number]

export interface Chosen extends Camera {
  /** The camera of an alarm nobody has taken, or of its village. */
  alarmed: boolean
}

/**
 * Cameras for the duty screen's tiles: the alarming camera and its village's first, then those that
 * have a picture, then the rest; the hub's order otherwise, so that tiles stay where they are.
 *
 * @param isDown whether a camera's picture is known to be gone
 */
export function chooseCameras(
  cameras: readonly Camera[],
  alarms: readonly AlarmView[],
  isDown: (id: string) => boolean,
  tiles = 4,
): Chosen[] {
  const scenes = alarms.filter(isUnack)
  const urgent = scenes.filter(({ priority }) => priority <= 2)
  const places = (urgent.length > 0 ? urgent : scenes).map(({ region, deviceId }) => ({
    region,
    deviceId,
  }))
  const weight = (camera: Camera) => {
    const at = places.findIndex(
      ({ region, deviceId }) => camera.id === deviceId || camera.region === region,
    )
    if (at >= 0) return at + (camera.id === places[at]?.deviceId ? 0 : 0.5) - 1000
    return isDown(camera.id) ? 1 : 0
  }
  return cameras
    .map((camera, at) => ({ camera, at, weight: weight(camera) }))
    .sort((a, b) => a.weight - b.weight || a.at - b.at)
    .slice(0, tiles)
    .map(({ camera, weight: w }) => ({ ...camera, alarmed: w < 0 }))
}
