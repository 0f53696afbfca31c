import type { LiveNotice, LiveRequest } from '#schema/live.ts'
import { mseScreen } from './screen.ts'
import type { LiveSegment } from './segment.ts'
import { isStuck, verdict, type TileState } from './verdict.ts'

/** What a tile needs of the page's player. */
export interface TileHost {
  getGrant: (camera: string) => Promise<string>
  takeWire: (tile: Tile) => number | undefined
  releaseWire: (id: number) => void
  send: (request: LiveRequest) => void
  linkUp: () => boolean
  /** Hub's clock, epoch ms. */
  hubNow: () => number
}

export interface TileInput {
  camera: string
  video: HTMLVideoElement
  onState: (state: TileState) => void
}

export interface Tile {
  /** Asks for the picture, unless it was asked for already. */
  begin: () => void
  /** Shows a new grant for the running picture. */
  renew: () => void
  suspend: () => void
  noticed: (notice: LiveNotice) => void
  received: (segment: LiveSegment) => void
  linkLost: (why: 'lost' | 'session-ended') => void
  tick: () => void
  close: () => void
}

const tellEveryMs = 1_000
const restartEveryMs = 2_000
const askAgainMs = 5_000

/** One camera in one `<video>`. */
export function liveTile({ camera, video, onState }: TileInput, host: TileHost): Tile {
  let id: number | undefined
  let attempt = 0
  let closed = false
  let notice: LiveNotice | undefined
  let noticedAt = 0
  let framedAt: number | undefined
  let movedAt: number | undefined
  let waitingSince: number | undefined
  let shown = 0
  let restartedAt = -restartEveryMs
  let againAt: number | undefined
  let told = ''
  let toldAt = 0

  const screen = mseScreen(video, {
    unsupported: (codec) => noticed(own('codec', 'codec-unsupported', codec)),
    failed: () => restart(),
  })

  const own = (state: LiveNotice['state'], message: string, codec: string | null = null) => ({
    tile: id ?? -1,
    state,
    lastFrameAt: notice?.lastFrameAt ?? null,
    codec: codec ?? notice?.codec ?? null,
    message,
  })

  function noticed(next: LiveNotice) {
    notice = next
    noticedAt = performance.now()
    // A long day: the grant ran out, the session did not.
    if (next.state === 'refused' && next.message === 'grant-expired') askLater()
    tell(true)
  }

  function askLater() {
    againAt ??= performance.now() + askAgainMs
  }

  function leave() {
    attempt++
    againAt = undefined
    const last = id
    id = undefined
    if (last !== undefined) host.releaseWire(last)
  }

  /** Fetches a grant and plays; a newer attempt makes this one void. */
  function ask(wireId: number) {
    const mine = ++attempt
    const stillMine = () => mine === attempt && !closed
    host.getGrant(camera).then(
      (grant) => stillMine() && host.send({ op: 'play', tile: wireId, camera, grant }),
      (error: unknown) => stillMine() && ungranted(error),
    )
  }

  function ungranted(error: unknown) {
    if (isFinal(error)) noticed(own('refused', codeOf(error)))
    else askLater()
  }

  function begin() {
    if (closed || id !== undefined || !host.linkUp()) return
    id = host.takeWire(self)
    if (id === undefined) return noticed(own('refused', 'too-many-tiles'))
    screen.reset()
    if (notice?.state === 'refused' || notice?.state === 'codec') notice = undefined
    ask(id)
    tell(true)
  }

  function restart() {
    const now = performance.now()
    if (closed || now - restartedAt < restartEveryMs) return askLater()
    restartedAt = now
    leave()
    begin()
  }

  function tell(changed: boolean) {
    const now = performance.now()
    const state = verdict({
      now,
      framedAt,
      movedAt,
      waitingSince,
      notice,
      noticedAt,
      linkUp: host.linkUp(),
      hubNow: host.hubNow(),
      shownAt: screen.shownAt(),
    })
    const key = `${state.state} ${state.message} ${state.codec}`
    if (key === told && now - toldAt < tellEveryMs) return
    if (key !== told || !changed) {
      told = key
      toldAt = now
      onState(state)
    }
  }

  function tick() {
    const now = performance.now()
    screen.tick()
    const count = screen.shown()
    if (count !== shown && count > 0) movedAt = now
    shown = count
    const flowing = framedAt !== undefined && now - framedAt < 1_000
    if (againAt !== undefined && now >= againAt) restartNow()
    else if (flowing && isStuck({ now, movedAt, waitingSince })) restart()
    tell(false)
  }

  function restartNow() {
    restartedAt = performance.now()
    leave()
    begin()
  }

  const self: Tile = {
    begin,
    renew() {
      if (id !== undefined) ask(id)
    },
    suspend() {
      leave()
      framedAt = undefined
      movedAt = undefined
      waitingSince = undefined
      notice = undefined
    },
    noticed,
    received(segment) {
      framedAt = performance.now()
      waitingSince ??= framedAt
      screen.feed(segment)
      if (!told.startsWith('live')) tell(true)
    },
    linkLost(why) {
      id = undefined
      attempt++
      againAt = undefined
      waitingSince = undefined
      if (why === 'session-ended') noticed(own('refused', 'session-ended'))
      else tell(true)
    },
    tick,
    close() {
      closed = true
      leave()
      screen.close()
    },
  }
  tell(true)
  return self
}

const isFinal = (error: unknown) =>
  typeof error === 'object' &&
  error !== null &&
  'status' in error &&
  typeof error.status === 'number' &&
  error.status >= 400 &&
  error.status < 500

const codeOf = (error: unknown) =>
  typeof error === 'object' && error !== null && 'code' in error && typeof error.code === 'string'
    ? error.code
    : 'grant-refused'
