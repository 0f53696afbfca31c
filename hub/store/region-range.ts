/** Inclusive bounds of 12-digit region codes; made by the policy from a person's scope. */
export interface RegionRange {
  from: string
  to: string
}
