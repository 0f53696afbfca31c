import { metricWords, type MetricKind } from './metric-words.ts'

/** One role's numbers for `/metrics`. */
export interface RoleNumbers {
  role: string
  up: boolean
  restarts: number
  metrics: Record<string, number>
}

/**
 * `alarms.accepted` and `alarmsAccepted` become `hub_alarms_accepted`: letters, digits and `_` only.
 * A counter ends with `_total`, and nothing else does.
 */
export function metricName(name: string, kind: MetricKind = 'untyped'): string {
  const plain = `hub_${name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9_]/g, '_')
    .toLowerCase()}`
  return kind === 'counter' && !plain.endsWith('_total') ? `${plain}_total` : plain
}

/** A backslash or a line break inside a HELP line would end it. */
const helpText = (help: string) => help.replaceAll('\\', '\\\\').replaceAll('\n', '\\n')

const valueText = (value: number) => {
  if (Number.isFinite(value)) return String(value)
  return Number.isNaN(value) ? 'NaN' : value > 0 ? '+Inf' : '-Inf'
}

interface Family {
  kind: MetricKind
  help: string
  /** Samples by role: two names that are written alike add up, since a label set stands once. */
  values: Map<string, number>
}

/**
 * Prometheus text format 0.0.4: per name one HELP and one TYPE line, then one sample per role.
 *
 * @see https://prometheus.io/docs/instrumenting/exposition_formats/
 */
export function prometheusText(roles: readonly RoleNumbers[]): string {
  const families = new Map<string, Family>()
  const add = (name: string, role: string, value: number) => {
    const { kind, help } = metricWords(name)
    const written = metricName(name, kind)
    const family = families.get(written) ?? { kind, help, values: new Map<string, number>() }
    family.values.set(role, (family.values.get(role) ?? 0) + value)
    families.set(written, family)
  }
  for (const { role, up, restarts, metrics } of roles) {
    add('role_up', role, Number(up))
    add('role_restarts_total', role, restarts)
    for (const [name, value] of Object.entries(metrics)) add(name, role, value)
  }
  return [...families]
    .map(([name, { kind, help, values }]) => {
      const samples = [...values].map(
        ([role, value]) => `${name}{role="${role}"} ${valueText(value)}`,
      )
      return [`# HELP ${name} ${helpText(help)}`, `# TYPE ${name} ${kind}`, ...samples, ''].join(
        '\n',
      )
    })
    .join('')
}
