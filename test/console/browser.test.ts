// @vitest-environment node
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { AxeBuilder } from '@axe-core/playwright'
import { chromium, type Browser, type BrowserContext, type Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { fixtureServer, password, type Fixture } from './fixture-server.ts'

const root = fileURLToPath(new URL('../../', import.meta.url))
const pictures = join(root, 'test/results/console')
const chromiumPath = [
  '/usr/bin/chromium',
  '/usr/bin/chromium-browser',
  '/usr/bin/google-chrome',
].find(existsSync)
const flags = [
  '--headless',
  '--no-sandbox',
  '--disable-gpu',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
]
const sizes = { desk: [1366, 768], wide: [1920, 1080], phone: [390, 844] } as const
type Size = keyof typeof sizes
type Theme = 'night' | 'day'

if (!chromiumPath)
  process.stderr.write(
    '\nNOT TESTED: the console in a browser. Install Chromium (Debian: apt-get install chromium).\n\n',
  )

describe.skipIf(!chromiumPath)('the console in Chromium', { timeout: 60_000 }, () => {
  let fixture: Fixture
  let browser: Browser
  const cookies = new Map<string, Parameters<BrowserContext['addCookies']>[0]>()

  beforeAll(async () => {
    if (!existsSync(join(root, 'console/dist/index.html')))
      execFileSync(join(root, 'node_modules/.bin/vite'), ['build'], { cwd: join(root, 'console') })
    mkdirSync(pictures, { recursive: true })
    fixture = await fixtureServer({ townships: 3, villages: 18, perVillage: 30 })
    browser = await chromium.launch({ executablePath: chromiumPath ?? '', args: flags })
  }, 120_000)
  afterAll(async () => {
    await browser?.close()
    await fixture?.close()
  })

  async function visit(size: Size = 'desk', theme: Theme = 'night') {
    const [width, height] = sizes[size]
    const context = await browser.newContext({
      viewport: { width, height },
      timezoneId: 'Asia/Shanghai',
    })
    await context.addInitScript((kept) => localStorage.setItem('theme', kept), theme)
    return context
  }
  async function signIn(page: Page, user: string, at = fixture) {
    await page.goto(`${at.url}/sign-in`)
    await page.fill('input[name=username]', user)
    await page.fill('input[name=password]', password)
    await page.click('button[type=submit]')
    await page.waitForURL((url) => url.pathname !== '/sign-in')
  }
  /** A signed-in page at an address; one sign-in per person, since tries are limited. */
  async function open(user: string, path: string, size: Size = 'desk', theme: Theme = 'night') {
    const context = await visit(size, theme)
    const known = cookies.get(user)
    const page = await context.newPage()
    if (known) await context.addCookies(known)
    else {
      await signIn(page, user)
      cookies.set(user, await context.cookies())
    }
    await page.goto(fixture.url + path)
    return { page, context }
  }
  /** Takes a picture and names what is wrong with the page: rules of WCAG, sideways scrolling. */
  async function faults(page: Page, name: string): Promise<string[]> {
    const { violations } = await new AxeBuilder({ page })
      .withTags(['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa'])
      .analyze()
    await page.screenshot({ path: join(pictures, `${name}.png`) })
    const over = await page.evaluate(() => document.documentElement.scrollWidth - innerWidth)
    return [
      ...violations.map(({ id, nodes }) => `${name} ${id}: ${nodes[0]?.html}`),
      ...(over > 0 ? [`${name} scrolls ${over} px sideways`] : []),
    ]
  }
  const village = () => `/s/${fixture.scopes.village}`
  const township = () => `/s/${fixture.scopes.township}`

  const looks: [string, string, () => string, string][] = [
    ['village', 'village-duty', village, '[role=row][data-id]'],
    ['township', 'township-officer', township, '[role=row][data-id]'],
    ['county', 'county-supervisor', () => `/s/${fixture.scopes.county}`, '[role=row][data-id]'],
    ['devices', 'crew', () => `${township()}/devices?state=down`, '[role=row] a'],
    ['alarms', 'township-officer', () => `${township()}/alarms`, '[role=row][data-id]'],
    ['system', 'county-supervisor', () => '/settings/system', 'dl'],
    ['later', 'township-officer', () => `${township()}/work`, 'h1'],
  ]
  const combinations = (['night', 'day'] as const).flatMap((theme) =>
    (['desk', 'wide', 'phone'] as const).map((size) => [theme, size] as const),
  )
  test.each(looks)(
    '%s breaks no rule of WCAG 2.2 AA in two themes and three sizes',
    async (name, user, path, mark) => {
      const { page, context } = await open(user, path())
      await page.waitForSelector(mark)
      for (const [theme, size] of combinations) {
        const [width, height] = sizes[size]
        await page.setViewportSize({ width, height })
        if ((await page.getAttribute('html', 'data-theme')) !== theme)
          await page.keyboard.press('t')
        await page.waitForSelector(`html[data-theme=${theme}]`)
        await page.waitForSelector(mark)
        expect(await faults(page, `${name}-${size}-${theme}`)).toEqual([])
      }
      await context.close()
    },
  )

  test('a wrong password is told in words, and no password is hinted at', async () => {
    const context = await visit()
    const page = await context.newPage()
    await page.goto(`${fixture.url}/sign-in`)
    expect(await faults(page, 'sign-in')).toEqual([])
    await page.fill('input[name=username]', 'nobody')
    await page.fill('input[name=password]', 'wrong wrong wrong')
    await page.click('button[type=submit]')
    expect(await page.textContent('[role=alert]')).toContain('用户名或密码不对')
    await context.close()
  })

  test('a password made by the hub must be changed before anything is shown', async () => {
    const context = await visit()
    const page = await context.newPage()
    await signIn(page, 'newcomer')
    await page.waitForURL('**/password')
    await page.goto(fixture.url + village())
    await page.waitForURL('**/password')
    expect(await faults(page, 'password')).toEqual([])
    const [current, next, again] = await page.locator('input[type=password]').all()
    await current?.fill(password)
    await next?.fill('my own long password')
    await again?.fill('my own long passwort')
    await page.click('button[type=submit]')
    expect(await page.textContent('[role=alert]')).toContain('不一样')
    await again?.fill('my own long password')
    await page.click('button[type=submit]')
    await page.waitForURL(`**${village()}`)
    await context.close()
  })

  test('an alarm rings, is told to readers, and the key A takes it everywhere', async () => {
    const context = await visit()
    const page = await context.newPage()
    await signIn(page, 'village-duty')
    await page.waitForSelector('[role=row][data-id]')
    // The fixture's own alarms are taken first, so that what rings is the new one.
    for (;;) {
      const open = await page.locator('[role=row].unack').count()
      if (open === 0) break
      await page.keyboard.press('a')
      await page.waitForFunction(
        (n) => document.querySelectorAll('.unack[role=row]').length < n,
        open,
      )
    }
    const other = await open('township-officer', township())
    await other.page.waitForSelector('[role=row][data-id]')
    fixture.raise(fixture.scopes.village, 'fire', 1)
    await page.waitForSelector('.frame[data-ringing=critical]')
    expect(await page.title()).toContain('▲1')
    await page.waitForFunction(() =>
      document.querySelector('[aria-live=assertive]')?.textContent?.includes('火警'),
    )
    await other.page.waitForSelector('[role=row].unack:has-text("火警")')
    await page.keyboard.press('a')
    await page.waitForSelector('.frame:not([data-ringing])')
    await other.page.waitForSelector('[role=row]:has-text("火警"):has-text("王建国 处理中")')
    await other.context.close()
    await context.close()
  })

  test('letters do nothing while somebody types', async () => {
    const { page, context } = await open('crew', `${township()}/devices`)
    await page.waitForSelector('[role=row] a')
    await page.fill('input[type=search]', '')
    await page.locator('input[type=search]').pressSequentially('tam')
    expect(await page.getAttribute('html', 'data-theme')).toBe('night')
    await page.locator('h1').click()
    await page.keyboard.press('t')
    expect(await page.getAttribute('html', 'data-theme')).toBe('day')
    await context.close()
  })

  test('the filter of the device list lives in the address', async () => {
    const { page, context } = await open('crew', `${township()}/devices`)
    await page.waitForSelector('[role=row] a')
    await page.selectOption('select >> nth=0', 'down')
    await page.waitForURL('**state=down')
    await page.waitForFunction(() =>
      [...document.querySelectorAll('[role=cell].state')].every((cell) =>
        cell.textContent?.includes('离线'),
      ),
    )
    const rows = await page.locator('[role=cell].state').count()
    await page.reload()
    await page.waitForSelector('[role=row] a')
    expect(await page.locator('[role=cell].state').count()).toBe(rows)
    expect(await page.inputValue('select >> nth=0')).toBe('down')
    await context.close()
  })

  test('a role that may not watch sees a sentence, and its page asks for no picture', async () => {
    const context = await visit()
    await context.addCookies(cookies.get('crew') ?? [])
    const page = await context.newPage()
    const asked: string[] = []
    page.on('request', (request) => asked.push(request.url()))
    page.on('websocket', (socket) => asked.push(socket.url()))
    await page.goto(fixture.url + township())
    await page.waitForSelector('text=您的岗位不看实时画面')
    await page.waitForSelector('.map canvas')
    expect(asked.filter((url) => /media|player|grant/.test(url))).toEqual([])
    expect(asked.filter((url) => !new RegExp(`^(http|ws)://127.0.0.1`).test(url))).toEqual([])
    await context.close()
  })

  test('silent intake is stale data, not the present; a lost hub is an alarm, and comes back', async () => {
    await using own = await fixtureServer({ townships: 1, villages: 2, perVillage: 8 })
    const context = await visit()
    const page = await context.newPage()
    await signIn(page, 'village-duty', own)
    await page.waitForSelector('text=实时')
    own.raise(own.scopes.village, 'fire', 1)
    own.intake(false)
    await page.waitForSelector('text=数据停滞', { timeout: 25_000 })
    await page.waitForSelector('.panel.stale')
    await page.screenshot({ path: join(pictures, 'stale.png') })
    own.intake(true)
    await page.waitForSelector('.frame:not([data-stale])', { timeout: 10_000 })
    const port = Number(new URL(own.url).port)
    await own.close()
    const since = Date.now()
    await page.waitForSelector('text=与值守中心的连接已断开', { timeout: 25_000 })
    expect(Date.now() - since).toBeLessThan(18_000)
    await page.waitForSelector('.frame[data-ringing=lost]')
    const take = page.locator('[role=row] button')
    expect(await take.count()).toBeGreaterThan(0)
    expect(await take.first().isDisabled()).toBe(true)
    expect(await take.first().getAttribute('title')).toContain('现在不能确认')
    expect(await faults(page, 'lost')).toEqual([])
    await using again = await fixtureServer({ townships: 1, villages: 2, perVillage: 8 }, { port })
    // Its sessions are new ones: the page says so instead of showing old data.
    await page.waitForURL('**/sign-in**', { timeout: 20_000 })
    expect(await page.textContent('form')).toContain('登录已失效')
    await signIn(page, 'village-duty', again)
    await page.waitForSelector('.frame:not([data-stale])')
    await context.close()
  }, 90_000)
})
