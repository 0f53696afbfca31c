import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { Strips } from '../../hub/schema/api.ts'
import type { Role } from '../../hub/schema/people.ts'
import {
  browserInstalled,
  countTones,
  keepPicture,
  openBrowser,
  pictureHash,
} from '../support/browser.ts'
import { temporaryFolder } from '../support/hub-process.ts'
import {
  cookieOf,
  liveCounty,
  openDoorByHand,
  passwordOf,
  type LiveCounty,
} from '../support/live-county.ts'
import { until } from '../support/until.ts'

if (!browserInstalled)
  process.stderr.write(
    'SKIPPED test/flows/duty-day.test.ts: /usr/bin/chromium is missing (Debian: apt install chromium)\n',
  )

const unknownCode = 3
const devices = 12

const chip = (page: Page, word: string) =>
  page.getByRole('link', { name: new RegExp(`\\d+ *${word}`) }).first()
const alarmRow = (page: Page) =>
  page.getByRole('grid', { name: '报警' }).getByRole('row').filter({ hasText: '门磁触发' })

// One day of a village in a few minutes, in a real browser. The tests build on each other, in order.
describe.skipIf(!browserInstalled)('a day at the duty screen', () => {
  const folder = temporaryFolder('duty')
  let live: LiveCounty
  let browser: Browser
  let village: Page
  let township: Page
  const contexts: BrowserContext[] = []

  beforeAll(async () => {
    live = await liveCounty(folder.path, { townships: 1, villages: 2, perVillage: devices })
    await live.startHub()
    await live.startSimulator()
    browser = await openBrowser()
  })
  afterAll(async () => {
    await browser?.close()
    await live?.[Symbol.asyncDispose]()
    folder[Symbol.dispose]()
  })

  /** Signs in the way a person does, in a browser profile of their own. */
  async function signIn(role: Role): Promise<Page> {
    const context = await browser.newContext({
      viewport: { width: 1366, height: 768 },
      timezoneId: 'Asia/Shanghai',
    })
    contexts.push(context)
    const page = await context.newPage()
    await countTones(page)
    await page.goto(live.hub.address)
    await page.locator('input[name=username]').fill(role)
    await page.locator('input[name=password]').fill(passwordOf(role))
    await page.getByRole('button', { name: '开始值班' }).click()
    return page
  }
  const counts = async (page: Page, word: string) =>
    Number(/\d+/.exec((await chip(page, word).textContent()) ?? '')?.[0] ?? Number.NaN)
  const showsCount = (page: Page, word: string, wanted: number, withinMs: number) =>
    until(
      `the header shows ${wanted} ${word}`,
      async () => (await counts(page, word)) === wanted,
      withinMs,
    )
  const doorId = () =>
    live.county.devices.find(
      ({ device }) => device.kind === 'contact' && device.region === live.scopes['village-duty'],
    )!.device.deviceId

  test('after signing in all devices are alive', async () => {
    village = await signIn('village-duty')
    await village.waitForURL(`**/s/${live.scopes['village-duty']}`)
    await showsCount(village, '离线', 0, 30_000)
    await showsCount(village, '未知', 0, 30_000)
    expect(await counts(village, '报警')).toBe(0)
  })

  test('the camera moves', async () => {
    const before = await until('a decoded picture', () => pictureHash(village), 20_000)
    await expect.poll(() => pictureHash(village), { timeout: 5_000 }).not.toBe(before)
    await keepPicture(village, 'duty-day', '1-alive')
  })

  test('a door opened by mosquitto_pub is an alarm with sound', async () => {
    township = await signIn('township-officer')
    await township.waitForURL(`**/s/${live.scopes['township-officer']}`)
    const tonesBefore = Number(await village.evaluate('window.tones'))
    await openDoorByHand(live, doorId(), { kind: 'intrusion', state: 'active', prio: 1 })
    await alarmRow(village).waitFor({ timeout: 5_000 })
    await alarmRow(township).waitFor({ timeout: 5_000 })
    expect(await alarmRow(village).getAttribute('class')).toContain('unack')
    await until(
      'a tone sounds',
      async () => Number(await village.evaluate('window.tones')) > tonesBefore,
      5_000,
    )
    await keepPicture(village, 'duty-day', '2-alarm-village')
    await keepPicture(township, 'duty-day', '2-alarm-township')
  })

  test('the township acknowledges it and the village sees by whom, and falls silent', async () => {
    await alarmRow(township).getByRole('button', { name: '我来处理' }).click()
    await alarmRow(village).filter({ hasText: 'township-officer' }).waitFor({ timeout: 5_000 })
    const tones = Number(await village.evaluate('window.tones'))
    // The critical tone comes each 5 s: two periods of silence are silence.
    await village.waitForTimeout(10_500)
    expect(Number(await village.evaluate('window.tones'))).toBe(tones)
    await keepPicture(village, 'duty-day', '3-acknowledged')
  })

  test('one dead lamp is a row with its name, and gone when it is back', async () => {
    const lamp = live.county.devices.find(({ device }) => device.kind === 'light')!.device
    await live.fault(`device killed ${lamp.deviceId}`)
    const row = village.getByRole('list', { name: '离线 / 异常设备' }).getByRole('listitem')
    await row.filter({ hasText: lamp.name }).waitFor({ timeout: 10_000 })
    expect(await row.filter({ hasText: lamp.name }).isVisible()).toBe(true)
    await keepPicture(village, 'duty-day', '3-dead-lamp')
    await live.fault(`device back ${lamp.deviceId}`)
    await showsCount(village, '离线', 0, 30_000)
  })

  test('without the simulator the picture is stale in seconds and the devices go down', async () => {
    const stopped = performance.now()
    await live.stopSimulator()
    await until(
      'the tile says that the picture stands still',
      async () => (await village.locator('figure.stalled, figure.offline').count()) > 0,
      8_000,
    )
    expect(performance.now() - stopped).toBeLessThan(20_000)
    await showsCount(village, '离线', devices, 120_000)
    await keepPicture(village, 'duty-day', '4-down')
  })

  test('a crew sees which devices are down and since when', async () => {
    const crew = await signIn('crew')
    await crew.waitForURL('**/devices*')
    await crew.goto(`${live.hub.address}/s/${live.scopes.crew}/devices?state=down`)
    const rows = crew.getByRole('row').filter({ hasText: '离线' })
    await rows.first().waitFor({ timeout: 10_000 })
    expect(await rows.count()).toBeGreaterThan(5)
    expect(await rows.first().textContent()).toMatch(/\d{1,2}:\d{2}/)
    await keepPicture(crew, 'duty-day', '5-crew')
    await crew.context().close()
  })

  test('devices that come back are up again', async () => {
    await live.startSimulator()
    await showsCount(village, '离线', 0, 60_000)
    await expect.poll(() => counts(village, '未知'), { timeout: 20_000 }).toBe(0)
  })

  test('a stopped hub makes the page say so, and leaves a hatched unknown', async () => {
    const from = Date.now()
    await live.stopHub()
    await village.getByText('数据停滞').first().waitFor({ timeout: 20_000 })
    await keepPicture(village, 'duty-day', '6-hub-stopped')
    // The scenario's minute: an interval of this length is what the strip must show afterwards.
    await village.waitForTimeout(Math.max(0, from + 60_000 - Date.now()))
    await live.startHub()
    await village.locator('.frame[data-stale]').waitFor({ state: 'detached', timeout: 30_000 })
    await showsCount(village, '未知', 0, 90_000)
    const cookie = await cookieOf(live.hub.address, 'village-duty')
    const answer = await fetch(
      `${live.hub.address}/api/v1/regions/${live.scopes['village-duty']}/strips`,
      { headers: { cookie } },
    )
    const { rows } = Strips.parse(await answer.json())
    expect(rows).toHaveLength(devices)
    for (const { bins } of rows) {
      const blindMs = bins.reduce((all, bin) => all + bin[unknownCode]!, 0)
      expect(blindMs).toBeGreaterThan(59_000)
      expect(blindMs).toBeLessThan(160_000)
    }
  })

  test('the strip names the unknown minute in words', async () => {
    await village.reload()
    const grid = village.getByRole('grid', { name: /24/ })
    await grid.focus()
    await village.keyboard.press('End')
    const words = grid.getByRole('gridcell').first()
    const told: string[] = []
    for (let bin = 0; bin < 3; bin++) {
      told.push((await words.getAttribute('aria-label')) ?? '')
      await village.keyboard.press('ArrowLeft')
    }
    expect(told.join('\n')).toMatch(/看不到|未知/)
    await keepPicture(village, 'duty-day', '7-unknown-strip')
  })
})
