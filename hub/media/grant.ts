import { readGrant } from '../rules/grant.ts'

export type GrantVerdict = 'ok' | 'grant-invalid' | 'grant-foreign' | 'grant-expired'

/** Whether this session may begin to watch this camera now; the verdict becomes the tile's message. */
export function judgeGrant(
  token: string,
  {
    secret,
    session,
    camera,
    now,
  }: { secret: string; session: string; camera: string; now: number },
): GrantVerdict {
  const grant = readGrant(token, secret)
  if (!grant || grant.camera !== camera) return 'grant-invalid'
  if (grant.session !== session) return 'grant-foreign'
  return grant.exp > now ? 'ok' : 'grant-expired'
}
