import { statements, type Migrations } from '../sqlite.ts'

/** Schema of `metrics.db`: spool, its readers, embedded aggregates, the sink's status. */
export const metricsMigrations: Migrations = {
  '0001-metrics': statements(
    // The running totals make the backlog and the quota a difference of two rows.
    `create table spool (
      seq integer primary key autoincrement,
      points integer not null, bytes integer not null,
      totalPoints integer not null, totalBytes integer not null,
      body blob not null
    ) strict`,
    'create table reader (name text primary key, seq integer not null) strict',
    'create table tally (name text primary key, value integer not null) strict',
    "insert into tally values ('pushed-out', 0)",
    `create table series (
      id integer primary key, series text not null, deviceId text not null, field text not null,
      unique (deviceId, series, field)
    ) strict`,
    // By time first: five minutes of a county are written side by side and leave side by side.
    `create table aggregate (
      bin integer not null, id integer not null,
      count integer not null, min real not null, sum real not null, max real not null,
      primary key (bin, id)
    ) strict, without rowid`,
    'create table status (id integer primary key check (id = 1), body text not null) strict',
  ), // key = bin x 65,536 + chunk of 256 series.
  '0002-packed-aggregates': statements(
    'create table packed (key integer primary key, body blob not null) strict',
  ),
}
