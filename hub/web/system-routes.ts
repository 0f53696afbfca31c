import { readFileSync } from 'node:fs'
import { statfs } from 'node:fs/promises'
import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { System } from '../schema/api.ts'
import { roleNames } from '../schema/role.ts'
import type { WebDeps } from './deps.ts'

type Deps = Pick<WebDeps, 'world' | 'clock' | 'metrics' | 'peers' | 'ownMetrics' | 'settings'>

/** Versions a crew is asked for on the telephone. */
export function versionsNow(): Record<string, string> {
  const text = readFileSync(new URL('../../package.json', import.meta.url), 'utf8')
  const { version } = z.object({ version: z.string() }).parse(JSON.parse(text))
  const { node, sqlite = '', openssl } = process.versions
  return { hub: version, node, sqlite, openssl }
}

async function freeSpace(dir: string) {
  try {
    const { bavail, blocks, bsize } = await statfs(dir)
    return { freeBytes: bavail * bsize, totalBytes: blocks * bsize }
  } catch {
    // A data folder that is gone is told as "not known", not as a failure of the page.
    return null
  }
}

/** GET /system: roles, time-series mirror, versions, disk. */
export const systemRoutes =
  ({ world, clock, metrics, peers, ownMetrics, settings }: Deps): FastifyPluginAsyncZod =>
  async (app) => {
    const versions = versionsNow()
    app.get(
      '/system',
      {
        schema: {
          tags: ['system'],
          summary: 'Health of the hub: roles, time-series mirror, versions, disk',
          response: { 200: System },
        },
      },
      async () => {
        const at = clock.now()
        const intakeAt = world.intakeAt()
        const { metrics: others, restarts } = peers()
        return {
          at,
          intakeAt,
          intakeAgeMs: intakeAt === null ? null : Math.max(0, at - intakeAt),
          heartbeats: world.heartbeats(),
          sink: metrics.status() ?? null,
          roles: roleNames.map((name) => ({
            name,
            up: name === 'web' || others[name] !== undefined,
            restarts: restarts[name] ?? 0,
            metrics: name === 'web' ? { ...others.web, ...ownMetrics() } : (others[name] ?? {}),
          })),
          versions,
          data: await freeSpace(settings.HUB_DATA_DIR),
        }
      },
    )
  }
