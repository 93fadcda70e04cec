import { isNoFence } from '../../schema/fence-sql.ts'
import { isOwnTable, selectObjectDrops } from './object-queries.ts'

/*
 * Statements that take a schema away, object by object and without `cascade`: PostgreSQL itself refuses each of them while
 * something else depends on the object, so nothing outside is ever dropped along. What tables have beside their rows goes
 * before them, because it may hang together in circles: foreign keys of two tables, a check that calls a function of its
 * own table. The fence stays for as long as there is a table behind it. As in definition-queries.ts, the search path is
 * empty, and `$1` is the schema.
 */

/** Triggers, rules and policies of tables and views. */
const selectAttachedDrops = `
select format('drop trigger if exists %I on %s', tgname, tgrelid::regclass)
from pg_trigger join pg_class on pg_class.oid = tgrelid
where not tgisinternal and ${isNoFence} and tgparentid = 0 and ${isOwnTable}
union all
select format('drop rule if exists %I on %s', rulename, ev_class::regclass)
from pg_rewrite join pg_class on pg_class.oid = ev_class
where rulename <> '_RETURN' and ${isOwnTable}
union all
select format('drop policy if exists %I on %s', polname, polrelid::regclass)
from pg_policy join pg_class on pg_class.oid = polrelid
where ${isOwnTable}`

/** Foreign keys, and then what is written as an expression: checks, exclusions, indexes. */
const selectConstraintDrops = `
select format('alter table %s drop constraint if exists %I', conrelid::regclass, conname)
from pg_constraint join pg_class on pg_class.oid = conrelid
where contype in ('f', 'c', 'x') and conislocal and conparentid = 0 and ${isOwnTable}
order by contype <> 'f'`

const selectIndexDrops = `
select format('drop index if exists %s', indexrelid::regclass)
from pg_index join pg_class on pg_class.oid = indrelid
where (indexprs is not null or indpred is not null) and relkind in ('r', 'm') and ${isOwnTable}
  and not exists (select from pg_constraint where conindid = indexrelid)`

const selectStatisticsDrops = `
select format('drop statistics if exists %I.%I', stxnamespace::regnamespace, stxname)
from pg_statistic_ext where stxnamespace = $1::regnamespace`

/** What needs nothing else: the table of markers, the sequences that are left, the fence, and the schema. */
const selectLastDrops = `
select format('drop table if exists %s.hv_marker', $1::regnamespace)
union all
select format('drop sequence if exists %s', oid::regclass)
from pg_class
where relkind = 'S' and ${isOwnTable}
  and not exists (select from pg_depend where classid = 'pg_class'::regclass and objid = pg_class.oid and deptype in ('a', 'i'))
union all
select format('drop function if exists %s.hv_fence()', $1::regnamespace)
union all
select format('drop schema if exists %s', $1::regnamespace)`

/** Queries whose statements, in this order, take a schema away. */
export const selectRemovals: readonly string[] = [
  selectAttachedDrops,
  selectConstraintDrops,
  selectIndexDrops,
  selectStatisticsDrops,
  selectObjectDrops,
  selectLastDrops,
]
