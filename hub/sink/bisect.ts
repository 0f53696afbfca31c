import { Refused, Unavailable } from './influx-writer.ts'

/**
 * Writes lines so that a bad one never blocks the good ones: a refused request is halved until the
 * bad line stands alone, and that line is given up. The same line may be sent several times, which
 * changes nothing: it is the same point.
 *
 * A server that refuses everything is not a server of ours (a wrong path, a proxy): before the first
 * line is given up without any accepted one, `probe` must be accepted, else all lines are kept.
 *
 * @returns lines given up, with the server's last word about them
 * @throws Unavailable as `send` does; lines already accepted stay accepted
 */
export async function writeAround(
  lines: readonly string[],
  send: (lines: readonly string[]) => Promise<void>,
  probe: string,
): Promise<{ dropped: number; reason: string | undefined }> {
  let dropped = 0
  let reason: string | undefined
  let trusted = false
  const offer = async (part: readonly string[]): Promise<void> => {
    const refusal = await refused(part, send)
    if (!refusal) {
      trusted = true
      return
    }
    if (part.length > 1) {
      const middle = Math.ceil(part.length / 2)
      await offer(part.slice(0, middle))
      await offer(part.slice(middle))
      return
    }
    if (!trusted) {
      const distrust = await refused([probe], send)
      if (distrust) throw new Unavailable(`it refuses every point: ${distrust.message}`, 400)
      trusted = true
    }
    dropped += 1
    reason = refusal.message
  }
  if (lines.length > 0) await offer(lines)
  return { dropped, reason }
}

async function refused(
  lines: readonly string[],
  send: (lines: readonly string[]) => Promise<void>,
): Promise<Refused | undefined> {
  try {
    await send(lines)
    return undefined
  } catch (error) {
    if (error instanceof Refused) return error
    throw error
  }
}
