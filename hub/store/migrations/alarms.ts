import { statements, type Migrations } from '../sqlite.ts'

/** Schema of `alarms.db`. */
export const alarmMigrations: Migrations = {
  '0001-alarms': statements(
    `create table event (
      seq integer primary key autoincrement,
      deviceId text not null, region text not null, boot text, deviceSeq integer,
      kind text not null, point text not null, edge text not null, priority integer not null,
      deviceAt integer, receivedAt integer not null, assured integer not null,
      fingerprint text not null, resent integer not null
    ) strict`,
    `create unique index event_key on event (deviceId, boot, deviceSeq)
      where boot is not null and deviceSeq is not null`,
    `create index event_resend on event (deviceId, fingerprint, receivedAt)
      where boot is null or deviceSeq is null`,
    `create trigger event_keeps_rows before delete on event
      begin select raise(abort, 'alarm events are append-only'); end`,
    `create trigger event_keeps_values before update on event
      begin select raise(abort, 'alarm events are append-only'); end`,
    // A replaced row fires no delete trigger: refuse the number before.
    `create trigger event_keeps_order before insert on event
      when exists (select 1 from event where seq = new.seq)
      begin select raise(abort, 'alarm events are append-only'); end`,
    `create table alarm (
      id text primary key, change integer not null unique,
      deviceId text not null, region text not null, kind text not null, point text not null,
      priority integer not null, state text not null,
      raisedAt integer not null, deviceAt integer, lastAt integer not null, count integer not null,
      acknowledgedAt integer, acknowledgedBy text, returnedAt integer,
      closedAt integer, closedBy text, cause text
    ) strict`,
    `create unique index alarm_open_point on alarm (deviceId, kind, point) where state <> 'closed'`,
    `create index alarm_open_region on alarm (region, state) where state <> 'closed'`,
    `create index alarm_open_time on alarm (raisedAt desc, id) where state <> 'closed'`,
    'create index alarm_time on alarm (raisedAt desc, id)',
    `create table outbox (
      seq integer primary key autoincrement,
      change integer not null, alarmId text not null, eventSeq integer, at integer not null
    ) strict`,
    `create table reject (
      seq integer primary key autoincrement,
      at integer not null, deviceId text not null, topic text not null, reason text not null,
      payload blob not null
    ) strict`,
  ),
  '0002-village-pages': statements(
    'create index alarm_village_time on alarm (region, raisedAt desc, id)',
  ),
}
