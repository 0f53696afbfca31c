/** One role's numbers for `/metrics`. */
export interface RoleNumbers {
  role: string
  up: boolean
  restarts: number
  metrics: Record<string, number>
}

/** `alarms.accepted` and `alarmsAccepted` become `hub_alarms_accepted`: letters, digits and `_` only. */
export const metricName = (name: string) =>
  `hub_${name
    .replace(/([a-z0-9])([A-Z])/g, '$1_$2')
    .replace(/[^A-Za-z0-9_]/g, '_')
    .toLowerCase()}`

/** Prometheus text format 0.0.4: one sample per role and name, grouped by name. */
export function prometheusText(roles: readonly RoleNumbers[]): string {
  const samples = new Map<string, string[]>()
  const add = (name: string, role: string, value: number) => {
    const lines = samples.get(name) ?? []
    lines.push(`${name}{role="${role}"} ${Number.isFinite(value) ? value : 'NaN'}`)
    samples.set(name, lines)
  }
  for (const { role, up, restarts, metrics } of roles) {
    add('hub_role_up', role, Number(up))
    add('hub_role_restarts_total', role, restarts)
    for (const [name, value] of Object.entries(metrics)) add(metricName(name), role, value)
  }
  return [...samples]
    .map(([name, lines]) => {
      const kind = name.endsWith('_total') ? 'counter' : 'gauge'
      return `# TYPE ${name} ${kind}\n${lines.join('\n')}\n`
    })
    .join('')
}
