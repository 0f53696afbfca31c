import { describe, expect, test } from 'vitest'
import { addressJudge, judgedAddress, plainAddress } from '../../hub/media/rtsp/address.ts'

const demo = '127.0.0.0/8,10.0.0.0/8'

describe('which addresses a camera may have', () => {
  test.each([
    ['', '10.1.2.3', true],
    ['', '172.16.0.1', true],
    ['', '172.32.0.1', false],
    ['', '192.168.1.64', true],
    ['', 'fd12::1', true],
    ['', '8.8.8.8', false],
    ['', '100.64.0.1', false],
    ['', '127.0.0.1', false],
    ['', '::1', false],
    ['', '0.0.0.0', false],
    ['', '::', false],
    ['', '169.254.10.1', false],
    ['', '169.254.169.254', false],
    ['', 'fe80::1', false],
    ['', 'fe80::1%eth0', false],
    ['', '224.0.0.1', false],
    ['', '255.255.255.255', false],
    ['', 'ff02::1', false],
    ['', '::ffff:127.0.0.1', false],
    ['', '::ffff:7f00:1', false],
    ['', '0:0:0:0:0:ffff:7f00:0001', false],
    ['', '::ffff:10.1.2.3', true],
    ['', '::127.0.0.1', false],
    ['', '64:ff9b::7f00:1', false],
    ['', '2002:7f00:1::', false],
    ['', 'not-an-address', false],
    // A wide net does not open what is closed by itself.
    ['0.0.0.0/0', '127.0.0.1', false],
    ['0.0.0.0/0', '169.254.1.1', false],
    ['0.0.0.0/0', '169.254.169.254', false],
    ['0.0.0.0/0', '8.8.8.8', true],
    ['::/0', '::1', false],
    ['::/0', '::ffff:127.0.0.1', false],
    ['::/0', '64:ff9b::7f00:1', false],
    ['::/0', '2002:7f00:1::', false],
    ['::/0', '::ffff:0:127.0.0.1', false],
    ['::/0', '::127.0.0.1', false],
    ['::/0', '2606:4700::1', true],
    ['126.0.0.0/7', '127.0.0.1', false],
    // What is named itself is open.
    [demo, '127.0.0.1', true],
    [demo, '127.9.9.9', true],
    [demo, '::ffff:127.0.0.1', true],
    [demo, '::1', false],
    [demo, '192.168.1.1', false],
    ['127.0.0.1/32', '127.0.0.2', false],
    ['::1/128', '::1', true],
    ['169.254.0.0/16', '169.254.7.7', true],
    ['169.254.0.0/16', '169.254.169.254', false],
    ['203.0.113.0/24', '203.0.113.9', true],
    ['203.0.113.0/24', '10.1.2.3', false],
  ])('networks "%s", address %s: %s', (setting, address, allowed) => {
    expect(addressJudge(setting)(address) === undefined).toBe(allowed)
  })

  test("the hub's own address is refused unless it is named exactly", () => {
    expect(addressJudge('10.0.0.0/8', ['10.0.0.5'])('10.0.0.5')).toBe(
      "one of the hub's own addresses",
    )
    expect(addressJudge('10.0.0.0/8,10.0.0.5', ['10.0.0.5'])('10.0.0.5')).toBeUndefined()
    expect(addressJudge(demo, ['127.0.0.1', '10.0.0.5'])('127.0.0.1')).toBeUndefined()
  })

  test.each(['10.0.0.0/33', '10.0.0/8', 'fe80::1%eth0/64', '10.0.0.0/8/8', 'cameras'])(
    'the entry %s is named as no network',
    (entry) => {
      expect(() => addressJudge(entry)).toThrow(entry)
    },
  )

  test('an IPv4 address in IPv6 dress is undressed', () => {
    expect(plainAddress('::ffff:192.168.1.2')).toBe('192.168.1.2')
    expect(plainAddress('FD00::1')).toBe('fd00::1')
  })
})

describe('judging after the name was resolved', () => {
  const judge = addressJudge('')
  const answering = (...addresses: string[]) => ({
    judge,
    lookup: async () => addresses.map((address) => ({ address, family: 4 })),
  })

  test('the first allowed answer is the address to connect to', async () => {
    expect(await judgedAddress('cam.lan', answering('127.0.0.1', '10.0.0.9'))).toBe('10.0.0.9')
  })

  test.each(['127.0.0.1', '169.254.169.254', '::ffff:7f00:1'])(
    'a name that resolves to %s is refused',
    async (address) => {
      await expect(judgedAddress('cam.lan', answering(address))).rejects.toMatchObject({
        code: 'not-allowed-address',
      })
    },
  )

  test('an unknown name is unreachable', async () => {
    const lookup = () => Promise.reject(new Error('ENOTFOUND'))
    await expect(judgedAddress('cam.lan', { judge, lookup })).rejects.toMatchObject({
      code: 'unreachable',
    })
  })

  test('a literal is never given to the resolver', async () => {
    const lookup = () => Promise.reject(new Error('asked'))
    expect(await judgedAddress('[fd00::9]', { judge, lookup })).toBe('fd00::9')
  })
})
