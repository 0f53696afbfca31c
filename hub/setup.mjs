// The set-up script behind predemo, prestart and pretest. Plain JavaScript without a package and, in
// this file, without any syntax newer than Node 12: an old Node must get as far as the sentence below.
const purposes = ['demo', 'start', 'test', 'simulate']
const oldest = 18

/** Prints one sentence and ends the command that was to follow. */
function refuse(sentence) {
  process.stderr.write(sentence + '\n')
  process.exitCode = 1
}

const version = process.versions.node
const purpose = process.argv[2]
if (Number(version.split('.')[0]) < oldest)
  refuse('Node ' + version + ' is too old: install Node ' + oldest + ' or newer and try again.')
else if (purposes.indexOf(purpose) < 0) refuse('Usage: node hub/setup.mjs ' + purposes.join('|'))
else
  import('./setup/steps.mjs')
    .then(
      (steps) => steps.setUp(purpose),
      (error) => refuse('The set-up script is damaged: ' + error.message),
    )
    .catch((error) => refuse(error.expected ? error.message : error.stack))
