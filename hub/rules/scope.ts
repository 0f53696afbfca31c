/** True when `region` (12 digits) or a scope lies inside `scope` (6, 9 or 12 digits). */
export const within = (region: string, scope: string) => region.startsWith(scope)

/** Inclusive bounds of the 12-digit codes inside a scope: what a store's `between` takes. */
export const regionRange = (scope: string) => ({
  from: scope.padEnd(12, '0'),
  to: scope.padEnd(12, '9'),
})

/** Significant digits of a region code: 339901000000 -> 339901. */
export function scopeOf(code: string): string {
  if (!code.endsWith('000')) return code
  return code.endsWith('000000') ? code.slice(0, 6) : code.slice(0, 9)
}

/** Level a scope stands for. */
export const levelOf = (scope: string) =>
  scope.length === 6 ? 'county' : scope.length === 9 ? 'township' : 'village'
