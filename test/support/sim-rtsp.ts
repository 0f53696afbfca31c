import { spawnSync } from 'node:child_process'
import { openClips } from '../../simulators/h264-clip.ts'
import { type RtspServer, type RtspServerDeps, startRtsp } from '../../simulators/rtsp-camera.ts'

/** A server with cameras `cam-1`, `cam-2`, `cam-3` of user `viewer`, password `secret`, on a free port. */
export const rtspServer = (change: Partial<RtspServerDeps> = {}): Promise<RtspServer> =>
  startRtsp({
    cameras: ['cam-1', 'cam-2', 'cam-3'].map((deviceId) => ({
      deviceId,
      user: 'viewer',
      password: 'secret',
    })),
    shelf: openClips(),
    seed: 3,
    clock: Date.now,
    port: 0,
    ...change,
  })

/** True when ffmpeg and ffprobe are here; otherwise says on stderr what that leaves out. */
export function hasFfmpeg(): boolean {
  const here = ['ffmpeg', 'ffprobe'].every((tool) => !spawnSync(tool, ['-version']).error)
  if (!here)
    process.stderr.write('ffmpeg is not installed: its tests of the cameras are left out\n')
  return here
}
