/** One instruction of a Dockerfile: `COPY --from=build a b` -> flags, words. */
export interface Instruction {
  name: string
  /** `--from=build` -> {from: 'build'} */
  flags: Record<string, string>
  /** The rest, split at blanks; the JSON form is read as the list it is. */
  words: string[]
  /** The rest as written. */
  text: string
}

/** Reads a Dockerfile: comments and line continuations, flags, JSON and shell form. No heredocs. */
export function parseDockerfile(content: string): Instruction[] {
  const lines = content
    .split('\n')
    .filter((line) => !line.trimStart().startsWith('#'))
    .join('\n')
    .replaceAll(/\\\n\s*/g, ' ')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '')
  return lines.map((line) => {
    const [name = '', ...rest] = line.split(/\s+/)
    const flags: Record<string, string> = {}
    let words = rest
    while (words[0]?.startsWith('--')) {
      const [flag = '', value = ''] = words[0].slice(2).split('=')
      flags[flag] = value
      words = words.slice(1)
    }
    const text = words.join(' ')
    const json = text.startsWith('[') ? stringList(text) : undefined
    return { name: name.toUpperCase(), flags, words: json ?? words, text }
  })
}

function stringList(text: string): string[] {
  const list: unknown = JSON.parse(text)
  if (!Array.isArray(list)) throw new Error(`no list: ${text}`)
  return list.map(String)
}
