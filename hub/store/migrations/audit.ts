import { statements, type Migrations } from '../sqlite.ts'

/** Schema of `audit.db`. Lines are only ever added; a later migration may add columns (hash chain). */
export const auditMigrations: Migrations = {
  '0001-audit': statements(
    `create table line (
      seq integer primary key autoincrement,
      at integer not null, actor text not null, action text not null, subject text not null,
      region text, outcome text not null, detail text not null
    ) strict`,
    `create trigger line_keeps_rows before delete on line
      begin select raise(abort, 'the audit is append-only'); end`,
    `create trigger line_keeps_values before update on line
      begin select raise(abort, 'the audit is append-only'); end`,
    // A replaced row fires no delete trigger: refuse the number before.
    `create trigger line_keeps_order before insert on line
      when exists (select 1 from line where seq = new.seq)
      begin select raise(abort, 'the audit is append-only'); end`,
  ),
}
