import { createServer, type IncomingMessage } from 'node:http'
import type { Duplex } from 'node:stream'
import type { Logger } from 'pino'
import { Server, type Socket } from 'socket.io'
import { errors } from '../errors.ts'
import { allows, roomPolicy, whoMay, type Action } from '../rules/policy.ts'
import type { Clock } from '../rules/clock.ts'
import { levelOf } from '../rules/scope.ts'
import type { AlarmView } from '../schema/alarm.ts'
import { Watch, type HubEvents, type PageEvents } from '../schema/live.ts'
import { deviceStates } from '../schema/state.ts'
import type { AuditStore } from '../store/audit-store.ts'
import type { Connections } from './connections.ts'
import type { Visit } from './sessions.ts'
import type { World } from './world.ts'

/** Changes are gathered this long (100 pages at 1,000 changes/s: 3.5 % of a core against 62 % one by one). */
const flushMs = 200
const pulseMs = 1000
/** A page that reads nothing for a second while this much waits is cut; it comes back to a snapshot. */
const waitingBytes = 1_048_576
const waitingPackets = 256
const stuckFlushes = 5
/** However short the burst, more than this never waits for one page. */
const waitingMaxBytes = 16_777_216
const waitingMaxPackets = 10_000
/** Messages a page may send per second. */
const messagesMax = 20

/** Room prefixes this door uses. Each needs an entry in `roomPolicy`. */
export const roomPrefixes = ['pulse', 'devices', 'villages', 'alarms'] as const

interface Person {
  visit: Visit
  messages: number
}
type LiveSocket = Socket<PageEvents, HubEvents, Record<string, never>, Person>
type LiveServer = Server<PageEvents, HubEvents, Record<string, never>, Person>

/** An open page's raw socket, the packets that wait for it, and for how many looks too many did. */
interface Page {
  raw: Duplex
  waiting: number
  stuck: number
}

export interface LiveDeps {
  world: World
  clock: Clock
  connections: Connections
  audit: Pick<AuditStore, 'append'>
  log: Pick<Logger, 'error'>
  prefixes?: readonly string[]
}

export interface Live {
  /** Takes an upgrade that the dispatcher admitted. */
  accept(request: IncomingMessage, socket: Duplex, head: Buffer, visit: Visit): void
  /** Pages connected now. */
  count(): number
  /** Sends what changed since the last call; runs by itself each 200 ms. */
  flush(): void
  close(): Promise<void>
}

/** The rooms of a scope: who may not look into one is not let into it. */
function roomsOf(visit: Visit, scope: string) {
  const detail = levelOf(scope) === 'county' ? 'villages' : 'devices'
  const open: string[] = []
  const shut: Action[] = []
  for (const prefix of [detail, 'alarms']) {
    const need = roomPolicy[prefix] ?? 'public'
    if (need === 'public' || need === 'session')
      throw new Error(`room '${prefix}' needs an action: it is bound to a scope`)
    if (allows(visit.principal, need, scope)) open.push(`${prefix}:${scope}`)
    else shut.push(need)
  }
  return { open, shut }
}

function push(to: Map<string, number[]>, room: string, numbers: number[]) {
  const flat = to.get(room)
  if (flat) flat.push(...numbers)
  else to.set(room, numbers)
}

/** Flat changes per room, only for rooms somebody is in. */
function gather(world: World, isOpen: (room: string) => boolean) {
  const { devices, villages } = world.takeDirty()
  const table = world.table()
  const deltas = new Map<string, number[]>()
  const counts = new Map<string, number[]>()
  for (const n of devices) {
    const region = table.device(n)?.region ?? ''
    for (const room of [`devices:${region}`, `devices:${region.slice(0, 9)}`])
      if (isOpen(room))
        push(deltas, room, [n, table.code(n), table.since(n), table.seen(n), table.reasonCode(n)])
  }
  const counties = new Set(villages.map((code) => code.slice(0, 6)))
  for (const county of [...counties].filter((scope) => isOpen(`villages:${scope}`))) {
    const index = new Map(
      world
        .places()
        .villages(county)
        .map(({ scope }, i) => [scope, i]),
    )
    for (const code of villages) {
      const i = index.get(code)
      if (i === undefined) continue
      const six = table.villageCounts(code)
      const { open, unack } = world.alarms.count(code)
      const numbers = deviceStates.map((_state, state) => six[state] ?? 0)
      push(counts, `villages:${county}`, [i, ...numbers, open, unack])
    }
  }
  return { deltas, counts }
}

/** Lets a page into the rooms of one scope, out of those of the scope before. */
async function watch(
  socket: LiveSocket,
  deps: LiveDeps,
  asked: unknown,
): Promise<string | undefined> {
  const { world, audit, clock } = deps
  const { visit } = socket.data
  const parsed = Watch.safeParse(asked)
  if (!parsed.success) throw errors.badRequest('A scope has 6, 9 or 12 digits')
  const { scope } = parsed.data
  const { open, shut } = roomsOf(visit, scope)
  const known = world.places().get(scope) !== undefined
  if (open.length === 0 || !known) {
    if (known)
      audit.append({
        at: clock.now(),
        actor: visit.principal.id,
        action: 'live.watch',
        subject: scope,
        region: scope,
        outcome: 'refused',
        detail: shut.join(' '),
      })
    throw errors.regionNotFound(scope)
  }
  for (const room of socket.rooms)
    if (room !== socket.id && room !== 'pulse') await socket.leave(room)
  await socket.join(open)
  const [first] = shut
  return first && `Without ${first}: ask ${whoMay(first)}`
}

/** Serves one page for as long as its session lasts. */
function welcome(socket: LiveSocket, deps: LiveDeps, raw: Duplex, leave: () => void) {
  socket.once('disconnect', leave)
  void socket.join('pulse')
  // Counted before anybody looks what it is: 42,000 events/s of a name nobody listens to took 43 % of a core.
  socket.use((_event, next) => {
    socket.data.messages += 1
    if (socket.data.messages > messagesMax) raw.destroy()
    else next()
  })
  socket.on('watch', (asked, done) => {
    // Whatever a page sends, this process goes on: no callback is no answer.
    const answer = typeof done === 'function' ? done : () => undefined
    watch(socket, deps, asked).then(
      (message) => answer(message === undefined ? { ok: true } : { ok: true, message }),
      (error: unknown) => {
        const known = error instanceof Error && 'code' in error
        if (!known) deps.log.error({ err: error }, 'watch failed')
        answer({ ok: false, message: known ? error.message : errors.internal().message })
      },
    )
  })
}

/** True when a page does not take what it is sent; a burst alone is no reason. */
function isStuck(page: Page): boolean {
  const { raw, waiting } = page
  const slow = raw.writableLength > waitingBytes || waiting > waitingPackets
  page.stuck = slow ? page.stuck + 1 : 0
  const full = raw.writableLength > waitingMaxBytes || waiting > waitingMaxPackets
  return full || page.stuck >= stuckFlushes
}

/** Follows a page's queue by the engine's events. */
function openPage(socket: LiveSocket, raw: Duplex): Page {
  const page = { raw, waiting: 0, stuck: 0 }
  socket.conn.on('packetCreate', () => (page.waiting += 1))
  socket.conn.on('drain', () => (page.waiting = 0))
  return page
}

/**
 * The live door: state changes as one flat array per room each 200 ms, alarms at once, a pulse each
 * second. WebSocket only; the engine hangs on a server that never listens, since the dispatcher of
 * `upgrade.ts` is the only one that sees upgrades.
 *
 * @throws Error naming a room prefix without a policy entry: it stops the start
 */
export function liveDoor(deps: LiveDeps): Live {
  const { world, clock, connections } = deps
  for (const prefix of deps.prefixes ?? roomPrefixes)
    if (!Object.hasOwn(roomPolicy, prefix))
      throw new Error(`socket room '${prefix}' has no entry in hub/rules/policy.ts`)
  const io: LiveServer = new Server(createServer(), {
    transports: ['websocket'],
    serveClient: false,
    destroyUpgrade: false,
    maxHttpBufferSize: 4096,
    pingInterval: 10_000,
    pingTimeout: 10_000,
    connectTimeout: 5_000,
  })
  const visits = new WeakMap<IncomingMessage, { visit: Visit; raw: Duplex }>()
  const pages = new Map<LiveSocket, Page>()

  io.on('connection', (socket) => {
    const known = visits.get(socket.request)
    if (!known) {
      socket.disconnect(true)
      return
    }
    socket.data = { visit: known.visit, messages: 0 }
    pages.set(socket, openPage(socket, known.raw))
    welcome(socket, deps, known.raw, () => pages.delete(socket))
  })

  const isOpen = (room: string) => (io.of('/').adapter.rooms.get(room)?.size ?? 0) > 0
  function flush() {
    const { deltas, counts } = gather(world, isOpen)
    for (const [room, flat] of deltas) io.to(room).emit('delta', flat)
    for (const [room, flat] of counts) io.to(room).emit('villages', flat)
    for (const page of pages.values()) if (isStuck(page)) page.raw.destroy()
  }
  function pulse() {
    for (const socket of pages.keys()) socket.data.messages = 0
    const intakeAt = world.intakeAt()
    io.to('pulse').emit('pulse', { at: clock.now(), intakeAt, heartbeats: world.heartbeats() })
  }
  world.onAlarm((alarm: AlarmView) => {
    const rooms = [6, 9, 12].map((digits) => `alarms:${alarm.region.slice(0, digits)}`)
    io.to(rooms).emit('alarm', alarm)
  })
  world.onRefresh((why) => io.to('pulse').emit('refresh', why))
  const timers = [setInterval(flush, flushMs), setInterval(pulse, pulseMs)]

  return {
    accept(request, raw, head, visit) {
      const leave = connections.add(visit, () => raw.destroy())
      if (!leave) {
        raw.destroy()
        return
      }
      // Counted from the first byte on: a page that never finishes the handshake counts, too.
      raw.once('close', leave)
      visits.set(request, { visit, raw })
      const { engine } = io
      if (!('handleUpgrade' in engine) || typeof engine.handleUpgrade !== 'function')
        throw new Error('socket.io runs without its WebSocket engine')
      engine.handleUpgrade(request, raw, head)
    },
    count: () => pages.size,
    flush,
    async close() {
      for (const timer of timers) clearInterval(timer)
      connections.closeAll()
      await io.close()
    },
  }
}
