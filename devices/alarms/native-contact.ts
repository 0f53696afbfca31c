import { defineDevice } from '../device.ts'
import { decodeNative, nativeFrame } from '../parts/native.ts'

/** Door or window contact with a battery: says `open` in its heartbeat and sends `intrusion`. */
export const nativeContact = defineDevice({
  model: 'native/contact',
  kind: 'contact',
  title: 'Door and window contact',
  heartbeatS: 60,
  frame: nativeFrame,
  decode: decodeNative,
  samples: [
    {
      branch: 'status',
      payload:
        '{"online":true,"ts":1795392000000,"fw":"1.4.2","model":"native/contact","caps":["open","tamper"],"hb":60,"boot":"b7f1"}',
      expect: [{ type: 'health', status: 'birth', boot: 'b7f1' }, { type: 'inventory' }],
    },
    {
      branch: 'status',
      payload: '{"online":false,"boot":"b7f1"}',
      expect: [{ type: 'health', status: 'offline', boot: 'b7f1' }],
    },
    {
      branch: 'hb',
      payload:
        '{"ts":1795392060000,"uptime":3600,"seq":61,"rssi":-71,"batt":88,"clk":"ok","m":{"open":false}}',
      expect: [
        { type: 'health', status: 'alive', at: 1795392060000 },
        { type: 'telemetry', name: 'batt', value: 88, unit: '%' },
        { type: 'telemetry', name: 'rssi', value: -71, unit: 'dBm' },
        { type: 'state', name: 'open', value: false },
      ],
    },
    {
      branch: 'a',
      payload: '{"boot":"b7f1","seq":3,"kind":"intrusion","state":"active","point":"1"}',
      expect: [
        { type: 'alarm', kind: 'intrusion', state: 'active', point: '1', priority: 2, seq: 3 },
      ],
    },
    {
      branch: 'a',
      payload: '{"kind":"tamper","state":"cleared","prio":1,"ts":null}',
      expect: [
        { type: 'alarm', kind: 'tamper', state: 'cleared', point: '', priority: 1, at: null },
      ],
    },
  ],
})
