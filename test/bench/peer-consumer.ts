import { DatabaseSync } from 'node:sqlite'
import { connect } from 'mqtt'
import { z } from 'zod'
import { AlarmFrame, HeartbeatFrame } from '../../hub/schema/native.ts'
import { monoMs } from './ingest-order.ts'

/**
 * The peer's second half: `node peer-consumer.ts <port> <file>`. What a careful engineer writes
 * behind mosquitto: parse, check, note the sign of life, commit alarms with synchronous=FULL, all
 * that arrived in one tick in one transaction, and tell the sender. Answers `times` with [key, commit time] pairs.
 */
const [port = '', file = ''] = process.argv.slice(2)
const db = new DatabaseSync(file)
db.exec(`pragma journal_mode = wal; pragma synchronous = full;
  create table event (deviceId text, boot text, seq integer, kind text, point text, state text,
    at integer, primary key (deviceId, boot, seq)) without rowid`)
const insert = db.prepare('insert or ignore into event values (?, ?, ?, ?, ?, ?, ?)')
const Heartbeat = z.compile(HeartbeatFrame)
const Alarm = z.compile(AlarmFrame)
const lastSeen = new Map<string, number>()
let times: [string, number][] = []
let queue: { deviceId: string; frame: AlarmFrame }[] = []

function commit() {
  const batch = queue
  queue = []
  db.exec('begin immediate')
  for (const { deviceId, frame } of batch)
    insert.run(
      deviceId,
      frame.boot ?? null,
      frame.seq ?? null,
      frame.kind,
      frame.point,
      frame.state,
      Date.now(),
    )
  db.exec('commit')
  const at = monoMs()
  for (const { deviceId, frame } of batch) {
    times.push([`${deviceId} ${frame.seq}`, at])
    client.publish(`ack/${deviceId}`, String(frame.seq))
  }
}

const client = connect({ host: '127.0.0.1', port: Number(port), protocolVersion: 4 })
client.on('connect', () => {
  client.subscribe(['jf/v1/+/+/+/+/hb', 'jf/v1/+/+/+/+/a'], { qos: 1 }, () =>
    process.send?.({ ready: true }),
  )
})
client.on('message', (topic, payload) => {
  const [, , , , , deviceId = '', branch] = topic.split('/')
  const body: unknown = JSON.parse(payload.toString())
  if (branch === 'hb') {
    if (Heartbeat.safeParse(body).success) lastSeen.set(deviceId, performance.now())
    return
  }
  const frame = Alarm.safeParse(body)
  if (!frame.success) return
  if (queue.length === 0) setImmediate(commit)
  queue.push({ deviceId, frame: frame.data })
})
process.on('message', (message) => {
  if (message !== 'times') return
  process.send?.({ times })
  times = []
})
