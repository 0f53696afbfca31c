import { spawnSync } from 'node:child_process'
import { existsSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { delimiter, join } from 'node:path'
import { say } from './say.mjs'

/**
 * Real servers and tools that tests use: the Debian packages, a program that shows they are there on
 * another system, and what is left out without them.
 */
export const tools = [
  { packages: ['chromium'], program: 'chromium', without: 'the console in a real browser' },
  { packages: ['ffmpeg'], program: 'ffprobe', without: 'checks of recorded and live pictures' },
  { packages: ['influxdb', 'influxdb-client'], program: 'influxd', without: 'the InfluxDB sink' },
  {
    packages: ['mosquitto', 'mosquitto-clients'],
    program: 'mosquitto_pub',
    without: 'foreign MQTT clients, and the peer of the ingest bench',
  },
  {
    packages: [
      'gir1.2-gst-rtsp-server-1.0',
      'python3-gi',
      'gstreamer1.0-plugins-base',
      'gstreamer1.0-plugins-good',
      'gstreamer1.0-plugins-bad',
      'gstreamer1.0-plugins-ugly',
    ],
    program: 'gst-inspect-1.0',
    without: 'a foreign RTSP server',
  },
  { packages: ['fonts-noto-cjk'], program: undefined, without: 'legible Chinese in screenshots' },
  { packages: ['strace'], program: 'strace', without: 'the order of fsync and PUBACK' },
  { packages: ['postgresql'], program: 'pg_ctl', without: 'the PostgreSQL backend' },
  { packages: ['redis-server'], program: 'redis-server', without: 'the Redis adapter' },
  { packages: ['sip-tester'], program: 'sipp', without: 'SIP (GB/T 28181) scenarios' },
]

const policyFile = '/usr/sbin/policy-rc.d'

/** Installs what is missing on Debian as root; elsewhere names it and what is left out, loudly. */
export function installTools() {
  const debian = isDebian()
  let missing = debian ? missingOnDebian() : missingPrograms()
  if (missing.length === 0) return
  if (debian && process.getuid() === 0) {
    installOnDebian(missing.flatMap((tool) => tool.packages))
    missing = missingOnDebian()
    if (missing.length === 0) return
  }
  say('!!! NOT ALL TESTS CAN RUN ON THIS MACHINE. Missing, and what is left out without it:')
  for (const tool of missing) say(`!!!   ${tool.packages.join(' ')}: ${tool.without}`)
  if (debian)
    say(`!!! Install: apt-get install ${missing.flatMap((tool) => tool.packages).join(' ')}`)
}

function isDebian() {
  const file = '/etc/os-release'
  return existsSync(file) && /^ID="?debian"?$/m.test(readFileSync(file, 'utf8'))
}

function missingOnDebian() {
  const { stdout } = spawnSync('dpkg-query', ['-W', '-f', '${db:Status-Status} ${Package}\n'], {
    maxBuffer: 64 * 1024 * 1024,
  })
  const installed = new Set(
    String(stdout)
      .split('\n')
      .filter((line) => line.startsWith('installed '))
      .map((line) => line.slice('installed '.length)),
  )
  return tools
    .map((tool) => ({ ...tool, packages: tool.packages.filter((name) => !installed.has(name)) }))
    .filter((tool) => tool.packages.length > 0)
}

function missingPrograms() {
  const folders = (process.env.PATH || '').split(delimiter)
  return tools.filter(
    ({ program }) => program && !folders.some((folder) => existsSync(join(folder, program))),
  )
}

const goOn = () => {}

function installOnDebian(packages) {
  say(`installing for the tests: ${packages.join(' ')}`)
  const install = () =>
    apt(['install', '-y', '--no-install-recommends', '-o', 'Dpkg::Use-Pty=0', ...packages])
  // A Ctrl-C must not end this process before the policy is put back.
  process.on('SIGINT', goOn)
  const putBack = refuseAutostart()
  try {
    if (!hasLists()) apt(['update'])
    // Lists that are there may be too old for the mirror.
    if (!install() && apt(['update'])) install()
  } finally {
    putBack()
    process.off('SIGINT', goOn)
  }
}

const hasLists = () => {
  const folder = '/var/lib/apt/lists'
  return existsSync(folder) && readdirSync(folder).some((name) => /_Packages(\.\w+)?$/.test(name))
}

function apt(args) {
  const { status } = spawnSync('apt-get', ['-qq', ...args], {
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
    stdio: ['ignore', 2, 2],
  })
  return status === 0
}

/** Servers are started by the tests on free ports, never by the system. Returns what undoes it. */
function refuseAutostart() {
  const before = existsSync(policyFile) ? readFileSync(policyFile, 'utf8') : undefined
  rmSync(policyFile, { force: true })
  writeFileSync(policyFile, '#!/bin/sh\nexit 101\n', { mode: 0o755 })
  return () => {
    rmSync(policyFile, { force: true })
    if (before !== undefined) writeFileSync(policyFile, before, { mode: 0o755 })
  }
}
