import type { IncomingMessage, Server } from 'node:http'
import { connect } from 'node:net'
import type { Duplex } from 'node:stream'
import { HubError, errors } from '../errors.ts'
import { mediaDoorKey, mediaHeaders } from '../rules/grant.ts'
import { mayEver, mediaPolicy, whoMay } from '../rules/policy.ts'
import type { Clock } from '../rules/clock.ts'
import type { AuditStore } from '../store/audit-store.ts'
import type { Connections } from './connections.ts'
import { cookieName, readCookie } from './cookie.ts'
import { sameOrigin } from './origin.ts'
import type { Sessions, Visit } from './sessions.ts'

/** Media paths this door passes on. Each needs an entry in `mediaPolicy`. */
export const mediaPaths = ['/media/live'] as const

export interface UpgradeDeps {
  server: Server
  sessions: Sessions
  connections: Connections
  audit: Pick<AuditStore, 'append'>
  clock: Clock
  secure: boolean
  grantSecret: string
  /** Port media listens on now, loopback; 0 while it is away. */
  mediaPort: () => number
  /** Takes a socket.io upgrade of a signed-in person. */
  live(request: IncomingMessage, socket: Duplex, head: Buffer, visit: Visit): void
  paths?: readonly string[]
}

/** Time a viewer has to take the last bytes after media hung up. */
const lateMs = 5_000

/**
 * Ways a raw socket is answered when it gets no upgrade. An upgraded socket has left the server's time
 * limits and stays half open until the other side ends it, too: a stranger would keep it for ever.
 */
function refuse(socket: Duplex, { status, code, message }: HubError) {
  const body = JSON.stringify({ code, message })
  socket.end(
    `HTTP/1.1 ${status} Refused\r\nconnection: close\r\ncontent-type: application/json\r\n` +
      `content-length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
    () => socket.destroy(),
  )
}

/** Request headers media may see. The cookie stays here: media knows a session by its hash only. */
const passedOn =
  /^(host|connection|upgrade|origin|sec-websocket-(key|version|protocol|extensions))$/

function headLines(request: IncomingMessage, own: Readonly<Record<string, string>>): string {
  const lines = [`GET ${request.url} HTTP/1.1`]
  const { rawHeaders } = request
  for (let i = 0; i + 1 < rawHeaders.length; i += 2)
    if (passedOn.test(rawHeaders[i]?.toLowerCase() ?? ''))
      lines.push(`${rawHeaders[i]}: ${rawHeaders[i + 1]}`)
  for (const [name, value] of Object.entries(own)) lines.push(`${name}: ${value}`)
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** Passes a socket on to media as raw bytes, both ways, with back-pressure. */
function passOn(
  deps: UpgradeDeps,
  request: IncomingMessage,
  socket: Duplex,
  head: Buffer,
  visit: Visit,
) {
  const port = deps.mediaPort()
  if (port === 0) return refuse(socket, errors.mediaUnavailable())
  const upstream = connect({ host: '127.0.0.1', port, noDelay: true })
  const leave = deps.connections.add(visit, () => {
    socket.destroy()
    upstream.destroy()
  })
  if (!leave) {
    upstream.destroy()
    return refuse(socket, errors.tooManyTries())
  }
  let joined = false
  let late: NodeJS.Timeout | undefined
  upstream.once('connect', () => {
    joined = true
    const own = {
      [mediaHeaders.session]: visit.idHash,
      [mediaHeaders.key]: mediaDoorKey(deps.grantSecret),
    }
    upstream.write(headLines(request, own), 'latin1')
    if (head.length > 0) upstream.write(head)
    socket.pipe(upstream)
    upstream.pipe(socket)
  })
  upstream.on('error', () => {
    if (joined) socket.destroy()
    else refuse(socket, errors.mediaUnavailable())
  })
  upstream.once('close', () => {
    leave()
    if (!joined) return
    socket.end()
    // A viewer that does not even take the end is cut.
    late = setTimeout(() => socket.destroy(), lateMs)
  })
  socket.once('close', () => {
    clearTimeout(late)
    upstream.destroy()
  })
}

/**
 * The one upgrade dispatcher: socket.io and media paths of signed-in people; all else is refused.
 *
 * @throws Error naming a media path without a policy entry: it stops the start
 */
export function upgradeDoor(deps: UpgradeDeps): void {
  const { server, sessions, audit, clock, secure } = deps
  const paths = deps.paths ?? mediaPaths
  for (const path of paths)
    if (!Object.hasOwn(mediaPolicy, path))
      throw new Error(`media path '${path}' has no entry in hub/rules/policy.ts`)

  function admit(request: IncomingMessage): Visit {
    if (!sameOrigin(request.headers)) throw errors.foreignOrigin()
    const visit = sessions.visit(readCookie(request.headers.cookie, cookieName(secure)))
    if (!visit) throw errors.notSignedIn()
    if (visit.user.mustChange) throw errors.mustChangePassword()
    return visit
  }
  function demand(visit: Visit, path: string) {
    const need = mediaPolicy[path]
    if (need === undefined) throw errors.notFound(path)
    if (need === 'public' || need === 'session' || mayEver(visit.principal, need)) return
    audit.append({
      at: clock.now(),
      actor: visit.principal.id,
      action: need.replace(':', '.'),
      subject: path,
      region: null,
      outcome: 'refused',
      detail: 'upgrade',
    })
    throw errors.forbidden(whoMay(need))
  }
  function dispatch(request: IncomingMessage, socket: Duplex, head: Buffer) {
    // Compared raw: a path that would need cleaning is nobody's.
    const path = (request.url ?? '').split('?', 1)[0] ?? ''
    if (path === '/socket.io/') return deps.live(request, socket, head, admit(request))
    if (!paths.includes(path)) throw errors.notFound(path.slice(0, 100))
    const visit = admit(request)
    demand(visit, path)
    passOn(deps, request, socket, head, visit)
  }

  server.on('upgrade', (request: IncomingMessage, socket: Duplex, head: Buffer) => {
    socket.on('error', () => socket.destroy())
    try {
      dispatch(request, socket, head)
    } catch (error) {
      refuse(socket, error instanceof HubError ? error : errors.internal())
    }
  })
}
