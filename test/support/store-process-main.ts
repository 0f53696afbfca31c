import { readFileSync } from 'node:fs'
import { applyAction } from '../../hub/rules/alarm.ts'
import { HubError } from '../../hub/errors.ts'
import { fileSeal } from '../../hub/store/seal.ts'
import { sqliteAlarms } from '../../hub/store/sqlite-alarms.ts'
import { sqliteAudit } from '../../hub/store/sqlite-audit.ts'
import { sqliteMetrics } from '../../hub/store/sqlite-metrics.ts'
import { county, edge } from './store-alarms.ts'
import { point, startAt } from './store-points.ts'

const [, , job = '', file = '', count = '0', name = ''] = process.argv
const busyTimeoutMs = 10_000

/** Waits until the message is out, so that nothing is told that a kill could take back. */
const tell = (message: unknown) =>
  new Promise<void>((resolve) => {
    if (process.send) process.send(message, () => resolve())
    else resolve()
  })

const numbers = Array.from({ length: Number(count) }, (_, n) => n)

const jobs: Record<string, () => Promise<void>> = {
  async open() {
    const store = await sqliteAlarms(file, { busyTimeoutMs })
    await tell(store.lastChange())
    store.close()
  },
  async seal() {
    fileSeal(file)
    await tell(readFileSync(file, 'hex'))
  },
  async accept() {
    const store = await sqliteAlarms(file, { busyTimeoutMs })
    for (const seq of numbers) {
      store.accept([edge({ deviceId: name, seq, receivedAt: 1_000 + seq })], [])
      await tell(seq)
    }
    store.close()
  },
  async acknowledge() {
    const store = await sqliteAlarms(file, { busyTimeoutMs })
    await tell('ready')
    for (const { id } of store.list({ regions: county, limit: 500 })) {
      try {
        store.change(id, (alarm) => applyAction(alarm, 'acknowledge', name, 2_000))
        await tell(id)
      } catch (error) {
        if (!(error instanceof HubError && error.code === 'ALARM_TAKEN')) throw error
      }
    }
    store.close()
  },
  async 'append-points'() {
    const store = await sqliteMetrics(file, { busyTimeoutMs })
    for (const n of numbers)
      store.append([point({ deviceId: name, at: startAt + n }), point({ deviceId: name })])
    store.close()
  },
  async 'append-audit'() {
    const store = await sqliteAudit(file, { busyTimeoutMs })
    for (const at of numbers) {
      const line = { at, actor: name, action: 'test', subject: '', region: null, detail: '' }
      await tell(store.append({ ...line, outcome: 'ok' }))
    }
    store.close()
  },
}

await jobs[job]?.()
process.disconnect?.()
