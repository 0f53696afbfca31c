import type { Logger } from 'pino'
import type { Clock } from '../../rules/clock.ts'
import { liveFrame, type LiveNotice } from '../../schema/live.ts'
import { StreamFault } from '../fault.ts'
import type { RtspTarget } from '../rtsp/client.ts'
import { groupOfPictures } from './gop.ts'
import { liveMessage, type LiveMessage } from './message.ts'
import { pullPictures, type Pull, type PullMemory } from './pull.ts'
import { frameAges, pictureState, retryMs } from './state.ts'

/** What a tile is told besides pictures. */
export type SourceNotice = Omit<LiveNotice, 'tile'>

/** One who watches a camera. */
export interface Viewer {
  notice(notice: SourceNotice): void
  init(init: LiveMessage): void
  /** `burst` = one of the stored pictures handed over at joining. */
  frame(frame: LiveMessage, burst: boolean): void
}

export interface SourceDeps {
  camera: string
  target: RtspTarget
  pull: Pull
  clock: Clock
  /** 0..1 */
  random(): number
  log: Pick<Logger, 'info' | 'warn'>
  /** The source stopped and nobody watches: forget it. */
  idle(): void
  times?: SourceTimes
}

export interface SourceTimes {
  stalledMs: number
  offlineMs: number
  /** How long a pull goes on after its last viewer. */
  lingerMs: number
  tickMs: number
}

export const sourceTimes: SourceTimes = { ...frameAges, lingerMs: 30_000, tickMs: 250 }

// A camera that ran this long has recovered: its next failure begins with a short wait.
const healthyMs = 10_000

export type Source = ReturnType<typeof liveSource>

/** One camera: pulled while somebody watches, each picture built once and handed to every viewer. */
export function liveSource(deps: SourceDeps) {
  const { camera, pull, clock, log, times = sourceTimes } = deps
  const viewers = new Set<Viewer>()
  const gop = groupOfPictures()
  const memory: PullMemory = { timeline: undefined, fragments: 0 }
  const counts = { frames: 0, bytes: 0, lost: 0, reconnects: 0 }
  let target = deps.target
  let connection: ReturnType<typeof pullPictures> | undefined
  let init: { message: LiveMessage; codec: string } | undefined
  let fault: StreamFault | undefined
  let last: { at: number; mono: number } | undefined
  let connectedMono = 0
  let startedMono = 0
  let tries = 0
  let running = false
  let told = ''
  let ticker: NodeJS.Timeout | undefined
  let retry: NodeJS.Timeout | undefined
  let linger: NodeJS.Timeout | undefined

  const ageMs = () => (last ? clock.mono() - last.mono : undefined)
  const notice = (): SourceNotice => {
    const state = pictureState({ ageMs: ageMs(), fault }, times)
    const silent = state === 'stalled' || state === 'offline' || state === 'codec'
    const message = silent ? (fault?.code ?? null) : null
    return { state, lastFrameAt: last?.at ?? null, codec: init?.codec ?? null, message }
  }

  function tell() {
    const now = notice()
    // lastFrameAt moves with every frame: only a change of verdict is news.
    const key = `${now.state} ${now.codec} ${now.message}`
    if (key === told) return
    told = key
    for (const viewer of viewers) viewer.notice(now)
  }

  function connect() {
    clearTimeout(retry)
    connectedMono = clock.mono()
    const elapsed = ageMs()
    if (elapsed !== undefined) memory.timeline?.restart(elapsed)
    connection = pullPictures(
      { pull, target, clock, memory },
      {
        init: ({ bytes, sps }) => {
          gop.clear()
          init = {
            message: liveMessage(bytes, liveFrame.init, clock.now()),
            codec: sps.codec,
          }
          tell()
          for (const viewer of viewers) viewer.init(init.message)
        },
        fragment: onFragment,
        ended,
      },
    )
  }

  function onFragment({ bytes, key }: { bytes: Buffer; key: boolean }) {
    const at = clock.now()
    const message = liveMessage(bytes, key ? liveFrame.key : liveFrame.delta, at)
    last = { at, mono: clock.mono() }
    fault = undefined
    counts.frames++
    gop.add(message)
    if (!told.startsWith('live')) tell()
    for (const viewer of viewers) viewer.frame(message, false)
  }

  function ended(reason: StreamFault) {
    settleCounts()
    if (clock.mono() - connectedMono > healthyMs && last && last.mono > connectedMono) tries = 0
    fault = reason
    const waitMs = retryMs(reason, tries++, deps.random())
    log.warn({ camera, code: reason.code, detail: reason.message, waitMs }, 'camera lost')
    counts.reconnects++
    tell()
    if (running) retry = setTimeout(connect, waitMs)
  }

  function settleCounts() {
    if (!connection) return
    counts.bytes += connection.bytes()
    counts.lost += connection.lost()
    connection = undefined
  }

  function tick() {
    tell()
    if (!connection) return
    const since = Math.max(last?.mono ?? 0, connectedMono)
    if (clock.mono() - since < times.offlineMs) return
    connection.close()
    ended(new StreamFault('timeout', 'no decodable picture'))
  }

  function start() {
    if (running) return
    running = true
    startedMono = clock.mono()
    log.info({ camera }, 'pull begins')
    ticker = setInterval(tick, times.tickMs)
    connect()
  }

  function stop() {
    if (!running) return
    running = false
    clearInterval(ticker)
    clearTimeout(retry)
    clearTimeout(linger)
    connection?.close()
    settleCounts()
    gop.clear()
    log.info({ camera }, 'pull ends')
  }

  return {
    /** Begins to watch; the stored pictures come at once. Returns the function that ends it. */
    join(viewer: Viewer): () => void {
      clearTimeout(linger)
      start()
      viewers.add(viewer)
      const now = notice()
      viewer.notice(now)
      // Pictures of a camera that stands still are not handed out: they would look like live ones.
      if (init && now.state === 'live') {
        viewer.init(init.message)
        for (const frame of gop.frames()) viewer.frame(frame, true)
      }
      return () => {
        if (!viewers.delete(viewer) || viewers.size > 0 || !running) return
        linger = setTimeout(() => {
          stop()
          deps.idle()
        }, times.lingerMs)
      }
    },
    /** The camera's address or password changed: begin again at once. */
    retarget(next: RtspTarget) {
      target = next
      if (!running) return
      connection?.close()
      settleCounts()
      clearTimeout(retry)
      tries = 0
      fault = undefined
      gop.clear()
      connect()
      tell()
    },
    /** The camera left the registry: its viewers are told, the pull ends now. */
    remove() {
      stop()
      fault = new StreamFault('no-such-channel', 'the camera is no longer registered')
      last = undefined
      tell()
      deps.idle()
    },
    target: () => target,
    stats: () => ({
      frames: counts.frames,
      bytes: counts.bytes + (connection?.bytes() ?? 0),
      lost: counts.lost + (connection?.lost() ?? 0),
      reconnects: counts.reconnects,
      viewers: viewers.size,
      gopBytes: gop.bytes(),
      state: notice().state,
      startedMono,
    }),
    close: stop,
  }
}
