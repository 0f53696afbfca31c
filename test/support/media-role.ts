import { once } from 'node:events'
import { WebSocket } from 'ws'
import type { Bus, BusTopic } from '../../hub/bus/bus.ts'
import { startMedia, type MediaDeps } from '../../hub/media/role.ts'
import { grantLifeMs, makeGrant, mediaDoorKey, mediaHeaders } from '../../hub/rules/grant.ts'
import type { CameraSource } from '../../hub/schema/device.ts'
import { liveFrame, type LiveNotice } from '../../hub/schema/live.ts'
import type { Point } from '../../hub/schema/metric.ts'
import { Settings } from '../../hub/schema/settings.ts'
import type { Session } from '../../hub/store/people-store.ts'
import { keptLog } from './store-log.ts'
import { until } from './until.ts'

export const grantSecret = 'grant-secret-of-this-test'
export const sessionA = 'a'.repeat(64)
export const sessionB = 'b'.repeat(64)

export interface TestCamera {
  url: string
  user?: string
  password?: string
}

/** The media role over a registry, sessions and a bus that live in the test. */
export async function mediaRole(cameras: Record<string, TestCamera>, networks = '127.0.0.0/8') {
  const listeners = new Map<BusTopic, (body: Uint8Array) => void>()
  const points: Point[] = []
  const sessions = new Map<string, Session>()
  const { log, lines } = keptLog()
  const people: MediaDeps['people'] = { session: (idHash) => sessions.get(idHash) }
  const signIn = (idHash: string) =>
    sessions.set(idHash, {
      idHash,
      userId: 'u',
      createdAt: 0,
      lastAt: 0,
      expiresAt: Date.now() + 1e9,
    })
  signIn(sessionA)
  signIn(sessionB)
  const bus: Pick<Bus, 'on'> = {
    on(topic, listener) {
      listeners.set(topic, listener)
      return () => listeners.delete(topic)
    },
  }
  const role = await startMedia({
    start: { grantSecret, settings: Settings.parse({ HUB_CAMERA_NETWORKS: networks }) },
    clock: { now: () => Date.now(), mono: () => performance.now() },
    log,
    people,
    bus,
    pointEveryMs: 500,
    metrics: { append: (batch) => (points.push(...batch), 0) },
    registry: {
      device: (deviceId) => {
        const camera = cameras[deviceId]
        return camera && device(deviceId, { url: camera.url, user: camera.user ?? null })
      },
      cameraPassword: (deviceId) => cameras[deviceId]?.password,
    },
  })
  return {
    role,
    port: role.ports.media ?? 0,
    points,
    lines,
    cameras,
    sessions,
    hint: (topic: BusTopic, body = '') => listeners.get(topic)?.(Buffer.from(body)),
  }
}

const device = (deviceId: string, camera: CameraSource) => ({
  n: 0,
  deviceId,
  kind: 'camera' as const,
  model: 'rtsp/camera',
  name: deviceId,
  region: '339901001001',
  place: '',
  position: null,
  heartbeatS: 60,
  commissionedAt: 0,
  camera,
})

export const grantFor = (camera: string, session = sessionA, now = Date.now()) =>
  makeGrant({ camera, session, from: now, exp: now + grantLifeMs }, grantSecret)

/** A page's live socket as web would pass it on. */
export async function livePage(port: number, session = sessionA, headers?: Record<string, string>) {
  const socket = new WebSocket(`ws://127.0.0.1:${port}/media/live`, {
    headers: headers ?? {
      [mediaHeaders.key]: mediaDoorKey(grantSecret),
      [mediaHeaders.session]: session,
    },
  })
  const notices: LiveNotice[] = []
  const messages: Buffer[] = []
  let closed: number | undefined
  socket.on('message', (data: Buffer, binary) => {
    if (binary) messages.push(data)
    else notices.push(JSON.parse(data.toString()) as LiveNotice)
  })
  socket.on('close', (code) => {
    closed = code
  })
  await once(socket, 'open')
  const of = (tile: number, type: number) =>
    messages.filter((message) => message[0] === tile && message[1] === type)
  return {
    socket,
    notices,
    messages,
    of,
    closed: () => closed,
    play: (tile: number, camera: string, grant = grantFor(camera, session)) =>
      socket.send(JSON.stringify({ op: 'play', tile, camera, grant })),
    stop: (tile: number) => socket.send(JSON.stringify({ op: 'stop', tile })),
    lastOf: (tile: number) => notices.findLast((notice) => notice.tile === tile),
    live: (tile: number, withinMs = 8_000) =>
      until(
        `tile ${tile} live`,
        () => of(tile, liveFrame.init).length > 0 && of(tile, liveFrame.delta).length > 0,
        withinMs,
      ),
  }
}
