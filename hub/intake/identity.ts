import { hash, timingSafeEqual } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import type { Device } from '../schema/device.ts'
import { devicePrefix } from '../schema/native.ts'
import { type RoleName, roleNames } from '../schema/role.ts'
import type { Quarantined, RegistryStore } from '../store/registry-store.ts'
import type { Speaker } from './acl.ts'

/** A registered device as intake knows it; one object per device, kept current in place. */
export interface Sender extends Speaker {
  kind: 'device' | 'gateway'
  device: Device
}
export interface RoleSpeaker extends Speaker {
  kind: 'role'
  role: RoleName
}
export type Identity = Sender | RoleSpeaker

/** Why a CONNECT was refused. Only the first two leave a quarantine row. */
export type RefusedConnect =
  | Quarantined['reason']
  | 'empty-client-id'
  | 'name-differs'
  | 'bad-role'
  | 'role-not-local'

export interface Knock {
  clientId: string
  username: string | undefined
  password: Uint8Array | undefined
  /** Address of the socket. */
  remote: string
}

export interface Identities {
  /** Who knocks, or why it is refused. Equal work whether the device exists or not. */
  judge(knock: Knock): Identity | RefusedConnect
  /** The device as registered now; undefined = not (any more). */
  sender(deviceId: string): Sender | undefined
  size(): number
  /** Reads the registry again; returns the devices that are new or have other settings than before. */
  reload(): Device[]
  /** True when the device still has the secret it was admitted with. */
  stillValid(sender: Sender): boolean
}

export const sha256 = (bytes: Uint8Array | string) => hash('sha256', bytes, 'buffer')

/** True for the hub's own machine, IPv4-mapped addresses included. */
export const isLoopback = (remote: string) =>
  remote === '::1' || remote.startsWith('127.') || remote.startsWith('::ffff:127.')

const toSender = (device: Device): Sender => ({
  kind: device.kind === 'gateway' ? 'gateway' : 'device',
  prefix: devicePrefix(device.region, device.deviceId),
  device,
})

/**
 * Identities of the MQTT door. Secrets of devices are 256 random bits, so one SHA-256 is enough
 * (argon2id at 29 ms each would make a county's reconnect take 15 minutes); compared in constant time.
 */
export function identities(deps: {
  registry: Pick<RegistryStore, 'allDevices' | 'secretHash'>
  busSecret: string
}): Identities {
  const senders = new Map<string, Sender>()
  /** Hashes by device id as the registry had them when first asked; emptied on each reload. */
  const secrets = new Map<string, Buffer | undefined>()
  const admittedWith = new WeakMap<Sender, Buffer>()
  const busHash = sha256(deps.busSecret)
  /** Compared with when there is nothing to compare with. */
  const nobody = sha256(crypto.randomUUID())

  function secretOf(deviceId: string): Buffer | undefined {
    if (secrets.has(deviceId)) return secrets.get(deviceId)
    const hex = deps.registry.secretHash(deviceId)
    const bytes = hex ? Buffer.from(hex, 'hex') : undefined
    secrets.set(deviceId, bytes?.length === 32 ? bytes : undefined)
    return secrets.get(deviceId)
  }

  function judgeRole(knock: Knock, given: Buffer): Identity | RefusedConnect {
    const role = roleNames.find((name) => `hub-${name}` === knock.clientId)
    if (!timingSafeEqual(given, busHash) || role === undefined) return 'bad-role'
    return isLoopback(knock.remote) ? { kind: 'role', role, prefix: '' } : 'role-not-local'
  }

  function reload(): Device[] {
    const changed: Device[] = []
    const gone = new Set(senders.keys())
    for (const device of deps.registry.allDevices()) {
      gone.delete(device.deviceId)
      const known = senders.get(device.deviceId)
      if (known === undefined) {
        senders.set(device.deviceId, toSender(device))
        changed.push(device)
        continue
      }
      if (isDeepStrictEqual(known.device, device)) continue
      Object.assign(known, toSender(device))
      changed.push(device)
    }
    for (const deviceId of gone) senders.delete(deviceId)
    secrets.clear()
    return changed
  }

  return {
    judge(knock) {
      if (knock.clientId === '') return 'empty-client-id'
      if (knock.username !== knock.clientId) return 'name-differs'
      const given = sha256(knock.password ?? '')
      if (knock.clientId.startsWith('hub-')) return judgeRole(knock, given)
      const sender = senders.get(knock.clientId)
      const secret = sender && secretOf(knock.clientId)
      const same = timingSafeEqual(given, secret ?? nobody)
      if (sender === undefined) return 'unknown-device'
      if (secret === undefined || !same) return 'wrong-secret'
      admittedWith.set(sender, secret)
      return sender
    },
    sender: (deviceId) => senders.get(deviceId),
    size: () => senders.size,
    reload,
    stillValid(sender) {
      if (senders.get(sender.device.deviceId) !== sender) return false
      const now = secretOf(sender.device.deviceId)
      const then = admittedWith.get(sender)
      return now !== undefined && then !== undefined && timingSafeEqual(now, then)
    },
  }
}
