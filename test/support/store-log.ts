import { pino } from 'pino'

/** A logger that keeps its lines for the test instead of printing them. */
export function keptLog() {
  const lines: { msg: string; level: number }[] = []
  const log = pino(
    { level: 'trace' },
    { write: (line: string) => void lines.push(JSON.parse(line)) },
  )
  return { log, lines }
}
