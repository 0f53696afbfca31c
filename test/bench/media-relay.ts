import { mediaRole } from '../support/media-role.ts'

/**
 * The media role in a process of its own, so that its CPU and memory are its own:
 * `node media-relay.ts <camera url>...`; cameras are `cam-0`, `cam-1`... Prints its port; ends with its parent.
 */
const { role, port } = await mediaRole(
  Object.fromEntries(
    process.argv
      .slice(2)
      .map((url, index) => [`cam-${index}`, { url, user: 'hub', password: 'bench' }]),
  ),
)
process.on('disconnect', () => void role.close().then(() => process.exit(0)))
process.send?.({ port })
