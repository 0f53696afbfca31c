import { patterns, type PatternName } from './patterns.ts'

const muteMostMs = 600_000

/** The part of AudioContext the siren uses. */
export type Audio = Pick<
  AudioContext,
  'state' | 'resume' | 'currentTime' | 'createOscillator' | 'createGain' | 'destination'
> & { onstatechange: ((this: AudioContext, event: Event) => unknown) | null }

export interface SirenDeps {
  /** Makes the AudioContext; undefined where the browser has none. */
  audio: (() => Audio) | undefined
  now: () => number
  keep: Pick<Storage, 'getItem' | 'setItem'>
}

/**
 * Sound of the duty room, synthesised: no file can be missing. A browser plays nothing before a
 * gesture, so signing in unlocks it; `running` says honestly whether it would be heard.
 */
export class Siren {
  running = $state(false)
  readonly supported: boolean
  /** Local time until which this PC is mute; 0 = not. */
  mutedUntil = $state(0)
  /** What sounds now, mute or not. */
  ringing: PatternName | undefined = $state(undefined)

  readonly #deps: SirenDeps
  #audio: Audio | undefined
  #timer: ReturnType<typeof setInterval> | undefined

  constructor(deps: SirenDeps) {
    this.#deps = deps
    this.supported = deps.audio !== undefined
    const until = Number(deps.keep.getItem('mutedUntil'))
    if (until > deps.now() && until - deps.now() <= muteMostMs) this.mutedUntil = until
  }

  /** Call from a click or key press: only then may a page begin to sound. */
  unlock = async () => {
    this.#open()
    const before = this.running
    await this.#audio?.resume().catch(() => undefined)
    this.#look()
    // What rang unheard is heard now, not at its next turn.
    if (this.running && !before && this.ringing) this.play(this.ringing)
  }

  /** Learns whether sound works without asking for it. */
  probe = () => {
    this.#open()
    this.#look()
  }

  #open() {
    if (this.#audio || !this.#deps.audio) return
    this.#audio = this.#deps.audio()
    this.#audio.onstatechange = () => this.#look()
  }

  #look() {
    this.running = this.#audio?.state === 'running'
  }

  get muted() {
    return this.mutedUntil > this.#deps.now()
  }

  toggleMute = () => {
    this.mutedUntil = this.muted ? 0 : this.#deps.now() + muteMostMs
    this.#deps.keep.setItem('mutedUntil', String(this.mutedUntil))
  }

  /** Sounds a pattern until another is asked for; undefined is silence. Asking for the same again changes nothing. */
  ring(name: PatternName | undefined) {
    if (name === this.ringing) return
    this.ringing = name
    clearInterval(this.#timer)
    this.#timer = undefined
    if (!name) return
    this.play(name)
    const { everyS } = patterns[name]
    if (everyS > 0) this.#timer = setInterval(() => this.play(name), everyS * 1000)
  }

  /** Sounds a pattern once. @param despiteMute for the test button */
  play(name: PatternName, despiteMute = false) {
    const audio = this.#audio
    if (!audio || audio.state !== 'running' || (this.muted && !despiteMute)) return
    const from = audio.currentTime + 0.02
    for (const { at, hz, s, gain } of patterns[name].tones) {
      const tone = audio.createOscillator()
      const level = audio.createGain()
      tone.frequency.value = hz
      tone.type = 'triangle'
      // 10 ms ramps: without them each edge clicks.
      level.gain.setValueAtTime(0, from + at)
      level.gain.linearRampToValueAtTime(gain, from + at + 0.01)
      level.gain.setValueAtTime(gain, from + at + s - 0.01)
      level.gain.linearRampToValueAtTime(0, from + at + s)
      tone.connect(level).connect(audio.destination)
      tone.start(from + at)
      tone.stop(from + at + s)
    }
  }

  close() {
    this.ring(undefined)
  }
}
