import { errors } from '../errors.ts'
import type { MqttClient, mqttPolicy } from '../rules/policy.ts'
import { type NativeBranch, nativeBranches } from '../schema/native.ts'

export type MqttPolicy = typeof mqttPolicy
export type Branch = NativeBranch | 'bus'

/** Everything below it belongs to the hub's roles. */
export const busPrefix = 'hub/bus/'

/** Who speaks, as far as topics are concerned. `prefix` ends in `/`; roles have none. */
export interface Speaker {
  kind: MqttClient
  prefix: string
}

export interface MqttAcl {
  /** Branch of a topic this speaker may publish to; undefined = forbidden. */
  publishes(speaker: Speaker, topic: string): Branch | undefined
  /** True when this speaker may subscribe to this filter; wildcards are only for roles on their branch. */
  subscribes(speaker: Speaker, filter: string): boolean
  /** True when anybody at all may subscribe to the branch: otherwise it need not be distributed. */
  heard(branch: Branch): boolean
}

const isBranch = (name: string): name is NativeBranch =>
  (nativeBranches as readonly string[]).includes(name)

/** `jf/v1/339901/001/002/dev-1/c` */
const nativeTopic = /^jf\/v1\/\d{6}\/\d{3}\/\d{3}\/[A-Za-z0-9_.:-]{1,64}\/([a-z]+)$/

/**
 * Topic rights from the one permission table. A branch without an entry, or an entry without a
 * branch, stops the start.
 * @throws CONFIG_INVALID
 */
export function mqttAcl(policy: MqttPolicy): MqttAcl {
  const branches: readonly string[] = [...nativeBranches, 'bus']
  const missing = branches.filter((branch) => !Object.hasOwn(policy, branch))
  const unknown = Object.keys(policy).filter((branch) => !branches.includes(branch))
  if (missing.length > 0)
    throw errors.configInvalid(`MQTT branch '${missing.join("', '")}' has no entry in the policy`)
  if (unknown.length > 0)
    throw errors.configInvalid(
      `the policy lists an MQTT branch '${unknown.join("', '")}' that does not exist`,
    )

  const may = (side: 'publish' | 'subscribe', branch: Branch, kind: MqttClient) =>
    policy[branch]?.[side].includes(kind) ?? false

  function branchOf(speaker: Speaker, topic: string): Branch | undefined {
    if (speaker.kind !== 'role') {
      if (!topic.startsWith(speaker.prefix)) return undefined
      const rest = topic.slice(speaker.prefix.length)
      return isBranch(rest) ? rest : undefined
    }
    if (topic.startsWith(busPrefix) && topic.length > busPrefix.length) return 'bus'
    const rest = nativeTopic.exec(topic)?.[1]
    return rest !== undefined && isBranch(rest) ? rest : undefined
  }

  return {
    publishes(speaker, topic) {
      const branch = branchOf(speaker, topic)
      return branch !== undefined && may('publish', branch, speaker.kind) ? branch : undefined
    },
    subscribes(speaker, filter) {
      const branch = branchOf(speaker, filter)
      return branch !== undefined && may('subscribe', branch, speaker.kind)
    },
    heard: (branch) => (policy[branch]?.subscribe.length ?? 0) > 0,
  }
}
