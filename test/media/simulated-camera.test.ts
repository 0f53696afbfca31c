import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest'
import { openClips } from '../../simulators/h264-clip.ts'
import { startRtsp } from '../../simulators/rtsp-camera.ts'
import type { CameraFault } from '../../simulators/camera-stream.ts'
import { livePage, mediaRole } from '../support/media-role.ts'
import { probe } from '../support/mux-sample.ts'
import { until } from '../support/until.ts'

describe("the county's simulated cameras", () => {
  let cameras: Awaited<ReturnType<typeof startRtsp>>
  let media: Awaited<ReturnType<typeof mediaRole>>
  const account = { user: 'hub', password: 'demo' }
  const faults: CameraFault[] = ['stall', 'drops', 'offline', 'dark', 'wrong-password', 'garbage']
  const ids = ['plain', ...faults]

  beforeAll(async () => {
    cameras = await startRtsp({
      cameras: ids.map((deviceId) => ({ deviceId, ...account })),
      shelf: openClips(),
      seed: 1,
      clock: () => Date.now(),
      port: 0,
    })
    const url = (id: string) => `rtsp://127.0.0.1:${cameras.port}/${id}`
    media = await mediaRole(Object.fromEntries(ids.map((id) => [id, { url: url(id), ...account }])))
  })
  afterAll(async () => {
    await media.role.close()
    await cameras.close()
  })
  afterEach(() => ids.forEach((id) => cameras.fault(id, undefined)))

  test('a healthy one decodes without an error', async () => {
    const page = await livePage(media.port)
    page.play(0, 'plain')
    await until('50 pictures', () => page.messages.length > 50)
    const file = Buffer.concat(page.messages.slice(0, 51).map((message) => message.subarray(10)))
    expect(probe(file)).toMatchObject({ frames: 50, errors: '' })
    page.socket.terminate()
  })

  test.each<[CameraFault, string, string]>([
    ['offline', 'offline', 'unreachable'],
    ['dark', 'offline', 'timeout'],
    ['wrong-password', 'offline', 'wrong-password'],
  ])('one that is %s from the start is %s: %s', async (fault, state, message) => {
    cameras.fault(fault, fault)
    const page = await livePage(media.port)
    page.play(0, fault)
    await until(message, () => page.lastOf(0)?.message === message, 12_000)
    expect(page.lastOf(0)).toMatchObject({ state, lastFrameAt: null })
    page.socket.terminate()
  })

  test.each<CameraFault>(['stall', 'garbage'])(
    'one that begins to %s is stalled after 4 s and live again when it is mended',
    async (fault) => {
      const page = await livePage(media.port)
      page.play(0, fault)
      await page.live(0)
      cameras.fault(fault, fault)
      await until('stalled', () => page.lastOf(0)?.state === 'stalled', 6_000)
      cameras.fault(fault, undefined)
      await until('live', () => page.lastOf(0)?.state === 'live', 15_000)
      const states = page.notices.map((notice) => notice.state)
      const changes = states.filter((state, index) => state !== states[index - 1])
      expect(changes).toEqual(['connecting', 'live', 'stalled', 'live'])
      page.socket.terminate()
    },
    30_000,
  )
})
