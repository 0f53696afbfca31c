import type { DeviceKind } from '../hub/schema/device.ts'
import type { CanonicalRecord } from '../hub/schema/record.ts'

/** What an adapter may know besides the bytes. It never reads a clock of its own. */
export interface DecodeContext {
  /** Full topic (or address) the message came on. */
  topic: string
  /** Hub's clock at receipt, epoch ms. */
  receivedAt: number
  /** Per-device settings a site has chosen, e.g. `{ priority.intrusion: 1 }`. */
  settings: Readonly<Record<string, unknown>>
}

/** The body as the maker sends it, proved by zod; or why it is not one. */
export type ReadFrame<Frame> = { frame: Frame } | { reject: string }

/** One message of the real thing and what it means. Replayed by the house test and the simulators. */
export interface Sample {
  /** Last part of the topic, after the device's own prefix. */
  branch: string
  payload: string
  /** Records that must come out; only the keys given are compared. */
  expect: readonly Partial<CanonicalRecord>[]
}

/** How one model speaks. Data and pure functions only: a model opens no socket and reads no clock. */
export interface DeviceModel<Frame = unknown> {
  /** `dialect/name`. Stored with every device, so it is never renamed. */
  readonly model: string
  readonly kind: DeviceKind
  readonly title: string
  /** Longest normal time between two signs of life, seconds. */
  readonly heartbeatS: number
  /** Bytes -> frame. Never throws. */
  frame(payload: Uint8Array, topic: string): ReadFrame<Frame>
  /** Frame -> what it means. Pure, synchronous, never throws. */
  decode(frame: Frame, context: DecodeContext): CanonicalRecord[]
  readonly samples: readonly Sample[]
}

/** Keeps the frame's type while the list of models forgets it. */
export const defineDevice = <Frame>(model: DeviceModel<Frame>): DeviceModel => model

/** Bytes to records in one step; what cannot be read is one `reject` record. Never throws. */
export function readRecords(
  model: DeviceModel,
  payload: Uint8Array,
  context: DecodeContext,
): CanonicalRecord[] {
  const read = model.frame(payload, context.topic)
  return 'reject' in read
    ? [{ type: 'reject', reason: read.reject }]
    : model.decode(read.frame, context)
}
