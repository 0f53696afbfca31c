/** Why no picture comes, in codes the console turns into words for a crew. */
export const faultCodes = [
  'wrong-password',
  'no-such-channel',
  'refused',
  'unreachable',
  'not-allowed-address',
  'codec-unsupported',
  'no-video',
  'timeout',
  'garbage',
] as const
export type FaultCode = (typeof faultCodes)[number]

/** A camera's failure. The message is for the log: it never holds a credential. */
export class StreamFault extends Error {
  override readonly name = 'StreamFault'
  readonly code: FaultCode
  constructor(code: FaultCode, message: string) {
    super(message)
    this.code = code
  }
}

/** Any error as a fault: what the operating system says of a socket becomes a code. */
export function asFault(error: unknown): StreamFault {
  if (error instanceof StreamFault) return error
  if (!(error instanceof Error)) return new StreamFault('unreachable', String(error))
  const code = 'code' in error ? error.code : undefined
  return new StreamFault(code === 'ETIMEDOUT' ? 'timeout' : 'unreachable', error.message)
}
