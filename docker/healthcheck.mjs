// Ends with 0 when the hub could commit an alarm now (`/readyz`), else with 1.
import http from 'node:http'
import https from 'node:https'

const { HUB_TLS_CERT, HUB_HTTP_PORT } = process.env
const options = {
  host: '127.0.0.1',
  port: Number(HUB_HTTP_PORT || 8080),
  path: '/readyz',
  timeout: 4000,
  // It asks its own container over loopback; the certificate is made for another name.
  rejectUnauthorized: false,
}
const request = (HUB_TLS_CERT ? https : http).get(options, (response) => {
  response.resume()
  process.exitCode = response.statusCode === 200 ? 0 : 1
})
request.on('timeout', () => request.destroy(new Error('no answer within 4 s')))
request.on('error', (error) => {
  process.stderr.write(`${error.message}\n`)
  process.exitCode = 1
})
