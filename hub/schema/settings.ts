import { z } from 'zod'
import { Scope, RegionLevel } from './region.ts'

const Port = z.coerce.number().int().min(0).max(65535)

/**
 * Every setting of the hub: environment variable `HUB_*`, or the same key in `hub.yaml`.
 * `docs/settings.md` is generated from the descriptions.
 */
export const Settings = z.object({
  HUB_HTTP_HOST: z
    .string()
    .default('127.0.0.1')
    .describe(
      'Address the console and API listen on; any but loopback requires HUB_TLS_CERT and HUB_TLS_KEY',
    ),
  HUB_HTTP_PORT: Port.default(8080).describe('Port of the console and API; 0 takes a free one'),
  HUB_TLS_CERT: z.string().optional().describe('PEM file of the server certificate'),
  HUB_TLS_KEY: z.string().optional().describe('PEM file of its private key'),
  HUB_MQTT_HOST: z
    .string()
    .default('127.0.0.1')
    .describe(
      'Address the device broker listens on; any but loopback requires TLS (HUB_TLS_CERT, HUB_TLS_KEY)',
    ),
  HUB_MQTT_PORT: Port.default(1883).describe('Port of the device broker; 0 takes a free one'),
  HUB_DATA_DIR: z.string().min(1).default('./data').describe('Folder of databases and keys'),
  HUB_LEVEL: RegionLevel.default('county').describe('Level this hub serves'),
  HUB_REGION: Scope.default('339901').describe(
    'Digits of the region this hub owns: 6 county, 9 township, 12 village',
  ),
  HUB_ADMIN_PASSWORD: z
    .string()
    .min(10)
    .optional()
    .describe(
      'Password of the first user `admin`, read at the first start only; otherwise one is made and printed once',
    ),
  HUB_INFLUX_URL: z
    .url({ protocol: /^https?$/ })
    .optional()
    .describe('InfluxDB address; absent: the embedded store only'),
  HUB_INFLUX_WRITE_PATH: z
    .string()
    .default('/api/v2/write')
    .describe('Write path: `/api/v2/write` (2.x, 3) or `/write` (1.x)'),
  HUB_INFLUX_DATABASE: z.string().default('jifang').describe('Database (1.x) or bucket (2.x, 3)'),
  HUB_INFLUX_ORG: z.string().default('jifang').describe('Organisation (2.x)'),
  HUB_INFLUX_TOKEN: z.string().optional().describe('Token (2.x, 3)'),
  HUB_CAMERA_NETWORKS: z
    .string()
    .default('')
    .describe(
      'Comma-separated CIDR networks cameras may be pulled from; empty: private networks only, never loopback, link-local or metadata addresses',
    ),
  HUB_LOG_LEVEL: z
    .enum(['fatal', 'error', 'warn', 'info', 'debug', 'trace'])
    .default('info')
    .describe('Lowest level that is logged'),
})
export type Settings = z.infer<typeof Settings>
