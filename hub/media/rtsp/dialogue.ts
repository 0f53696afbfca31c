import { StreamFault } from '../fault.ts'
import { authorization, bestChallenge, type Challenge, type Credential } from './digest.ts'
import type { RtspMessage } from './reader.ts'

export interface DialogueDeps {
  write: (text: string) => void
  credential: Credential | undefined
  /** 16 random hex digits. */
  cnonce: () => string
  requestTimeoutMs: number
}

interface Waiting {
  resolve: (message: RtspMessage) => void
  reject: (error: Error) => void
  timer: NodeJS.Timeout
}

export type Dialogue = ReturnType<typeof rtspDialogue>

/** Requests and answers over one connection: numbering, time-outs, authentication. */
export function rtspDialogue({ write, credential, cnonce, requestTimeoutMs }: DialogueDeps) {
  let cseq = 0
  let challenge: Challenge | undefined
  let count = 0
  let proved = false
  let ended: Error | undefined
  const waiting = new Map<number, Waiting>()

  function send(method: string, url: string, extra: readonly string[]): Promise<RtspMessage> {
    if (ended) return Promise.reject(ended)
    const id = ++cseq
    const lines = [`${method} ${url} RTSP/1.0`, `CSeq: ${id}`, 'User-Agent: jifang-hub', ...extra]
    if (challenge && credential) {
      count++
      const input = { challenge, credential, method, uri: url, count, cnonce: cnonce() }
      lines.push(`Authorization: ${authorization(input)}`)
    }
    const { promise, resolve, reject } = Promise.withResolvers<RtspMessage>()
    const timer = setTimeout(() => {
      waiting.delete(id)
      reject(new StreamFault('timeout', `no answer to ${method}`))
    }, requestTimeoutMs)
    waiting.set(id, { resolve, reject, timer })
    write(`${lines.join('\r\n')}\r\n\r\n`)
    return promise
  }

  /** True when the refused request is worth sending again with the new challenge. */
  function learn(answer: RtspMessage): boolean {
    const offered = bestChallenge(answer.headers.get('www-authenticate') ?? [])
    if (!offered || !credential) return false
    const first = challenge === undefined
    const fresh = offered.nonce !== challenge?.nonce
    challenge = offered
    count = 0
    // Old firmware lets a nonce grow old without `stale`: once the password was good, a new nonce is tried.
    return first || (fresh && (offered.stale || proved))
  }

  return {
    /** Sends and waits. @throws StreamFault for every status but 200 */
    async request(
      method: string,
      url: string,
      extra: readonly string[] = [],
    ): Promise<RtspMessage> {
      let answer = await send(method, url, extra)
      // At most two further tries, so that a wrong password never locks the camera's account.
      for (let tries = 0; answer.status === 401 && tries < 2; tries++) {
        if (!learn(answer)) break
        answer = await send(method, url, extra)
      }
      if (answer.status !== 200) throw statusFault(answer.status ?? 0, method)
      if (challenge) proved = true
      return answer
    },
    /** An answer arrived. Without CSeq (some firmware) it belongs to the oldest request. */
    answered(message: RtspMessage) {
      const text = message.headers.get('cseq')?.[0]
      const id = text === undefined ? waiting.keys().next().value : Number(text)
      const entry = id === undefined ? undefined : waiting.get(id)
      if (id === undefined || !entry) return
      waiting.delete(id)
      clearTimeout(entry.timer)
      entry.resolve(message)
    },
    /** The camera asks for something: all a client owes it is an answer. */
    asked(message: RtspMessage) {
      const id = message.headers.get('cseq')?.[0] ?? ''
      const known = /^(OPTIONS|GET_PARAMETER|SET_PARAMETER|ANNOUNCE)$/.test(message.method ?? '')
      const status = known ? '200 OK' : '501 Not Implemented'
      if (/^\d{1,10}$/.test(id)) write(`RTSP/1.0 ${status}\r\nCSeq: ${id}\r\n\r\n`)
    },
    end(error: Error) {
      ended ??= error
      for (const { timer, reject } of waiting.values()) {
        clearTimeout(timer)
        reject(ended)
      }
      waiting.clear()
    },
  }
}

/** What a status means to a crew. Redirects are refused: they would lead the hub to any host (SSRF). */
export function statusFault(status: number, method: string): StreamFault {
  const said = `${method} was answered with ${status}`
  if (status === 401 || status === 407) return new StreamFault('wrong-password', said)
  if (status === 404 || status === 410 || status === 454)
    return new StreamFault('no-such-channel', said)
  if (status >= 300 && status < 400)
    return new StreamFault('refused', `${said}: redirects are not followed`)
  if (status === 415 || status === 461)
    return new StreamFault('refused', `${said}: TCP not offered`)
  return new StreamFault('refused', said)
}
