import type { AlarmView } from '#schema/alarm.ts'
import type { Snapshot } from '#schema/live.ts'
import { isUnack } from './alarm-order.ts'

type Camera = Snapshot['cameras'][number]

export interface Chosen extends Camera {
  /** Shows an alarm nobody has taken: red frame. */
  alarmed: boolean
}

/** Red frames at once: two alarms may be watched side by side, more is a wall of red. */
const framesMost = 2

/**
 * Cameras for the duty screen's tiles: those of alarms nobody has taken first (the alarming camera
 * itself, or the first of its village), then the rest of these villages, then cameras that have a
 * picture, one of each village before a second of any; the hub's order otherwise, so that tiles stay
 * where they are.
 *
 * @param isDown whether a camera's picture is known to be gone
 */
export function chooseCameras(
  cameras: readonly Camera[],
  alarms: readonly AlarmView[],
  isDown: (id: string) => boolean,
  tiles = 4,
): Chosen[] {
  const scenes = alarms.filter((alarm) => isUnack(alarm) && alarm.priority <= 2)
  const framed = new Set<string>()
  for (const { deviceId, region } of scenes) {
    if (framed.size >= framesMost) break
    const there = cameras.filter((camera) => camera.region === region && !framed.has(camera.id))
    const scene =
      there.find(({ id }) => id === deviceId) ?? there.find(({ id }) => !isDown(id)) ?? there[0]
    if (scene) framed.add(scene.id)
  }
  const places = new Set(scenes.map(({ region }) => region))
  const weight = ({ id, region }: Camera) => {
    if (framed.has(id)) return 0
    return (places.has(region) ? 1 : 2) + (isDown(id) ? 2 : 0)
  }
  const taken = new Map<string, number>()
  const turnOf = (camera: Camera) => {
    const key = `${camera.region} ${weight(camera)}`
    const turn = taken.get(key) ?? 0
    taken.set(key, turn + 1)
    return turn
  }
  return cameras
    .map((camera, at) => ({ camera, at, weight: weight(camera), turn: turnOf(camera) }))
    .sort((a, b) => a.weight - b.weight || a.turn - b.turn || a.at - b.at)
    .slice(0, tiles)
    .map(({ camera }) => ({ ...camera, alarmed: framed.has(camera.id) }))
}
