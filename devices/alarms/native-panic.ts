import { defineDevice } from '../device.ts'
import { decodeNative, nativeFrame } from '../parts/native.ts'

/** Panic button: silent for hours, then one `panic` pulse that must never be lost. */
export const nativePanic = defineDevice({
  model: 'native/panic',
  kind: 'panic',
  title: 'Panic button',
  heartbeatS: 60,
  frame: nativeFrame,
  decode: decodeNative,
  samples: [
    {
      branch: 'hb',
      payload: '{"seq":12,"batt":97,"rssi":-60}',
      expect: [
        { type: 'health', status: 'alive', at: null },
        { type: 'telemetry', name: 'batt', value: 97 },
      ],
    },
    {
      branch: 'a',
      payload: '{"boot":"01","seq":0,"kind":"panic","state":"pulse","ts":1795392060000}',
      expect: [{ type: 'alarm', kind: 'panic', state: 'pulse', priority: 1, boot: '01', seq: 0 }],
    },
  ],
})
