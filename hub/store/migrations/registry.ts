import { statements, type Migrations } from '../sqlite.ts'

/** Schema of `registry.db`: regions, devices, quarantine, people, sessions. */
export const registryMigrations: Migrations = {
  '0001-registry': statements(
    'create table counter (name text primary key, value integer not null) strict',
    "insert into counter values ('registry', 0)",
    `create table region (
      code text primary key, level text not null, name text not null, center text, outline text
    ) strict`,
    `create table device (
      n integer primary key, deviceId text not null unique, kind text not null,
      model text not null, name text not null, region text not null, place text not null,
      position text, heartbeatS integer not null, commissionedAt integer, camera text,
      secretHash text, cameraPassword blob
    ) strict`,
    'create index device_region on device (region, n)',
    `create table quarantine (
      clientId text primary key, remote text not null, firstAt integer not null,
      lastAt integer not null, tries integer not null, reason text not null
    ) strict`,
    'create index quarantine_age on quarantine (lastAt)',
    `create table person (
      id text primary key, name text not null unique, displayName text not null,
      role text not null, scope text not null, mustChange integer not null,
      passwordHash text not null
    ) strict`,
    `create table session (
      idHash text primary key, userId text not null references person (id) on delete cascade,
      createdAt integer not null, lastAt integer not null, expiresAt integer not null
    ) strict`,
    'create index session_user on session (userId)',
    'create index session_expiry on session (expiresAt)',
  ),
}
