import type {
  AlarmPage,
  CameraGrant,
  DevicePage,
  DeviceRow,
  Me,
  RegionRow,
  Strips,
  System,
  Timeline,
} from '#schema/api.ts'
import type { AlarmView } from '#schema/alarm.ts'
import type { Snapshot } from '#schema/live.ts'

/** What the hub refused, or `network` when it did not answer. */
export class ApiError extends Error {
  override readonly name = 'ApiError'
  readonly code: string
  /** HTTP status; 0 when there was no answer. */
  readonly status: number
  constructor(code: string, status: number, message: string) {
    super(message)
    this.code = code
    this.status = status
  }
}

export type Fetch = (path: string, init?: RequestInit) => Promise<Response>

export interface Api {
  me(): Promise<Me>
  signIn(name: string, password: string): Promise<Me>
  changePassword(current: string, next: string): Promise<Me>
  signOut(): Promise<void>
  regions(): Promise<{ items: RegionRow[] }>
  snapshot(scope: string, signal?: AbortSignal): Promise<Snapshot>
  strips(scope: string, limit: number): Promise<Strips>
  devices(query: URLSearchParams): Promise<DevicePage>
  device(id: string): Promise<DeviceRow>
  timeline(id: string, from: number, to: number): Promise<Timeline>
  alarms(query: URLSearchParams): Promise<AlarmPage>
  alarm(id: string): Promise<AlarmView>
  acknowledge(id: string): Promise<AlarmView>
  closeAlarm(id: string, cause: string): Promise<AlarmView>
  grant(camera: string): Promise<CameraGrant>
  system(): Promise<System>
}

const root = '/api/v1'
const patienceMs = 15_000

async function failureOf(answer: Response): Promise<ApiError> {
  const body: unknown = await answer.json().catch(() => undefined)
  const { code, message } = (body ?? {}) as { code?: string; message?: string }
  return new ApiError(code ?? `HTTP_${answer.status}`, answer.status, message ?? answer.statusText)
}

/** A signal that gives up after 15 s, and earlier when `other` does (Chrome 109 has no AbortSignal.any). */
function patience(other: AbortSignal | null | undefined) {
  const both = new AbortController()
  const timer = setTimeout(() => both.abort(), patienceMs)
  other?.addEventListener('abort', () => both.abort())
  return { signal: both.signal, end: () => clearTimeout(timer) }
}

/**
 * The hub's HTTP API as the console uses it.
 *
 * @param ended told when the session is gone (401), so that the page can ask to sign in again
 * @throws ApiError
 */
export function httpApi({ fetch, ended }: { fetch: Fetch; ended: () => void }): Api {
  async function call<T>(method: string, path: string, body?: unknown, signal?: AbortSignal) {
    const wait = patience(signal)
    const init: RequestInit = { method, signal: wait.signal, credentials: 'same-origin' }
    if (body !== undefined) {
      init.body = JSON.stringify(body)
      init.headers = { 'content-type': 'application/json' }
    }
    try {
      const answer = await fetch(root + path, init).catch((cause: unknown) => {
        throw new ApiError('network', 0, String(cause))
      })
      if (!answer.ok) {
        const failure = await failureOf(answer)
        if (failure.code === 'NOT_SIGNED_IN') ended()
        throw failure
      }
      // The hub and this page are one version; what comes is what `#schema/api` says.
      return (answer.status === 204 ? undefined : await answer.json()) as T
    } finally {
      wait.end()
    }
  }
  const get = <T>(path: string, signal?: AbortSignal) => call<T>('GET', path, undefined, signal)
  const id = encodeURIComponent
  return {
    me: () => get('/session'),
    signIn: (name, password) => call('POST', '/session', { name, password }),
    changePassword: (current, next) => call('POST', '/session/password', { current, next }),
    signOut: () => call('DELETE', '/session'),
    regions: () => get('/regions'),
    snapshot: (scope, signal) => get(`/regions/${id(scope)}/snapshot`, signal),
    strips: (scope, limit) => get(`/regions/${id(scope)}/strips?limit=${limit}`),
    devices: (query) => get(`/devices?${query}`),
    device: (deviceId) => get(`/devices/${id(deviceId)}`),
    timeline: (deviceId, from, to) =>
      get(`/devices/${id(deviceId)}/timeline?from=${Math.floor(from)}&to=${Math.floor(to)}`),
    alarms: (query) => get(`/alarms?${query}`),
    alarm: (alarmId) => get(`/alarms/${id(alarmId)}`),
    acknowledge: (alarmId) => call('POST', `/alarms/${id(alarmId)}/acknowledge`),
    closeAlarm: (alarmId, cause) => call('POST', `/alarms/${id(alarmId)}/close`, { cause }),
    grant: (camera) => call('POST', `/cameras/${id(camera)}/grant`),
    system: () => get('/system'),
  }
}
