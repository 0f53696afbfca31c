import { defineDevice } from '../device.ts'
import { decodeNative, nativeFrame } from '../parts/native.ts'

/** Camera with a native health client beside its RTSP stream. */
export const nativeCamera = defineDevice({
  model: 'native/camera',
  kind: 'camera',
  title: 'Camera',
  heartbeatS: 60,
  frame: nativeFrame,
  decode: decodeNative,
  samples: [
    {
      branch: 'hb',
      payload:
        '{"ts":1795392060000,"seq":9,"uptime":540,"clk":"bad","m":{"fps":25,"bitrate":2048}}',
      expect: [
        { type: 'telemetry', name: 'fps', value: 25, unit: '1' },
        { type: 'telemetry', name: 'bitrate', value: 2048, unit: 'kbit/s' },
        { type: 'state', name: 'clk', value: 'bad' },
      ],
    },
    {
      branch: 'a',
      payload: '{"boot":"c","seq":1,"kind":"video-loss","state":"active","point":"ch1"}',
      expect: [{ type: 'alarm', kind: 'video-loss', point: 'ch1', priority: 3 }],
    },
  ],
})
