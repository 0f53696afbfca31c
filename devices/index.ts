import { nativeContact } from './alarms/native-contact.ts'
import { nativePanic } from './alarms/native-panic.ts'
import { nativeCamera } from './cameras/native-camera.ts'
import type { DeviceModel } from './device.ts'
import { nativeLight } from './lights/native-light.ts'

/** Every model the hub knows. Adding one is a file and a line here. */
export const models: readonly DeviceModel[] = [
  nativeContact,
  nativePanic,
  nativeLight,
  nativeCamera,
]

/** Model by its stored id; undefined = the hub cannot read this device. */
export function modelById(list: readonly DeviceModel[] = models): ReadonlyMap<string, DeviceModel> {
  return new Map(list.map((model) => [model.model, model]))
}
