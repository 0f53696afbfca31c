import { statements, type Migrations } from '../sqlite.ts'

/** Schema of `state.db`: intervals and the hub's own life. */
export const stateMigrations: Migrations = {
  '0001-state': statements(
    `create table interval (
      change integer primary key autoincrement,
      deviceId text not null, startAt integer not null, endAt integer,
      state text not null, reason text not null
    ) strict`,
    'create unique index interval_device on interval (deviceId, startAt)',
    'create unique index interval_open on interval (deviceId) where endAt is null',
    `create table life (
      seq integer primary key autoincrement,
      startAt integer not null, at integer not null, seen blob not null
    ) strict`,
  ),
}
