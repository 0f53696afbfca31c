import { readConfig } from './config.ts'
import { asProgram, runHub, type StartedHub } from './run.ts'

/** `npm start`: the hub by its configuration, until SIGINT or SIGTERM. */
await asProgram((signals) => runHub({ settings: readConfig(), ...signals }, welcome))

/** What a person needs to get in; logs go to stderr. */
function welcome({ address, mqttPort, admin }: StartedHub) {
  const lines = [`The hub is ready: ${address}`, `Devices connect by MQTT to port ${mqttPort}.`]
  if (admin)
    lines.push(
      `First sign-in: ${admin.name}, one-time password ${admin.password} (shown only now; change it at the first sign-in).`,
    )
  process.stdout.write(`${lines.join('\n')}\n`)
}
