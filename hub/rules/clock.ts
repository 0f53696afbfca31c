/** Time as a collaborator: tests pass their own. */
export interface Clock {
  /** Epoch ms; may jump. */
  now(): number
  /** Monotonic ms from an arbitrary start; never jumps. Silence and timeouts are judged on it. */
  mono(): number
}
