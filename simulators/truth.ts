import { createWriteStream } from 'node:fs'

/** What really happened, to judge the hub against: one JSON line each. */
export interface TruthLine {
  /** Epoch ms, true time. */
  at: number
  device: string
  /** e.g. `connected`, `silent`, `power lost`, `alarm intrusion active` */
  what: string
  boot?: string
  seq?: number
}

/** Where the ground truth goes. */
export interface Truth {
  tell(line: TruthLine): void
  close(): Promise<void>
}

/** Keeps nothing. */
export const noTruth: Truth = { tell: () => undefined, close: async () => undefined }

/** Appends JSON lines to a file. */
export function truthFile(path: string): Truth {
  const stream = createWriteStream(path, { flags: 'a', mode: 0o600 })
  return {
    tell: (line) => void stream.write(`${JSON.stringify(line)}\n`),
    close: () => new Promise((resolve) => stream.end(resolve)),
  }
}
