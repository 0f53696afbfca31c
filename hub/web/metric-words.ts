/** How a figure behaves: a counter only grows until its role restarts. */
export type MetricKind = 'counter' | 'gauge' | 'untyped'

interface Words {
  kind: MetricKind
  help: string
}

/** Figures by the name a role gives them; a name that ends with `*` stands for all that begin so. */
const words: Readonly<Record<string, readonly [MetricKind, string]>> = {
  heartbeats: ['counter', 'Heartbeats taken from devices'],
  heartbeats_per_second: ['gauge', 'Heartbeats taken in the last second'],
  telemetry: ['counter', 'Telemetry frames taken from devices'],
  births: ['counter', 'Devices that said they are online'],
  offline_reports: ['counter', 'Devices that were reported offline by a last will'],
  clients: ['gauge', 'MQTT connections open now'],
  client_errors: ['counter', 'MQTT connections that ended with an error'],
  connection_errors: ['counter', 'MQTT connections refused before they were admitted'],
  alarms_accepted: ['counter', 'Alarm edges committed to disk before they were acknowledged'],
  alarms_duplicate: ['counter', 'Alarm edges that were resends of a known packet'],
  alarms_waiting: ['gauge', 'Alarm edges that wait for their commit'],
  alarms_lost_to_sender: [
    'counter',
    'Alarm edges left unacknowledged, so that the device sends again',
  ],
  commits: ['counter', 'Transactions that made alarm edges durable'],
  commit_batch_last: ['gauge', 'Alarm edges in the newest transaction'],
  store_busy: ['counter', 'Commits put off because another process held the file'],
  store_failures: ['counter', 'Commits that failed'],
  'rejects*': ['counter', 'Frames that could not be read and were kept raw'],
  rejects_not_kept: ['counter', 'Unreadable frames for which there was no room'],
  'guard_*': ['counter', 'Connections closed by the guard on the socket'],
  'refused_*': ['counter', 'MQTT connections refused'],
  'forbidden_*': ['counter', 'Publishes or subscriptions outside the own topics'],
  retained_refused: ['counter', 'Retain flags that were not allowed'],
  clean_forced: ['counter', 'Persistent sessions that were made clean'],
  takeovers: ['counter', 'Connections that replaced one of the same client id'],
  keepalive_timeouts: ['counter', 'Connections ended by the keep-alive limit'],
  'wills_*': ['counter', 'Last wills that proved nothing about the device'],
  expelled_by_registry: ['counter', 'Connections ended because the device was removed or changed'],
  forwards_shed: ['counter', 'Messages not forwarded to a subscriber that does not read'],
  readings_refused: ['counter', 'Readings too large, or of more names than one device may use'],
  points_written: ['counter', 'Readings handed to the time-series spool'],
  points_dropped: ['counter', 'Readings dropped because the spool did not answer'],
  points_pushed_out: ['counter', 'Readings pushed out of a full buffer'],
  point_write_failures: ['counter', 'Writes to the time-series spool that failed'],
  security_events_dropped: ['counter', 'Security events for which there was no room'],
  security_write_failures: ['counter', 'Writes to the audit that failed'],
  status_pending: ['gauge', 'State changes that wait for their commit'],
  status_held: ['gauge', 'Verdicts held back by the storm guard'],
  status_lagging: ['gauge', '1 while the event loop lags and verdicts wait'],
  status_collapsed: ['gauge', '1 while the whole heartbeat rate has collapsed'],
  media_sources: ['gauge', 'Cameras pulled now'],
  media_sources_live: ['gauge', 'Cameras pulled now that send decodable pictures'],
  // Summed over the sources that are open, so they fall when one is closed.
  media_frames_received: ['gauge', 'Frames received by the sources that are open now'],
  media_packets_lost: ['gauge', 'RTP packets lost by the sources that are open now'],
  media_gop_bytes: ['gauge', 'Memory held for the pictures since the newest key frame'],
  media_sockets: ['gauge', 'Viewers connected now'],
  media_tiles: ['gauge', 'Pictures shown now'],
  media_sent_bytes_total: ['counter', 'Bytes sent to viewers'],
  media_sent_frames_total: ['counter', 'Frames sent to viewers'],
  media_skipped_frames_total: ['counter', 'Frames not sent to viewers that were too slow'],
  media_refused_total: ['counter', 'Requests to watch that were refused'],
  sink_aggregated_points_total: ['counter', 'Readings folded into 5-minute figures'],
  sink_influx_written_points_total: ['counter', 'Readings that InfluxDB confirmed'],
  sink_influx_failures_total: ['counter', 'Writes to InfluxDB that failed'],
  sink_dropped_points_total: ['counter', 'Readings given up before InfluxDB took them'],
  sink_backlog_points: ['gauge', 'Readings that wait for InfluxDB'],
  sockets: ['gauge', 'WebSocket connections of the console open now'],
  pages: ['gauge', 'Console pages that follow live changes now'],
  'http_*': ['counter', 'HTTP answers by class of status'],
  process_resident_memory_bytes: ['gauge', 'Resident memory of the process'],
  process_cpu_seconds_total: ['counter', 'CPU time of the process'],
  event_loop_lag_p99_seconds: ['gauge', '99th percentile of the event loop delay'],
  role_up: ['gauge', '1 while the role reports'],
  role_restarts_total: ['counter', 'Restarts of the role since the hub started'],
}

const families = Object.keys(words)
  .filter((name) => name.endsWith('*'))
  .map((name) => name.slice(0, -1))

/** Kind and sentence of a role's figure; one nobody described is a counter when its name ends with `_total`. */
export function metricWords(name: string): Words {
  const family = families.find((start) => name.startsWith(start))
  const [kind, help] = words[name] ??
    words[`${family}*`] ?? [name.endsWith('_total') ? 'counter' : 'untyped', 'Not described']
  return { kind, help }
}
