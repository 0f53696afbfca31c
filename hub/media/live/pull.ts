import type { Clock } from '../../rules/clock.ts'
import { liveFrame } from '../../schema/live.ts'
import type { StreamFault } from '../fault.ts'
import { h264Muxer, type MuxerEvents } from '../fmp4/muxer.ts'
import { h264Depacketizer } from '../rtp/h264.ts'
import { readRtp } from '../rtp/packet.ts'
import { receiverReport, senderReportTime } from '../rtp/receiver-report.ts'
import { timeline, type Timeline } from '../rtp/timeline.ts'
import type { RtspListener, RtspSession, RtspTarget } from '../rtsp/client.ts'
import type { VideoTrack } from '../rtsp/sdp.ts'

/** Opens an RTSP session; the tests' cameras come in here, too. */
export type Pull = (target: RtspTarget, listener: RtspListener) => RtspSession

export interface PullEvents extends MuxerEvents {
  ended: (fault: StreamFault) => void
}

/** What goes on from one connection of a camera to the next. */
export interface PullMemory {
  timeline: Timeline | undefined
  fragments: number
}

const reportEveryMs = 5_000

type Depacketizer = ReturnType<typeof h264Depacketizer>

/** One connection to a camera: packets in, initialisation segments and fragments out. */
export function pullPictures(
  {
    pull,
    target,
    clock,
    memory,
  }: { pull: Pull; target: RtspTarget; clock: Clock; memory: PullMemory },
  events: PullEvents,
) {
  let depacketizer: Depacketizer | undefined
  let payloadType = -1
  let ssrc: number | undefined
  let bytes = 0
  let reportedAt = clock.mono()
  const reporter = reportWriter(clock)

  function begin(track: VideoTrack) {
    payloadType = track.payloadType
    if (memory.timeline?.clockRate !== track.clockRate)
      memory.timeline = timeline(track.clockRate, track.frameRate)
    const muxer = h264Muxer(
      {
        timeline: memory.timeline,
        reserve: liveFrame.header,
        parameterSets: track.parameterSets,
        sequence: () => ++memory.fragments,
      },
      {
        init: ({ bytes: segment, sps }) =>
          events.init({ bytes: Buffer.concat([Buffer.alloc(liveFrame.header), segment]), sps }),
        fragment: events.fragment,
      },
    )
    depacketizer = h264Depacketizer({ unit: (unit) => void muxer.unit(unit) })
  }

  const session: RtspSession = pull(target, {
    track: begin,
    rtp(data) {
      bytes += data.length
      const packet = readRtp(data)
      if (!packet || packet.payloadType !== payloadType) return
      ssrc = packet.ssrc
      depacketizer?.push(packet)
      const now = clock.mono()
      if (now - reportedAt < reportEveryMs || !depacketizer) return
      reportedAt = now
      session.report(reporter.write(ssrc, depacketizer))
    },
    rtcp(data) {
      reporter.heard(data)
    },
    ended: events.ended,
  })

  return {
    close: session.close,
    /** Bytes of RTP received. */
    bytes: () => bytes,
    lost: () => depacketizer?.lost() ?? 0,
  }
}

function reportWriter(clock: Clock) {
  let sender: { time: number; at: number } | undefined
  let received = 0
  let lost = 0
  return {
    heard(data: Buffer) {
      const time = senderReportTime(data)
      if (time !== undefined) sender = { time, at: clock.mono() }
    },
    write(source: number, from: Depacketizer): Buffer {
      const newLost = from.lost() - lost
      const newReceived = from.received() - received
      received += newReceived
      lost += newLost
      return receiverReport({
        ssrc: 0x4a46,
        source,
        highest: from.highest(),
        lost,
        lostShare: newLost + newReceived > 0 ? newLost / (newLost + newReceived) : 0,
        lastReport: sender?.time ?? 0,
        delay: sender ? ((clock.mono() - sender.at) * 65_536) / 1000 : 0,
      })
    },
  }
}
