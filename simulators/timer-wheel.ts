/** One interval for every timer of a simulation: 30,000 devices cost one timer of the runtime. */
export interface TimerWheel {
  /** Runs `task` once, `delayMs` from now, to the next tick. Returns what calls it off. */
  after(delayMs: number, task: () => void): () => void
  /** Runs everything due by now; called by the interval, or by a test with a clock of its own. */
  advance(): void
  close(): void
}

interface Entry {
  dueAt: number
  task: (() => void) | undefined
}

/** @param now milliseconds that never go back, `performance.now` in production */
export function timerWheel({
  now,
  tickMs = 50,
}: {
  now: () => number
  tickMs?: number
}): TimerWheel {
  const slots: Entry[][] = Array.from({ length: 1024 }, () => [])
  const slotOf = (at: number) => Math.floor(at / tickMs)
  let reached = slotOf(now())

  function advance() {
    const at = now()
    const target = slotOf(at)
    // After a long sleep one turn of the wheel finds everything.
    reached = Math.max(reached, target - slots.length)
    for (; reached <= target; reached++) {
      const index = reached % slots.length
      const entries = slots[index]
      if (!entries || entries.length === 0) continue
      slots[index] = entries.filter((entry) => entry.task && entry.dueAt > at)
      for (const entry of entries) {
        if (entry.dueAt > at) continue
        const { task } = entry
        entry.task = undefined
        task?.()
      }
    }
    reached = target
  }

  const interval = setInterval(advance, tickMs)
  return {
    after(delayMs, task) {
      const entry: Entry = { dueAt: now() + Math.max(0, delayMs), task }
      slots[slotOf(entry.dueAt) % slots.length]?.push(entry)
      return () => {
        entry.task = undefined
      }
    },
    advance,
    close: () => clearInterval(interval),
  }
}
