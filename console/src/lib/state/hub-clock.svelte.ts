/** Pulses over which the clock difference is judged. */
const kept = 10

/**
 * The hub's clock as this page knows it. Ages on screen are ages on the hub, so a duty PC whose own
 * clock is an hour off still shows the truth.
 */
export class HubClock {
  /** Hub's time, epoch ms; moves once a second, for everything that counts on screen. */
  now = $state(0)
  readonly #local: () => number
  #offsets: number[] = []
  #offsetMs = 0

  constructor(local: () => number = Date.now) {
    this.#local = local
    this.now = local()
  }

  /** Hub's time right now, epoch ms. */
  read = () => this.#local() + this.#offsetMs

  /** Takes the hub's time from a message. Travel only makes it older, so the largest difference is nearest. */
  hear(at: number) {
    this.#offsets.push(at - this.#local())
    if (this.#offsets.length > kept) this.#offsets.shift()
    this.#offsetMs = Math.max(...this.#offsets)
  }

  tick = () => {
    this.now = this.read()
  }

  /** Ticks each second until the returned function is called. */
  run(): () => void {
    const timer = setInterval(this.tick, 1000)
    return () => clearInterval(timer)
  }
}
