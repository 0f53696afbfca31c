import type { FastifyPluginAsyncZod } from 'fastify-type-provider-zod'
import { z } from 'zod'
import { errors } from '../errors.ts'
import { grantLifeMs, makeGrant } from '../rules/grant.ts'
import { CameraGrant } from '../schema/api.ts'
import { DeviceId } from '../schema/device.ts'
import { mayTouch, refuseObject, visitOf } from './access.ts'
import type { WebDeps } from './deps.ts'

type Deps = Pick<WebDeps, 'world' | 'clock' | 'audit' | 'grantSecret'>

/** POST /cameras/:id/grant: leave to watch, bound to session and camera; a line in the viewing register. */
export const cameraRoutes =
  (deps: Deps): FastifyPluginAsyncZod =>
  async (app) => {
    const { world, clock, audit, grantSecret } = deps
    app.post(
      '/cameras/:id/grant',
      {
        schema: {
          tags: ['cameras'],
          summary: 'Leave to watch one camera in this session; written to the viewing register',
          params: z.object({ id: DeviceId }),
          response: { 200: CameraGrant },
        },
      },
      (request) => {
        const { id } = request.params
        const device = world.table().byId(id)
        if (device?.kind !== 'camera') throw errors.cameraNotFound(id)
        if (!mayTouch(request, device.region)) {
          refuseObject(deps, request, device.region)
          throw errors.cameraNotFound(id)
        }
        const { idHash, principal } = visitOf(request)
        const from = clock.now()
        const exp = from + grantLifeMs
        // The register comes first: a picture nobody can account for is not handed out.
        audit.append({
          at: from,
          actor: principal.id,
          action: 'camera.watch',
          subject: id,
          region: device.region,
          outcome: 'ok',
          detail: 'live',
        })
        const grant = makeGrant({ camera: id, session: idHash, from, exp }, grantSecret)
        return { camera: id, grant, expiresAt: exp }
      },
    )
  }
