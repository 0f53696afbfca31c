import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { chromium, type Browser, type Page } from 'playwright-core'
import { projectRoot } from './hub-process.ts'

const program = '/usr/bin/chromium'

/** Whether Debian's Chromium is installed here. */
export const browserInstalled = existsSync(program)

/** The real browser of the tests. Root needs `--no-sandbox`; the rest keeps it from calling home. */
export const openBrowser = (): Promise<Browser> =>
  chromium.launch({
    executablePath: program,
    args: [
      '--headless',
      '--no-sandbox',
      '--disable-gpu',
      '--disable-background-networking',
      '--disable-component-update',
      '--disable-sync',
    ],
  })

/** Keeps a picture of the page under `test/results/<folder>/<name>.png`. */
export async function keepPicture(page: Page, folder: string, name: string): Promise<void> {
  const dir = join(projectRoot, 'test/results', folder)
  mkdirSync(dir, { recursive: true })
  await page.screenshot({ path: join(dir, `${name}.png`) })
}

/** Counts every tone the page starts, in `window.tones`: what an officer would hear. */
export const countTones = (page: Page) =>
  page.addInitScript(`
    window.tones = 0
    const start = OscillatorNode.prototype.start
    OscillatorNode.prototype.start = function (...when) {
      if (this.context.state === 'running') window.tones++
      return start.apply(this, when)
    }
  `)

/** A hash of the decoded picture of the first playing video on the page; '' before there is one. */
export const pictureHash = (page: Page): Promise<string> =>
  page.evaluate(`(() => {
    const video = [...document.querySelectorAll('video')].find((one) => one.videoWidth > 0)
    if (!video) return ''
    const canvas = document.createElement('canvas')
    canvas.width = 160
    canvas.height = 90
    const context = canvas.getContext('2d')
    context.drawImage(video, 0, 0, 160, 90)
    const { data } = context.getImageData(0, 0, 160, 90)
    let hash = 0
    for (const value of data) hash = (hash * 31 + value) | 0
    return String(hash)
  })()`)
