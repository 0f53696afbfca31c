import { BlockList, isIP } from 'node:net'
import { StreamFault } from '../fault.ts'

/** One answer of the resolver. */
export interface Resolved {
  address: string
  family: number
}
export type Lookup = (host: string) => Promise<readonly Resolved[]>

/** Judges an address; undefined = allowed, otherwise the reason in words for the log. */
export type AddressJudge = (address: string) => string | undefined

// RFC 1918 and RFC 4193: what "empty = private networks only" means.
const privateNetworks = ['10.0.0.0/8', '172.16.0.0/12', '192.168.0.0/16', 'fc00::/7']

/** Networks that open only when the allow-list names them, or a part of them, itself: 0.0.0.0/0 does not. */
const closedUnlessNamed: readonly [why: string, networks: readonly string[]][] = [
  ['loopback', ['127.0.0.0/8', '::1/128']],
  ['link-local', ['169.254.0.0/16', 'fe80::/10']],
]

const neverAllowed: readonly [why: string, networks: readonly string[]][] = [
  ['metadata service', ['169.254.169.254/32', '100.100.100.200/32', 'fd00:ec2::254/128']],
  ['multicast or broadcast', ['224.0.0.0/4', '240.0.0.0/4', 'ff00::/8']],
  ['unspecified', ['0.0.0.0/8', '::/128']],
  // They carry an IPv4 address inside and would reach it past the judgement: RFC 6052, 3056, 4380, 2765, 4291.
  [
    'IPv4 in disguise',
    ['64:ff9b::/96', '64:ff9b:1::/48', '2002::/16', '2001::/32', '::ffff:0:0:0/96', '::/96'],
  ],
]

interface Network {
  address: string
  bits: number
  family: 'ipv4' | 'ipv6'
}

function parseNetwork(text: string): Network | undefined {
  const [address = '', bitsText, more] = text.trim().split('/')
  const version = isIP(address)
  if (version === 0 || more !== undefined || address.includes('%')) return undefined
  const most = version === 4 ? 32 : 128
  const bits = bitsText === undefined ? most : /^\d{1,3}$/.test(bitsText) ? Number(bitsText) : -1
  if (bits < 0 || bits > most) return undefined
  return { address, bits, family: version === 4 ? 'ipv4' : 'ipv6' }
}

function listOf(networks: readonly string[]): BlockList {
  const list = new BlockList()
  for (const text of networks) {
    const network = parseNetwork(text)
    if (network) list.addSubnet(network.address, network.bits, network.family)
  }
  return list
}

/** `::ffff:127.0.0.1` is 127.0.0.1 to the kernel, so it is to the judge. */
export function plainAddress(address: string): string {
  if (isIP(address) !== 6) return address
  // The URL parser writes every spelling of an IPv6 address in its one short form.
  const short = address.includes('%')
    ? address
    : new URL(`http://[${address}]`).hostname.slice(1, -1)
  const mapped = /^::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})$/.exec(short)
  if (!mapped) return short
  const high = Number.parseInt(mapped[1] ?? '', 16)
  const low = Number.parseInt(mapped[2] ?? '', 16)
  return `${high >> 8}.${high & 255}.${low >> 8}.${low & 255}`
}

/**
 * The judge for `HUB_CAMERA_NETWORKS`. The hub's own addresses are refused as well, unless the list
 * names one exactly (/32, /128): a camera address must not reach the hub's own doors.
 *
 * @param setting comma-separated CIDR networks; empty = private networks only
 * @param ownAddresses addresses of this machine's interfaces
 * @throws RangeError naming the entry that is no network
 */
export function addressJudge(setting: string, ownAddresses: readonly string[] = []): AddressJudge {
  const entries = setting.split(',').map((entry) => entry.trim())
  const named = entries.filter((entry) => entry !== '')
  const bad = named.find((entry) => !parseNetwork(entry))
  if (bad !== undefined) throw new RangeError(`'${bad}' is not a network (example: 10.20.0.0/16)`)
  const allowed = listOf(named.length > 0 ? named : privateNetworks)
  const exact = listOf(named.filter((entry) => /^[^/]+(\/32|\/128)?$/.test(entry)))
  const own = listOf(ownAddresses.filter((address) => !address.includes('%')))
  const never = neverAllowed.map(([why, networks]) => [why, listOf(networks)] as const)
  const closed = closedUnlessNamed.map(([why, networks]) => {
    const list = listOf(networks)
    const opened = named.filter((entry) => {
      const network = parseNetwork(entry)
      return network !== undefined && isInside(network, list, networks)
    })
    return [why, list, listOf(opened)] as const
  })
  return (given) => {
    const address = plainAddress(given)
    const version = isIP(address)
    if (version === 0 || address.includes('%')) return 'not an address'
    const family = version === 4 ? 'ipv4' : 'ipv6'
    for (const [why, list] of closed)
      if (list.check(address, family)) {
        const opened = closed.some(([, , open]) => open.check(address, family))
        if (!opened) return why
      }
    for (const [why, list] of never) {
      // ::1 lies in ::/96, too; whether loopback is open was judged above.
      if (address === '::1') continue
      if (list.check(address, family)) return why
    }
    const loopback = closed.some(([, , open]) => open.check(address, family))
    if (!loopback && own.check(address, family) && !exact.check(address, family))
      return "one of the hub's own addresses"
    return allowed.check(address, family) ? undefined : 'outside the camera networks'
  }
}

// A listed network opens a closed one only when it lies wholly inside it.
const isInside = (network: Network, list: BlockList, of: readonly string[]) =>
  list.check(network.address, network.family) &&
  of.some((text) => {
    const outer = parseNetwork(text)
    return outer?.family === network.family && network.bits >= outer.bits
  })

/**
 * Resolves a host and picks the first address the judge allows. The socket must connect to exactly
 * this address: a second resolution could answer differently (DNS rebinding).
 *
 * @throws StreamFault `not-allowed-address` or `unreachable` (name not known)
 */
export async function judgedAddress(
  host: string,
  { lookup, judge }: { lookup: Lookup; judge: AddressJudge },
): Promise<string> {
  const bare = host.replace(/^\[|\]$/g, '')
  let answers: readonly Resolved[]
  if (isIP(bare)) answers = [{ address: bare, family: isIP(bare) }]
  else {
    try {
      answers = await lookup(bare)
    } catch {
      throw new StreamFault('unreachable', `the name '${bare}' is not known`)
    }
  }
  let why = 'the name has no address'
  for (const { address } of answers) {
    const refusal = judge(address)
    if (refusal === undefined) return plainAddress(address)
    why = refusal
  }
  throw new StreamFault('not-allowed-address', `address of '${bare}' refused: ${why}`)
}
