import { fork } from 'node:child_process'
import { once } from 'node:events'
import { onTestFinished } from 'vitest'

/** What a second process does with a store's file; see `store-process-main.ts`. */
export type Job = 'accept' | 'acknowledge' | 'append-points' | 'append-audit' | 'open' | 'seal'

/** A second process at work on the same file. */
export interface StoreProcess {
  /** Messages so far. */
  readonly said: unknown[]
  /** Resolves at the next message. */
  next(): Promise<unknown>
  /** Resolves with all it said when it ends by itself; throws when it fails. */
  ended(): Promise<unknown[]>
  kill(): Promise<void>
}

/** Starts a process that opens `file` and does `job` `times` times, telling what it committed. */
export function storeProcess(
  job: Job,
  file: string,
  times: number,
  name: string = job,
): StoreProcess {
  const main = new URL('store-process-main.ts', import.meta.url)
  const child = fork(main, [job, file, String(times), name], { execArgv: [] })
  const said: unknown[] = []
  child.on('message', (message) => said.push(message))
  const gone = once(child, 'exit')
  onTestFinished(async () => {
    child.kill('SIGKILL')
    await gone
  })
  return {
    said,
    next: async () => (await once(child, 'message'))[0],
    async ended() {
      const [code] = await gone
      if (code !== 0) throw new Error(`${job} ended with ${code}`)
      return said
    },
    async kill() {
      child.kill('SIGKILL')
      await gone
    },
  }
}
