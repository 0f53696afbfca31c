/** Rows of a server-paged list, fetched as they come into view. */
export class Pages<Row> {
  rows: readonly Row[] = $state.raw([])
  loading = $state(false)
  failure: unknown = $state.raw(null)
  /** The last page has been read. */
  done = $state(false)
  #next: string | null = null
  #run = 0
  readonly #fetch: (next: string | null) => Promise<{ items: Row[]; next: string | null }>

  constructor(fetch: (next: string | null) => Promise<{ items: Row[]; next: string | null }>) {
    this.#fetch = fetch
  }

  /** Reads one more page; while one is under way, does nothing. */
  more = async () => {
    if (this.loading || this.done || this.failure) return
    this.loading = true
    const run = this.#run
    try {
      const page = await this.#fetch(this.#next)
      if (run !== this.#run) return
      this.rows = [...this.rows, ...page.items]
      this.#next = page.next
      this.done = page.next === null
    } catch (failure) {
      if (run === this.#run) this.failure = failure
    } finally {
      if (run === this.#run) this.loading = false
    }
  }

  /** Tries the failed page again. */
  retry = () => {
    this.failure = null
    return this.more()
  }

  /** Reads the rows that are held once more, in place, so that nothing jumps. */
  refresh = async (most = 500) => {
    if (this.loading || this.rows.length === 0) return
    const run = this.#run
    const held = Math.min(most, this.rows.length)
    const fresh: Row[] = []
    let next: string | null = null
    try {
      do {
        const page: { items: Row[]; next: string | null } = await this.#fetch(next)
        fresh.push(...page.items)
        next = page.next
      } while (next !== null && fresh.length < held)
    } catch {
      // The rows shown stay; the header says how old they are.
      return
    }
    if (run !== this.#run || this.loading) return
    this.rows = fresh
    this.#next = next
    this.done = next === null
  }

  /** Begins anew: the question changed. */
  restart = () => {
    this.#run += 1
    this.rows = []
    this.#next = null
    this.done = false
    this.failure = null
    this.loading = false
    return this.more()
  }

  /** Replaces rows that changed. */
  patch(change: (row: Row) => Row) {
    this.rows = this.rows.map(change)
  }
}
