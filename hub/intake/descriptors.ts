import { readFileSync } from 'node:fs'
import { z } from 'zod'

/** Descriptors the hub needs for itself: databases, doors, timers. */
const own = 200

const Report = z.object({
  userLimits: z.object({ open_files: z.object({ soft: z.union([z.number(), z.string()]) }) }),
})

/** Soft limit of open files (`ulimit -n`); undefined where the system does not tell. */
export function openFileLimit(): number | undefined {
  try {
    const line = /^Max open files\s+(\d+)/m.exec(readFileSync('/proc/self/limits', 'utf8'))
    if (line) return Number(line[1])
  } catch {
    // Not Linux: the diagnostic report knows the same number.
  }
  const report = Report.safeParse(process.report.getReport())
  const soft = report.success ? Number(report.data.userLimits.open_files.soft) : Number.NaN
  return Number.isFinite(soft) ? soft : undefined
}

/** Direct clients a limit holds: 20,000 descriptors hold about 18,000 with room for reconnects. */
export const clientsFor = (limit: number) => Math.max(0, Math.floor((limit - own) * 0.91))
