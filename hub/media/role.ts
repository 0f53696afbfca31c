import { randomBytes } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import { networkInterfaces } from 'node:os'
import type { Logger } from 'pino'
import type { Bus } from '../bus/bus.ts'
import { errors } from '../errors.ts'
import type { Clock } from '../rules/clock.ts'
import type { Point } from '../schema/metric.ts'
import type { RoleStart, RunningRole } from '../schema/role.ts'
import type { MetricsStore } from '../store/metrics-store.ts'
import type { PeopleStore } from '../store/people-store.ts'
import type { RegistryStore } from '../store/registry-store.ts'
import { asFault } from './fault.ts'
import { openDoor } from './live/door.ts'
import type { Pull } from './live/pull.ts'
import { liveSource, type Source, type Viewer } from './live/source.ts'
import { addressJudge, type AddressJudge, type Lookup } from './rtsp/address.ts'
import { pullRtsp, type RtspTarget } from './rtsp/client.ts'

export interface MediaDeps {
  start: Pick<RoleStart, 'settings' | 'grantSecret'>
  clock: Clock
  log: Logger
  registry: Pick<RegistryStore, 'device' | 'cameraPassword'>
  metrics: Pick<MetricsStore, 'append'>
  bus: Pick<Bus, 'on'>
  /** Where open sockets' sessions are looked up; without it only hints that name a session end one. */
  people?: Pick<PeopleStore, 'session'>
  /** Another resolver than the system's. */
  lookup?: Lookup
  /** How often each active camera writes its `stream` point, ms. */
  pointEveryMs?: number
}

/** Starts the media role: the live door on a free loopback port, cameras pulled while watched. */
export async function startMedia(deps: MediaDeps): Promise<RunningRole> {
  const { start, clock, log, registry, bus, people } = deps
  const pull = puller(judgeOf(start.settings.HUB_CAMERA_NETWORKS), deps.lookup ?? resolve)
  const sources = new Map<string, Source>()

  function targetOf(camera: string): RtspTarget | undefined {
    const source = registry.device(camera)?.camera
    if (!source) return undefined
    const password = registry.cameraPassword(camera)
    const credential =
      source.user === null ? undefined : { user: source.user, password: password ?? '' }
    return { url: source.url, credential }
  }

  function watch(camera: string, viewer: Viewer) {
    const running = sources.get(camera)
    if (running) return running.join(viewer)
    const target = targetOf(camera)
    if (!target) return undefined
    const source: Source = liveSource({
      camera,
      target,
      pull,
      clock,
      random: Math.random,
      log,
      idle: () => {
        if (sources.get(camera) === source) sources.delete(camera)
      },
    })
    sources.set(camera, source)
    return source.join(viewer)
  }

  /** The registry changed: cameras whose address or password is another begin again. */
  function look() {
    for (const [camera, source] of sources) {
      const target = targetOf(camera)
      if (target && !sameTarget(target, source.target())) source.retarget(target)
      else if (!target) source.remove()
    }
  }

  /** A session still stands; media judges by the database, the hint only says "look". */
  function stands(session: string): boolean {
    if (!people) return true
    const found = people.session(session)
    return found !== undefined && found.expiresAt > clock.now()
  }

  const { grantSecret } = start
  const door = await openDoor({ grantSecret, clock, watch, stands })
  const ends = [
    bus.on('sessions', (body) => door.recheck(Buffer.from(body).toString('utf8'))),
    bus.on('registry', look),
  ]
  const report = pointWriter(deps, sources)
  const timer = setInterval(() => {
    // A hint may be lost; the registry is the truth.
    look()
    report()
  }, deps.pointEveryMs ?? 10_000)
  log.info({ port: door.port }, 'media ready')

  return {
    ports: { media: door.port },
    metrics: () => gauges(door, sources),
    async close() {
      clearInterval(timer)
      for (const end of ends) end()
      await door.close()
      for (const source of sources.values()) source.close()
    },
  }
}

function judgeOf(setting: string): AddressJudge {
  const own = Object.values(networkInterfaces()).flatMap((each) => each ?? [])
  try {
    return addressJudge(
      setting,
      own.map(({ address }) => address),
    )
  } catch (error) {
    throw errors.configInvalid(`HUB_CAMERA_NETWORKS: ${asFault(error).message}`)
  }
}

const resolve: Lookup = (host) => lookup(host, { all: true, verbatim: true })

const puller =
  (judge: AddressJudge, resolver: Lookup): Pull =>
  (target, listener) =>
    pullRtsp(target, listener, {
      lookup: resolver,
      judge,
      cnonce: () => randomBytes(8).toString('hex'),
    })

const sameTarget = (one: RtspTarget, other: RtspTarget) =>
  one.url === other.url &&
  one.credential?.user === other.credential?.user &&
  one.credential?.password === other.credential?.password

/** One `stream` point per active camera: rates since its last one, or since its pull began. */
function pointWriter({ registry, metrics, clock, log }: MediaDeps, sources: Map<string, Source>) {
  const before = new Map<string, { frames: number; bytes: number; lost: number; mono: number }>()
  return () => {
    const points: Point[] = []
    const mono = clock.mono()
    for (const camera of before.keys()) if (!sources.has(camera)) before.delete(camera)
    for (const [camera, source] of sources) {
      const { frames, bytes, lost, viewers, state, startedMono } = source.stats()
      const last = before.get(camera) ?? { frames: 0, bytes: 0, lost: 0, mono: startedMono }
      before.set(camera, { frames, bytes, lost, mono })
      const device = registry.device(camera)
      if (!device || mono <= last.mono) continue
      const seconds = (mono - last.mono) / 1000
      const fields = {
        fps: round((frames - last.frames) / seconds),
        bitrateKbps: round(((bytes - last.bytes) * 8) / 1000 / seconds),
        frames: frames - last.frames,
        lost: lost - last.lost,
        viewers,
        state,
      }
      const at = clock.now()
      points.push({
        series: 'stream',
        deviceId: camera,
        kind: 'camera',
        region: device.region,
        at,
        fields,
      })
    }
    if (points.length === 0) return
    try {
      metrics.append(points)
    } catch (error) {
      // The pictures go on; the next points show what was missed only as a hole.
      log.warn({ err: error }, 'stream points not written')
    }
  }
}

const round = (value: number) => Math.round(value * 10) / 10

function gauges(door: Awaited<ReturnType<typeof openDoor>>, sources: Map<string, Source>) {
  let frames = 0
  let lost = 0
  let live = 0
  let gopBytes = 0
  for (const source of sources.values()) {
    const stats = source.stats()
    frames += stats.frames
    lost += stats.lost
    gopBytes += stats.gopBytes
    if (stats.state === 'live') live++
  }
  return {
    media_sources: sources.size,
    media_sources_live: live,
    media_frames_received: frames,
    media_packets_lost: lost,
    media_gop_bytes: gopBytes,
    media_sockets: door.sockets(),
    media_tiles: door.tiles(),
    media_sent_bytes_total: door.counts.sentBytes,
    media_sent_frames_total: door.counts.sentFrames,
    media_skipped_frames_total: door.counts.skippedFrames,
    media_refused_total: door.counts.refused,
  }
}
