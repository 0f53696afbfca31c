import { afterEach, expect, test } from 'vitest'
import { readSei } from '../../simulators/sei.ts'
import { fast, isKey, more, pictures, rtspBench } from '../support/sim-rtsp.ts'
import { until } from '../support/until.ts'

const { reader, watching, close } = rtspBench()
afterEach(() => close())

test('freeze: after the running second one IDR and 24 holding pictures, again and again', async () => {
  const { made, client } = await watching()
  made.fault('cam-1', 'freeze')
  await more(client, 130)
  const last = pictures(client).slice(-100)
  const sizes = last.map(([nal]) => nal?.length ?? 0)
  expect(sizes.filter((size) => size > 1_000)).toHaveLength(4)
  expect(sizes.filter((size) => size < 20)).toHaveLength(96)
  expect(last.slice(0, 75)).toEqual(last.slice(25))
  made.fault('cam-1', undefined)
  await more(client, 60)
  expect(
    new Set(
      pictures(client)
        .slice(-30)
        .map(([nal]) => nal?.toString('hex')),
    ).size,
  ).toBe(30)
})

test('stall: the connection stands and answers, no picture comes; then it goes on at an IDR', async () => {
  const { made, client } = await watching()
  made.fault('cam-1', 'stall')
  expect(made.fps('cam-1')).toBe(0)
  // The answer comes behind everything that was sent before.
  expect((await client.request('GET_PARAMETER')).status).toBe(200)
  const { length } = client.units
  const witness = await reader(made.port, 'cam-2')
  await witness.play()
  await until('two seconds of another camera', () => witness.units.length > 50)
  expect(client.units).toHaveLength(length)
  expect(client.closed).toBe(false)
  made.fault('cam-1', undefined)
  await more(client, 3)
  expect(isKey(client.units[length])).toBe(true)
  const pause = (client.units[length]?.timestamp ?? 0) - (client.units[length - 1]?.timestamp ?? 0)
  expect(pause >>> 0).toBeGreaterThan(90_000)
})

test('drops: viewers are cut now and again 3 s after each start', async () => {
  const { made, client } = await watching(fast(10))
  made.fault('cam-1', 'drops')
  await until('the cut', () => client.closed)
  const again = await reader(made.port)
  await again.play()
  await until('the next cut', () => again.closed)
  expect(again.units.length).toBeGreaterThan(10)
  expect(again.units.length).toBeLessThan(100)
})

test('offline: viewers are cut and requests hung up on', async () => {
  const { made, client } = await watching()
  made.fault('cam-1', 'offline')
  await until('the cut', () => client.closed)
  const again = await reader(made.port)
  await expect(again.request('OPTIONS')).rejects.toThrow('connection closed')
})

test('dark: no answer at all, the open connection is silent, and cut when power is back', async () => {
  const { made, client } = await watching()
  made.fault('cam-1', 'dark')
  const knocking = await reader(made.port)
  const { length } = client.units
  knocking.socket.write('OPTIONS rtsp://127.0.0.1/cam-1 RTSP/1.0\r\nCSeq: 1\r\n\r\n')
  const witness = await reader(made.port, 'cam-2')
  await witness.play()
  await until('two seconds of another camera', () => witness.units.length > 50)
  expect(knocking.socket.bytesRead).toBe(0)
  expect(knocking.closed || client.closed).toBe(false)
  expect(client.units.length - length).toBeLessThan(4)
  made.fault('cam-1', undefined)
  await until('the cut', () => client.closed)
})

test('wrong password: the right one is refused, too', async () => {
  const { made, client } = await watching()
  made.fault('cam-1', 'wrong-password')
  await until('the cut', () => client.closed)
  const again = await reader(made.port)
  await again.request('DESCRIBE')
  expect((await again.request('DESCRIBE')).status).toBe(401)
  made.fault('cam-1', undefined)
  expect((await again.request('DESCRIBE')).status).toBe(200)
})

test('garbage: bytes come that are no picture; healed, a new connection plays', async () => {
  const { made } = await watching()
  made.fault('cam-1', 'garbage')
  const victim = await reader(made.port)
  await victim.play()
  const { bytesRead } = victim.socket
  await until('noise', () => victim.socket.bytesRead > bytesRead + 5_000)
  expect(victim.units.flatMap(({ nals }) => nals).some((nal) => readSei(nal))).toBe(false)
  made.fault('cam-1', undefined)
  await until('the cut', () => victim.closed)
  const again = await reader(made.port)
  await again.play()
  await more(again, 3)
  expect(isKey(again.units[0])).toBe(true)
})
