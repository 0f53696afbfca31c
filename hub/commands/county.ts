import { hash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { errors } from '../errors.ts'
import { CountyFile } from '../schema/county-file.ts'
import { commandActor, readArgs, withStores, type Command, type CommandStores } from './command.ts'

/** SHA-256 hex of a device's secret: what the registry keeps of it. */
export const secretHashOf = (secret: string) => hash('sha256', secret)

/** Reads and checks a county file whole. @throws BAD_REQUEST naming the first wrong place */
export function readCountyFile(path: string): CountyFile {
  let content: unknown
  try {
    content = JSON.parse(readFileSync(path, 'utf8'))
  } catch (error) {
    const why = error instanceof Error ? error.message : ''
    throw errors.badRequest(`The county file '${path}' cannot be read: ${why}`)
  }
  const parsed = CountyFile.safeParse(content)
  if (parsed.success) return parsed.data
  const [issue] = parsed.error.issues
  throw errors.badRequest(
    `The county file '${path}' is wrong at ${issue?.path.join('.') || 'its top'}: ${issue?.message}`,
  )
}

/**
 * Puts a county's regions and devices into the registry. Devices that are known already stay as they
 * are, so a second import changes nothing.
 */
export function importCounty(
  { registry, audit }: Pick<CommandStores, 'registry' | 'audit'>,
  county: CountyFile,
): { regions: number; added: number; known: number } {
  const known = new Set(registry.allDevices().map(({ deviceId }) => deviceId))
  const fresh = county.devices.filter(({ device }) => !known.has(device.deviceId))
  const changedRegions = county.regions.filter(
    (region) => JSON.stringify(registry.region(region.code)) !== JSON.stringify(region),
  )
  if (changedRegions.length > 0) registry.putRegions(changedRegions)
  if (fresh.length > 0)
    registry.addDevices(
      fresh.map(({ device, secret }) => ({
        device,
        secretHash: secret === null ? null : secretHashOf(secret),
      })),
    )
  for (const { device, cameraPassword } of fresh)
    if (cameraPassword !== null) registry.setCameraPassword(device.deviceId, cameraPassword)
  const counts = {
    regions: changedRegions.length,
    added: fresh.length,
    known: county.devices.length - fresh.length,
  }
  audit.write({
    actor: commandActor,
    action: 'registry.import',
    subject: `seed ${county.seed}`,
    region: null,
    outcome: 'ok',
    detail: JSON.stringify(counts),
  })
  return counts
}

export const importCommand: Command = {
  name: 'import',
  takes: 'COUNTY-FILE',
  summary: 'register the regions and devices of a county file; known devices stay as they are',
  async run(args, print) {
    const { positionals } = readArgs(this, args, {}, 1)
    const county = readCountyFile(positionals[0] ?? '')
    await withStores((stores) => {
      const { regions, added, known } = importCounty(stores, county)
      print(`${regions} regions written, ${added} devices added, ${known} already known`)
    })
  },
}
