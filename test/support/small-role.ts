import { appendFileSync, existsSync, renameSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import type { RoleOrder, RoleReport, RoleStart } from '../../hub/schema/role.ts'

/**
 * A role that only listens: what the supervisor's tests fork. It notes what happens to it in
 * `<data folder>/events`, and files named `<role>.<behaviour>` there make it misbehave.
 */
const role = process.argv[2] ?? ''
process.on('SIGINT', () => {})
process.on('SIGTERM', () => {})
process.on('disconnect', () => process.exit(1))
process.on('message', (order: RoleOrder) => {
  if (order.type === 'start') start(order.start)
  else if (order.type === 'peers') put('peers', order)
  else if (!told('stuck')) {
    note('stop')
    process.exit(0)
  }
})

let folder = ''
const told = (behaviour: string) => existsSync(join(folder, `${role}.${behaviour}`))
const note = (what: string) => appendFileSync(join(folder, 'events'), `${role} ${what}\n`)
/** In one step, so that no reader sees half of it. */
function put(what: string, content: unknown) {
  const file = join(folder, `${role}.${what}`)
  writeFileSync(`${file}.new`, JSON.stringify(content))
  renameSync(`${file}.new`, file)
}
const report = (what: RoleReport) => process.send?.(what)

function start({ settings, mqttPort, mediaPort, busSecret }: RoleStart) {
  folder = settings.HUB_DATA_DIR
  note('start')
  if (told('crashes')) process.exit(3)
  if (told('hangs')) return
  if (told('fails')) {
    report({ type: 'failed', code: 'PORT_TAKEN', message: `${role}: the port is taken` })
    process.exitCode = 1
    process.disconnect()
    return
  }
  put('start', {
    mqttPort,
    mediaPort,
    busSecret,
    admin: settings.HUB_ADMIN_PASSWORD ?? null,
    hubVariables: Object.keys(process.env).filter((key) => key.startsWith('HUB_')),
  })
  const port =
    role === 'intake' ? settings.HUB_MQTT_PORT : role === 'web' ? settings.HUB_HTTP_PORT : 0
  const server = createServer().listen(port, '127.0.0.1', () => {
    const address = server.address()
    if (address === null || typeof address === 'string') throw new Error('no port')
    note('ready')
    const ports = { intake: 'mqtt', media: 'media', sink: undefined, web: 'http' }[role]
    report({ type: 'ready', ports: ports ? { [ports]: address.port } : {} })
    report({ type: 'metrics', metrics: { pid: process.pid } })
  })
}
