export type Theme = 'night' | 'day'

/** Night (default) or day colours, kept on this PC. */
export class ThemeChoice {
  theme: Theme = $state('night')
  readonly #keep: Pick<Storage, 'getItem' | 'setItem'>

  constructor(keep: Pick<Storage, 'getItem' | 'setItem'>) {
    this.#keep = keep
    this.#use(keep.getItem('theme') === 'day' ? 'day' : 'night')
  }

  toggle = () => {
    this.#use(this.theme === 'night' ? 'day' : 'night')
    this.#keep.setItem('theme', this.theme)
  }

  #use(theme: Theme) {
    this.theme = theme
    if (typeof document !== 'undefined') document.documentElement.dataset['theme'] = theme
  }
}
