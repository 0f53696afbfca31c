import { setTimeout as delay } from 'node:timers/promises'

type Nothing = false | undefined | null | 0 | ''

/**
 * Waits until `probe` answers something truthy and returns it; for what sends no event. Fails after
 * `withinMs` with `what` in the message.
 */
export async function until<Result>(
  what: string,
  probe: () => Result | Nothing | Promise<Result | Nothing>,
  withinMs = 10_000,
): Promise<Result> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const result = await probe()
    if (result) return result
    if (performance.now() > deadline) throw new Error(`after ${withinMs} ms still not: ${what}`)
    await delay(10)
  }
}
