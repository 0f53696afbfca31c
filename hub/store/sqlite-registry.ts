import { dirname, join } from 'node:path'
import type { DatabaseSync } from 'node:sqlite'
import { z } from 'zod'
import { errors } from '../errors.ts'
import { CameraSource, Device } from '../schema/device.ts'
import { Position, Region } from '../schema/region.ts'
import { registryMigrations } from './migrations/registry.ts'
import type { DeviceQuery, RegistryStore } from './registry-store.ts'
import { fileSeal, freshSeal, type Seal } from './seal.ts'
import { inRelaxedTransaction, inTransaction, openSqlite } from './sqlite.ts'

export interface SqliteRegistryOptions {
  busyTimeoutMs: number
  /** What locks camera passwords; by default the key file `seal.key` beside the database. */
  seal?: Seal | undefined
}

const quarantineRows = 10_000

const json = <Shape extends z.ZodType>(shape: Shape) =>
  z
    .string()
    .transform((text): unknown => JSON.parse(text))
    .pipe(shape)

const RegionRow = Region.extend({
  center: json(Position).nullable(),
  outline: json(z.array(z.tuple([z.number(), z.number()]))).nullable(),
})
const DeviceRow = Device.extend({
  position: json(Position).nullable(),
  camera: json(CameraSource).nullable(),
})
const QuarantinedRow = z.object({
  clientId: z.string(),
  remote: z.string(),
  firstAt: z.int(),
  lastAt: z.int(),
  tries: z.int(),
  reason: z.enum(['unknown-device', 'wrong-secret']),
})

const text = (value: unknown) => (value === null ? null : JSON.stringify(value))

/**
 * Opens the registry part of `registry.db`.
 *
 * @throws STORE_NEWER
 * @throws CONFIG_INVALID when the key file is not fit to be used
 */
export async function sqliteRegistry(
  file: string,
  { busyTimeoutMs, seal }: SqliteRegistryOptions,
): Promise<RegistryStore> {
  const db = await openSqlite(file, registryMigrations, { busyTimeoutMs, synchronous: 'full' })
  const lock = seal ?? (file === ':memory:' ? freshSeal() : fileSeal(keyFileBeside(file)))
  const count = db.prepare("select value from counter where name = 'registry'")
  const touch = db.prepare("update counter set value = value + 1 where name = 'registry'")
  const changing = <Result>(work: () => Result): Result =>
    inTransaction(db, () => {
      const result = work()
      touch.run()
      return result
    })
  return {
    ...regionTable(db, changing),
    ...deviceTable(db, changing),
    ...secretColumns(db, changing, lock),
    ...quarantineTable(db),
    lastChange: () => z.int().parse(count.get()?.value),
    close: () => db.close(),
  }
}

/** Where the key of sealed passwords lies: in the data folder, apart from the databases' backups. */
export const keyFileBeside = (file: string) => join(dirname(file), 'seal.key')

type Changing = <Result>(work: () => Result) => Result

function regionTable(db: DatabaseSync, changing: Changing) {
  const put = db.prepare(
    `insert into region (code, level, name, center, outline) values (?, ?, ?, ?, ?)
     on conflict (code) do update set level = excluded.level, name = excluded.name,
       center = excluded.center, outline = excluded.outline`,
  )
  const list = db.prepare(
    'select code, level, name, center, outline from region where code between ? and ? order by code',
  )
  const byCode = db.prepare('select code, level, name, center, outline from region where code = ?')
  return {
    putRegions: (regions: readonly Region[]) =>
      changing(() => {
        for (const { code, level, name, center, outline } of regions)
          put.run(code, level, name, text(center), text(outline))
      }),
    regions: (range = { from: '0'.repeat(12), to: '9'.repeat(12) }) =>
      list.all(range.from, range.to).map((row) => RegionRow.parse(row)),
    region: (code: string) => RegionRow.optional().parse(byCode.get(code)),
  }
}

const deviceColumns = Object.keys(Device.shape).join(', ')

function deviceTable(
  db: DatabaseSync,
  changing: Changing,
): Pick<RegistryStore, 'addDevices' | 'device' | 'devices' | 'allDevices'> {
  const add = db.prepare(
    `insert into device (${deviceColumns}, secretHash)
     values (:n, :deviceId, :kind, :model, :name, :region, :place, :position, :heartbeatS,
       :commissionedAt, :camera, :secretHash)
     on conflict (deviceId) do nothing`,
  )
  const next = db.prepare('select coalesce(max(n) + 1, 0) as n from device')
  const byId = db.prepare(`select ${deviceColumns} from device where deviceId = ?`)
  const all = db.prepare(`select ${deviceColumns} from device order by n`)
  const page = db.prepare(
    `select ${deviceColumns} from device
     where region between :from and :to and n > :after
       and (:kinds is null or kind in (select value from json_each(:kinds)))
       and (:text is null or instr(lower(name || char(10) || deviceId || char(10) || place), :text))
     order by n limit :limit`,
  )
  return {
    addDevices: (devices) =>
      changing(() => {
        const first = z.int().parse(next.get()?.n)
        return devices.map(({ device, secretHash }, index) => {
          const row: Device = { ...device, n: first + index }
          const { position, camera, ...plain } = row
          const packed = { ...plain, position: text(position), camera: text(camera), secretHash }
          if (add.run(packed).changes === 0) throw errors.deviceExists(device.deviceId)
          return row
        })
      }),
    device: (deviceId) => DeviceRow.optional().parse(byId.get(deviceId)),
    devices: ({ regions, kinds, text: part, after = -1, limit }: DeviceQuery) =>
      page
        .all({
          from: regions.from,
          to: regions.to,
          after,
          kinds: kinds ? JSON.stringify(kinds) : null,
          text: part ? part.toLowerCase() : null,
          limit,
        })
        .map((row) => DeviceRow.parse(row)),
    allDevices: () => all.all().map((row) => DeviceRow.parse(row)),
  }
}

function secretColumns(db: DatabaseSync, changing: Changing, lock: Seal) {
  const hash = db.prepare('select secretHash from device where deviceId = ?')
  const setHash = db.prepare('update device set secretHash = ? where deviceId = ?')
  const sealed = db.prepare('select cameraPassword from device where deviceId = ?')
  const setSealed = db.prepare('update device set cameraPassword = ? where deviceId = ?')
  return {
    secretHash: (deviceId: string) => {
      const row = hash.get(deviceId)
      return row && z.string().nullable().parse(row.secretHash)
    },
    setSecretHash: (deviceId: string, secretHash: string | null) =>
      changing(() => {
        if (setHash.run(secretHash, deviceId).changes === 0) throw errors.deviceNotFound(deviceId)
      }),
    setCameraPassword: (deviceId: string, password: string) =>
      changing(() => {
        const { changes } = setSealed.run(lock.seal(password, deviceId), deviceId)
        if (changes === 0) throw errors.deviceNotFound(deviceId)
      }),
    cameraPassword: (deviceId: string) => {
      const password = sealed.get(deviceId)?.cameraPassword
      return password instanceof Uint8Array ? lock.open(password, deviceId) : undefined
    },
  }
}

function quarantineTable(db: DatabaseSync): Pick<RegistryStore, 'quarantine' | 'quarantined'> {
  const put = db.prepare(
    `insert into quarantine (clientId, remote, firstAt, lastAt, tries, reason)
     values (:clientId, :remote, :at, :at, 1, :reason)`,
  )
  const again = db.prepare(
    `update quarantine set remote = :remote, lastAt = :at, tries = tries + 1, reason = :reason
     where clientId = :clientId`,
  )
  const trim = db.prepare(
    `delete from quarantine where clientId in (
       select clientId from quarantine order by lastAt
       limit max(0, (select count(*) from quarantine) - ?))`,
  )
  const list = db.prepare('select * from quarantine order by lastAt desc limit ?')
  return {
    quarantine: ({ clientId, remote, at, reason }) =>
      inRelaxedTransaction(db, () => {
        if (again.run({ clientId, remote, at, reason }).changes > 0) return
        put.run({ clientId, remote, at, reason })
        trim.run(quarantineRows)
      }),
    quarantined: (limit) => list.all(limit).map((row) => QuarantinedRow.parse(row)),
  }
}
