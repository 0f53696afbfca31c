import { zhCn, type TextKey } from './zh-cn.ts'
import type { en } from './en.ts'

export type Lang = 'zh-CN' | 'en'
export type Fill = Readonly<Record<string, string | number>>

const fillIn = (text: string, fill: Fill) =>
  text.replace(/\{(\w+)\}/g, (whole, name: string) => String(fill[name] ?? whole))

/** Words of the console. English is fetched when somebody asks for it: the duty rooms read Chinese. */
export class Text {
  lang: Lang = $state('zh-CN')
  #words: Readonly<Record<TextKey, string>> = $state.raw(zhCn)
  readonly #keep: Pick<Storage, 'getItem' | 'setItem'>

  constructor(keep: Pick<Storage, 'getItem' | 'setItem'>) {
    this.#keep = keep
  }

  /** The text of a key in the chosen language, with `{holes}` filled. */
  readonly t = (key: TextKey, fill?: Fill): string => {
    const text = this.#words[key]
    return fill ? fillIn(text, fill) : text
  }

  /** A text by a computed key; `otherwise` when the list of texts does not know it. */
  readonly maybe = (key: string, otherwise: string): string =>
    (this.#words as Readonly<Record<string, string>>)[key] ?? otherwise

  /** Applies the language kept from last time. */
  restore() {
    return this.use(this.#keep.getItem('lang') === 'en' ? 'en' : 'zh-CN')
  }

  async use(lang: Lang) {
    const words: typeof en | typeof zhCn = lang === 'en' ? (await import('./en.ts')).en : zhCn
    this.#words = words
    this.lang = lang
    this.#keep.setItem('lang', lang)
    if (typeof document !== 'undefined') document.documentElement.lang = lang
  }
}
