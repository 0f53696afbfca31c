import { defineDevice } from '../device.ts'
import { decodeNative, nativeFrame } from '../parts/native.ts'

/** Street-light controller: reports whether it burns and what it draws. */
export const nativeLight = defineDevice({
  model: 'native/light',
  kind: 'light',
  title: 'Street light',
  heartbeatS: 60,
  frame: nativeFrame,
  decode: decodeNative,
  samples: [
    {
      branch: 'hb',
      payload:
        '{"seq":400,"uptime":24000.5,"m":{"on":true,"level":80,"power.active":41.5,"voltage":229.8}}',
      expect: [
        { type: 'state', name: 'on', value: true },
        { type: 'telemetry', name: 'power.active', value: 41.5, unit: 'W' },
        { type: 'telemetry', name: 'voltage', value: 229.8, unit: 'V' },
      ],
    },
    {
      branch: 't',
      payload:
        '{"r":[{"ts":1795392000000,"name":"current","value":0.19},{"name":"temperature","value":31,"unit":"Cel"}]}',
      expect: [
        { type: 'telemetry', name: 'current', value: 0.19, unit: 'A', at: 1795392000000 },
        { type: 'telemetry', name: 'temperature', value: 31, unit: 'Cel', at: null },
      ],
    },
    {
      branch: 'a',
      payload: '{"boot":"9","seq":7,"kind":"lamp-failure","state":"active","point":"lamp-1"}',
      expect: [{ type: 'alarm', kind: 'lamp-failure', point: 'lamp-1', priority: 4 }],
    },
  ],
})
