/** A failure the person at the keyboard can mend: printed as its sentence, without a stack. */
export class SetupError extends Error {
  expected = true
}

/** Progress goes to stderr: what the command itself prints stays clean. */
export const say = (line) => process.stderr.write(`[setup] ${line}\n`)
