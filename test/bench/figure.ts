/** One figure of a benchmark beside the peer's in the same run; ratio = value / peer. */
export interface Figure {
  name: string
  value: number
  unit: string
  peer: number
  ratio: number
}

/** One benchmark; `args` follow its name on the command line. */
export type Bench = (args: readonly string[], print: (figure: Figure) => void) => Promise<void>
