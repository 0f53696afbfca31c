import type { CameraFault } from './camera-stream.ts'
import type { Happening } from './device.ts'
import type { Fleet, Member } from './fleet.ts'
import { pick, type Random } from './random.ts'
import type { RtspServer } from './rtsp-camera.ts'
import type { Truth } from './truth.ts'

/** What a command did, or why not, in one line. */
export interface Answer {
  ok: boolean
  message: string
}

/** The simulated county as faults see it. */
export interface FaultDeps {
  fleet: Fleet
  rtsp: Pick<RtspServer, 'fault' | 'faultOf'>
  /** Regions by code and name, for `power cut`. */
  regions: readonly { code: string; name: string }[]
  clock: () => number
  random: Random
  truth: Truth
}

/** Carries out one command in words. */
export type Faults = (words: string) => Answer

interface Command {
  /** First words of the command. */
  words: string
  /** What follows, for the help line. */
  takes: string
  run(target: string): Answer
}

const done = (message: string): Answer => ({ ok: true, message })
const refused = (message: string): Answer => ({ ok: false, message })

const cameraWords: readonly [string, CameraFault | undefined][] = [
  ['camera freezes', 'freeze'],
  ['camera stalls', 'stall'],
  ['camera drops', 'drops'],
  ['camera offline', 'offline'],
  ['camera refuses password', 'wrong-password'],
  ['camera sends garbage', 'garbage'],
]

const deviceWords: readonly [string, Happening, string][] = [
  ['door opens', 'open', 'contact'],
  ['door closes', 'close', 'contact'],
  ['panic pressed', 'press', 'panic'],
  ['lamp fails', 'fail', 'light'],
  ['lamp mended', 'mend', 'light'],
  ['lamp flickers', 'flicker', 'light'],
  ['battery low', 'battery-low', 'contact or panic'],
  ['battery changed', 'battery-changed', 'contact or panic'],
]

/** The commands of a running county: see `help`. */
export function faults(deps: FaultDeps): Faults {
  const commands = [...deviceCommands(deps), ...cameraCommands(deps), ...powerCommands(deps)]
  const possible = commands.map(({ words, takes }) => `${words} <${takes}>`).join(', ')
  return (text) => {
    const words = text.trim().split(/\s+/).join(' ')
    if (words === 'help') return done(possible)
    if (words === 'status') return done(status(deps))
    const command = commands.find((one) => words === one.words || words.startsWith(`${one.words} `))
    if (!command) return refused(`cannot '${words.slice(0, 80)}'; possible: ${possible}, status`)
    return command.run(words.slice(command.words.length + 1))
  }
}

function status({ fleet }: FaultDeps) {
  const states = new Map<string, number>()
  for (const { link } of fleet.members.values())
    states.set(link.state, (states.get(link.state) ?? 0) + 1)
  return `${fleet.members.size} devices: ${[...states].map(([state, count]) => `${count} ${state}`).join(', ')}`
}

/** One device by id, or by `any` (also by nothing) one of those the command fits. */
function choose(deps: FaultDeps, target: string, fits: (member: Member) => boolean, kind: string) {
  if (target !== '' && target !== 'any') {
    const member = deps.fleet.members.get(target)
    if (!member) return refused(`no device '${target.slice(0, 64)}' in this county`)
    return fits(member) ? member : refused(`'${target}' is no ${kind}`)
  }
  const all = [...deps.fleet.members.values()].filter(fits)
  const online = all.filter(({ link }) => link.state === 'online')
  return pick(deps.random, online.length > 0 ? online : all) ?? refused(`no ${kind} in this county`)
}

const isCamera = ({ device }: Member) => device.device.kind === 'camera'
const idOf = ({ device }: Member) => device.device.deviceId

function deviceCommands(deps: FaultDeps): Command[] {
  const happenings = deviceWords.map(([words, what, kind]): Command => {
    const fits = ({ device }: Member) => kind.split(' or ').includes(device.device.kind)
    return {
      words,
      takes: `${kind} | any`,
      run(target) {
        const member = choose(deps, target, fits, kind)
        if ('ok' in member) return member
        return happen(deps, member, words, what)
      },
    }
  })
  const link = (words: string, act: (member: Member) => Answer): Command => ({
    words,
    takes: 'device | any',
    run(target) {
      const member = choose(deps, target, () => true, 'device')
      return 'ok' in member ? member : act(member)
    },
  })
  return [
    ...happenings,
    link('device silent', (member) => away(deps, member, 'silent')),
    link('device killed', (member) => away(deps, member, 'killed')),
    {
      words: 'device back',
      takes: 'device | all',
      run: (target) => back(deps, target),
    },
  ]
}

/** Lets something happen to a device and sends what it says of it. */
export function happen(
  { clock, truth }: Pick<FaultDeps, 'clock' | 'truth'>,
  { device, link }: Member,
  words: string,
  what: Happening,
): Answer {
  const id = device.device.deviceId
  const edges = device.happen(what)
  if (!edges) return refused(`'${id}' cannot do that`)
  truth.tell({ at: clock(), device: id, what: words })
  const sent = edges.map((edge) => link.raise(edge).seq)
  const alarms = sent.length > 0 ? `, alarm ${sent.join(' ')} of boot ${device.boot()}` : ''
  return done(`${id}: ${words}${alarms}`)
}

function away({ rtsp }: FaultDeps, member: Member, how: 'silent' | 'killed'): Answer {
  const { link } = member
  if (how === 'silent') link.silence('silent')
  else link.kill()
  // The picture comes from the same box.
  if (isCamera(member)) rtsp.fault(idOf(member), how === 'silent' ? 'dark' : 'offline')
  return done(`${idOf(member)} is ${how}`)
}

function back({ fleet, rtsp }: FaultDeps, target: string): Answer {
  const all = target === '' || target === 'all'
  const member = fleet.members.get(target)
  if (!all && !member) return refused(`no device '${target.slice(0, 64)}' in this county`)
  const revived = (member && !all ? [member] : [...fleet.members.values()]).filter(
    ({ link }) => (link.state === 'silent' || link.state === 'gone') && !link.powerless,
  )
  if (member && revived.length === 0)
    return refused(`'${target}' ${member.link.powerless ? 'has no power' : 'is not away'}`)
  for (const one of revived) {
    one.link.revive(false)
    if (isCamera(one)) rtsp.fault(idOf(one), undefined)
  }
  return done(`${revived.length === 1 && member ? target : `${revived.length} devices`} back`)
}

function cameraCommands(deps: FaultDeps): Command[] {
  const set = (member: Member, words: string, fault: CameraFault | undefined) => {
    deps.rtsp.fault(idOf(member), fault)
    deps.truth.tell({ at: deps.clock(), device: idOf(member), what: words })
  }
  const breaking = cameraWords.map(([words, fault]): Command => ({
    words,
    takes: 'camera | any',
    run(target) {
      const member = choose(deps, target, isCamera, 'camera')
      if ('ok' in member) return member
      if (member.link.state !== 'online') return refused(`'${idOf(member)}' is away`)
      set(member, words, fault)
      return done(`${idOf(member)}: ${words}`)
    },
  }))
  const backAgain: Command = {
    words: 'camera back',
    takes: 'camera | all',
    run(target) {
      const all = target === '' || target === 'all'
      const chosen = all ? undefined : choose(deps, target, isCamera, 'camera')
      if (chosen && 'ok' in chosen) return chosen
      if (chosen && chosen.link.state !== 'online')
        return refused(`'${idOf(chosen)}' is away: 'device back' or 'power back' brings it back`)
      const members = chosen ? [chosen] : [...deps.fleet.members.values()].filter(isCamera)
      // A camera without power or network does not come back by itself.
      const broken = members.filter(
        (member) => deps.rtsp.faultOf(idOf(member)) && member.link.state === 'online',
      )
      for (const member of broken) set(member, 'camera back', undefined)
      return done(`${chosen ? idOf(chosen) : `${broken.length} cameras`}: camera back`)
    },
  }
  return [...breaking, backAgain]
}

function powerCommands(deps: FaultDeps): Command[] {
  const inside = (scope: string) =>
    [...deps.fleet.members.values()].filter(
      ({ device }) => device.mains && device.device.region.startsWith(scope),
    )
  return [
    {
      words: 'power cut',
      takes: 'village or region, by code or name',
      run(target) {
        const scope = scopeFor(deps, target)
        if (typeof scope !== 'string') return scope
        const members = inside(scope)
        for (const member of members) {
          member.link.silence('power lost')
          if (isCamera(member)) deps.rtsp.fault(idOf(member), 'dark')
        }
        return done(`power cut in ${scope}: ${members.length} devices dark`)
      },
    },
    {
      words: 'power back',
      takes: 'village or region, by code or name | all',
      run(target) {
        const all = target === '' || target === 'all'
        const scope = all ? '' : scopeFor(deps, target)
        if (typeof scope !== 'string') return scope
        const members = inside(scope).filter(({ link }) => link.powerless)
        for (const member of members) {
          if (isCamera(member)) deps.rtsp.fault(idOf(member), undefined)
          member.link.revive(true)
        }
        return done(`power back in ${scope || 'the county'}: ${members.length} devices boot`)
      },
    },
  ]
}

/** Leading digits of a region given by its code, by a part of it, or by its name. */
function scopeFor({ regions }: FaultDeps, target: string): string | Answer {
  if (/^\d{6,12}$/.test(target)) {
    const scope = target.replace(/(000){1,2}$/, '')
    if (regions.some(({ code }) => code.startsWith(scope))) return scope
    return refused(`no region '${target}' in this county`)
  }
  const named = regions.filter(({ name }) => name === target)
  const [only] = named
  if (!only) return refused(`no region '${target.slice(0, 40)}'; give its code or its full name`)
  if (named.length > 1)
    return refused(
      `more than one region is called '${target}': ${named.map(({ code }) => code).join(', ')}`,
    )
  return only.code.replace(/(000){1,2}$/, '')
}
