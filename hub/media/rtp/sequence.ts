/** What a sequence number says about the packet that carries it. */
export type SequenceVerdict = 'first' | 'next' | 'gap' | 'old'

// Over TCP nothing arrives late; a packet up to this far behind is a duplicate, further is a restart.
const duplicateSpan = 100

/** Follows 16-bit RTP sequence numbers: wrap, loss, duplicates, restarts of the camera's counter. */
export function sequenceTracker() {
  let expected: number | undefined
  let cycles = 0
  let received = 0
  let lost = 0
  return {
    check(sequence: number): SequenceVerdict {
      if (expected === undefined) {
        expected = (sequence + 1) & 0xffff
        received++
        return 'first'
      }
      const ahead = (sequence - expected) & 0xffff
      if (ahead >= 0x10000 - duplicateSpan) return 'old'
      if (sequence < expected) cycles++
      expected = (sequence + 1) & 0xffff
      if (expected === 0) cycles++
      received++
      if (ahead === 0) return 'next'
      // Half the circle or more is a restart, not 32,768 lost packets.
      lost += ahead < 0x8000 ? ahead : 1
      return 'gap'
    },
    received: () => received,
    lost: () => lost,
    /** Extended highest sequence number received (RFC 3550 section 6.4.1). */
    highest: () => ((cycles & 0xffff) * 0x10000 + (expected ?? 1) - 1) >>> 0,
  }
}
