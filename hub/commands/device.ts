import { randomBytes } from 'node:crypto'
import { text } from 'node:stream/consumers'
import { errors } from '../errors.ts'
import { DeviceKind, NewDevice } from '../schema/device.ts'
import { devicePrefix } from '../schema/native.ts'
import { commandActor, readArgs, withStores, type Command } from './command.ts'
import { secretHashOf } from './county.ts'

const options = {
  kind: { type: 'string' },
  region: { type: 'string' },
  name: { type: 'string' },
  place: { type: 'string' },
  model: { type: 'string' },
  lon: { type: 'string' },
  lat: { type: 'string' },
  heartbeat: { type: 'string' },
  'camera-url': { type: 'string' },
  'camera-user': { type: 'string' },
} as const

type Values = Partial<Record<keyof typeof options, string>>

/** A device from the command line. @throws BAD_REQUEST naming the first wrong option */
function deviceFrom(deviceId: string, values: Values): NewDevice {
  const { kind, lon, lat } = values
  const parsed = NewDevice.safeParse({
    deviceId,
    kind,
    model: values.model ?? `native/${kind}`,
    name: values.name ?? deviceId,
    region: values.region,
    place: values.place ?? '',
    position: lon && lat ? { lon: Number(lon), lat: Number(lat) } : null,
    heartbeatS: Number(values.heartbeat ?? 60),
    commissionedAt: Date.now(),
    camera: values['camera-url']
      ? { url: values['camera-url'], user: values['camera-user'] ?? null }
      : null,
  })
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw errors.badRequest(`The device's ${issue?.path.join('.')}: ${issue?.message}`)
}

const add: Command = {
  name: 'device add',
  takes: `ID --kind ${DeviceKind.options.join('|')} --region 12-DIGITS [--name TEXT] [--place TEXT] [--model MODEL] [--lon N --lat N] [--heartbeat S] [--camera-url RTSP [--camera-user NAME < password-file]]`,
  summary: 'register one device; prints its MQTT secret once',
  async run(args, print) {
    const { values, positionals } = readArgs(this, args, options, 1)
    const device = deviceFrom(positionals[0] ?? '', values)
    // A password on the command line would stand in the process list.
    const password = values['camera-user'] ? (await text(process.stdin)).trim() : undefined
    await withStores(({ registry, audit }) => {
      const region = registry.region(device.region)
      if (!region)
        throw errors.badRequest(
          `No region '${device.region}': import regions first, npm run hub -- import FILE (docs/operation.md)`,
        )
      if (region.level !== 'village')
        throw errors.badRequest(`--region must be a village; '${region.name}' is a ${region.level}`)
      const secret = randomBytes(32).toString('base64url')
      registry.addDevices([{ device, secretHash: secretHashOf(secret) }])
      if (password) registry.setCameraPassword(device.deviceId, password)
      audit.write({
        actor: commandActor,
        action: 'device.add',
        subject: device.deviceId,
        region: device.region,
        outcome: 'ok',
        detail: device.kind,
      })
      print(`client id and user name  ${device.deviceId}`)
      print(`secret (shown only now)  ${secret}`)
      print(`topics below             ${devicePrefix(device.region, device.deviceId)}`)
      print('A running hub lets it in within 2 seconds.')
    })
  },
}

export const deviceCommands: readonly Command[] = [add]
