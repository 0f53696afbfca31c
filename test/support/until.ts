import { setTimeout as delay } from 'node:timers/promises'

/**
 * Waits until `probe` answers something truthy and returns it; for what sends no event. Fails after
 * `withinMs` with `what` in the message.
 */
export async function until<Result>(
  what: string,
  probe: () => Result | Promise<Result>,
  withinMs = 10_000,
): Promise<NonNullable<Awaited<Result>>> {
  const deadline = performance.now() + withinMs
  for (;;) {
    const result = await probe()
    if (result) return result
    if (performance.now() > deadline) throw new Error(`after ${withinMs} ms still not: ${what}`)
    await delay(10)
  }
}
