import { once } from 'node:events'
import { createServer } from 'node:http'
import { connect, type Socket } from 'node:net'
import { afterEach, expect, test } from 'vitest'
import { boundConnections } from '../../hub/web/idle-connections.ts'
import { systemClock } from '../../hub/clock.ts'
import { fakeClock } from '../support/fake-clock.ts'
import { until } from '../support/until.ts'
import { webRole } from '../support/web-role.ts'

const ends: (() => void)[] = []
afterEach(() => {
  for (const end of ends.splice(0)) end()
})

/** A connection that has asked once, got its answer, and stays. */
async function idler(port: number): Promise<Socket> {
  const socket = connect({ port, host: '127.0.0.1' })
  ends.push(() => socket.destroy())
  await once(socket, 'connect')
  socket.on('error', () => undefined)
  let text = ''
  socket.on('data', (part) => (text += part.toString('latin1')))
  socket.write('GET /livez HTTP/1.1\r\nhost: x\r\n\r\n')
  await until('an answer', () => text.includes('200 OK') || socket.destroyed)
  return socket
}

async function door(limits: { calm: number; most: number }) {
  const server = createServer((_request, response) => response.end('ok'))
  const clock = fakeClock()
  boundConnections(server, clock, limits)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  ends.push(() => server.close())
  ends.push(() => server.closeAllConnections())
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port was given')
  return { port: address.port, server }
}

test('when too many are open those that wait for nothing are closed, and who comes is served', async () => {
  const { port } = await door({ calm: 5, most: 100 })
  const idle = await Promise.all(Array.from({ length: 5 }, () => idler(port)))
  expect(idle.some(({ destroyed }) => destroyed)).toBe(false)
  const next = await idler(port)
  await until('the idle ones end', () => idle.every(({ destroyed }) => destroyed))
  expect(next.destroyed).toBe(false)
})

test('as long as there are few they are kept for their next request', async () => {
  const { port } = await door({ calm: 5, most: 100 })
  const idle = await idler(port)
  await Promise.all(Array.from({ length: 4 }, () => idler(port)))
  expect(idle.destroyed).toBe(false)
})

test('more than the most are refused', async () => {
  const { port } = await door({ calm: 50, most: 2 })
  await Promise.all([idler(port), idler(port)])
  const third = connect({ port, host: '127.0.0.1' })
  third.on('error', () => undefined)
  await once(third, 'close')
  expect(third.bytesRead).toBe(0)
})

test('the web role bounds its own door', async () => {
  await using web = await webRole({ clock: systemClock, connections: { calm: 3, most: 100 } })
  const idle = await Promise.all(Array.from({ length: 3 }, () => idler(web.port)))
  await idler(web.port)
  await until('the idle ones end', () => idle.every(({ destroyed }) => destroyed))
})
