import { pino, type Logger } from 'pino'

/** Keys whose values never reach a log, at the top and one level down. */
const secretKeys = [
  'password',
  'secret',
  'token',
  'authorization',
  'cookie',
  'busSecret',
  'grantSecret',
  'HUB_ADMIN_PASSWORD',
  'HUB_INFLUX_TOKEN',
]

/** `rtsp://user:pass@host` -> `rtsp://***@host`, wherever it stands in a text. */
export const withoutCredentials = (text: string) =>
  text.replaceAll(/([a-z][a-z0-9+.-]*:\/\/)[^\s/@]+@/gi, '$1***@')

/**
 * A logger of one role: JSON lines, data first, a constant message last. Logs go to stderr
 * unless another file descriptor is given; what is meant for people goes to stdout.
 */
export function createLog(options: { role: string; level: string }, descriptor = 2): Logger {
  return pino(
    {
      level: options.level,
      base: { role: options.role },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: secretKeys.flatMap((key) => [key, `*.${key}`]), censor: '***' },
      serializers: { err: errorForLog, error: errorForLog },
      hooks: {
        // The last gate: no address with a password leaves, whatever key it stands under.
        streamWrite: withoutCredentials,
      },
    },
    pino.destination({ dest: descriptor, sync: true }),
  )
}

function errorForLog(error: unknown) {
  if (!(error instanceof Error)) return String(error)
  return pino.stdSerializers.err(error)
}
