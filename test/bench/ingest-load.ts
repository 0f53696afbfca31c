import { connect, type Socket } from 'node:net'
import mqttPacket from 'mqtt-packet'
import { LoadOrder, type LoadResult, monoMs } from './ingest-order.ts'
import { secretOf, topicOf } from '../support/mqtt-intake.ts'

interface Line {
  deviceId: string
  socket: Socket
  waiting: Map<number, LoadResult['alarms'][number]>
  beats: number
  messageId: number
}

/** The sender now knows that the alarm is on disk. */
function confirm(line: Line, id: number) {
  const alarm = line.waiting.get(id)
  if (alarm) alarm.confirmedAt = monoMs()
  line.waiting.delete(id)
}

async function dial({ port, replies }: LoadOrder, index: number): Promise<Line> {
  const deviceId = `dev-${index}`
  const socket = connect({ host: '127.0.0.1', port, noDelay: true })
  const line: Line = { deviceId, socket, waiting: new Map(), beats: 0, messageId: 0 }
  await new Promise<void>((resolve, reject) => {
    const parser = mqttPacket.parser({ protocolVersion: 4 })
    parser.on('packet', (packet) => {
      if (packet.cmd === 'connack')
        if (packet.returnCode === 0) resolve()
        else reject(new Error(`${deviceId} refused with ${packet.returnCode}`))
      if (packet.cmd === 'puback' && !replies) confirm(line, packet.messageId ?? 0)
      if (packet.cmd === 'publish') confirm(line, Number(packet.payload.toString()))
    })
    socket.on('data', (bytes) => parser.parse(bytes))
    socket.once('error', reject)
    socket.once('close', () => reject(new Error(`${deviceId} was closed`)))
    socket.write(
      mqttPacket.generate({
        cmd: 'connect',
        protocolId: 'MQTT',
        protocolVersion: 4,
        clean: true,
        clientId: deviceId,
        keepalive: 60,
        username: deviceId,
        password: Buffer.from(secretOf(deviceId)),
      }),
    )
    if (!replies) return
    socket.write(
      mqttPacket.generate({
        cmd: 'subscribe',
        messageId: 1,
        subscriptions: [{ topic: `ack/${deviceId}`, qos: 0 }],
      }),
    )
  })
  return line
}

const beat = (line: Line) =>
  mqttPacket.generate({
    cmd: 'publish',
    topic: topicOf(line.deviceId, 'hb'),
    qos: 0,
    dup: false,
    retain: false,
    payload: JSON.stringify({
      ts: Date.now(),
      seq: line.beats,
      uptime: line.beats++,
      rssi: -71,
      batt: 88,
      clk: 'ok',
      m: { open: false },
    }),
  })

function raise(line: Line, seq: number, replies: boolean): LoadResult['alarms'][number] {
  line.messageId = (line.messageId % 65_535) + 1
  const alarm = { key: `${line.deviceId} ${seq}`, sentAt: monoMs(), confirmedAt: undefined }
  line.waiting.set(replies ? seq : line.messageId, alarm)
  line.socket.write(
    mqttPacket.generate({
      cmd: 'publish',
      topic: topicOf(line.deviceId, 'a'),
      qos: 1,
      dup: false,
      retain: false,
      messageId: line.messageId,
      payload: JSON.stringify({
        boot: 'bench',
        seq,
        kind: 'intrusion',
        state: seq % 2 === 0 ? 'active' : 'cleared',
        point: '1',
        ts: Date.now(),
      }),
    }),
  )
  return alarm
}

/** Sends at both rates until the time is over; what is late is caught up, so the rate holds. */
async function load(order: LoadOrder): Promise<LoadResult> {
  const lines = await Promise.all(
    Array.from({ length: order.connections }, (_, index) => dial(order, index)),
  )
  const alarms: LoadResult['alarms'] = []
  const begun = monoMs()
  const from = begun + order.warmUpMs
  const end = from + order.measureMs
  let beats = 0
  let raised = 0
  await new Promise<void>((resolve) => {
    const timer = setInterval(() => {
      const now = monoMs()
      const dueBeats = Math.floor(((now - begun) / 1000) * order.heartbeatsPerS)
      for (; beats < dueBeats; beats++) {
        const line = lines[beats % lines.length]
        line?.socket.write(beat(line))
      }
      const dueAlarms = Math.floor(((now - begun) / 1000) * order.alarmsPerS)
      for (; raised < dueAlarms; raised++) {
        const line = lines[(raised * 7) % lines.length]
        const alarm = line && raise(line, order.firstSeq + raised, order.replies)
        if (alarm && now >= from && now < end) alarms.push(alarm)
      }
      if (now < end) return
      clearInterval(timer)
      resolve()
    }, 5)
  })
  // The last acknowledgements may still be on their way.
  const patience = monoMs() + 10_000
  while (lines.some((line) => line.waiting.size > 0) && monoMs() < patience)
    await new Promise((resolve) => setTimeout(resolve, 20))
  for (const { socket } of lines) socket.destroy()
  return { alarms, heartbeats: beats }
}

process.once('message', (message) => {
  void load(LoadOrder.parse(message)).then((result) => {
    process.send?.(result, () => process.exit(0))
  })
})
