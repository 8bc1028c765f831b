package guard

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"evrun/store"
)

// Migrate runs those of the handlers' migrations that never ran, in the transaction of the connection, within a time; 0: without a limit. After an error the
// transaction must be rolled back. now is the time that is recorded, in microseconds.
//
// Statements on other connections wait until the transaction has ended, and are then checked again.
func (u *Statements) Migrate(ctx context.Context, list []store.Migration, within time.Duration, now int64) (err error) {
	if within > 0 {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeoutCause(ctx, within, fmt.Errorf("%w: migrations have %v in all", store.ErrTimeout, within))
		defer cancel()
	}
	some, err := u.unknown(context.WithoutCancel(ctx), list)
	if err != nil || !some {
		return err
	}
	defer func() { // the names of prepared statements are the session's, and stay after a rollback
		if ferr := u.forget(context.WithoutCancel(ctx)); err == nil {
			err = ferr
		}
	}()
	m := &migration{u: u, ctx: context.WithoutCancel(ctx), limited: ctx, now: now}
	for _, h := range list {
		for i, st := range h.Statements {
			if err := m.run(h.Handler, st); err != nil {
				return fmt.Errorf("handler %s: migrate: statement %d: %w", h.Handler, i+1, err)
			}
		}
	}
	return m.exec(u.usual)
}

// unknown reports whether there are statements that never ran: usually there are none, and nothing is locked.
func (u *Statements) unknown(ctx context.Context, list []store.Migration) (some bool, err error) {
	var keys []string
	for _, m := range list {
		for _, st := range m.Statements {
			keys = append(keys, st.Key)
		}
	}
	err = u.c.QueryRow(ctx, `SELECT EXISTS (SELECT FROM unnest($1::text[]) k WHERE k NOT IN (SELECT statement FROM evrun.user_migrations))`, keys).Scan(&some)
	return some, err
}

// migration is a series of statements that make tables.
type migration struct {
	u       *Statements
	ctx     context.Context // for what must not end in the middle
	limited context.Context
	now     int64
	begun   bool
}

func (m *migration) exec(text string) error {
	_, err := m.u.c.PgConn().Exec(m.ctx, text).ReadAll()
	return err
}

// begin waits for the statements on other connections, and keeps out further ones.
func (m *migration) begin() error {
	if err := m.limit(); err != nil {
		return err
	}
	m.begun = true
	return m.explain(m.exec(`LOCK TABLE evrun.user_migrations IN ACCESS EXCLUSIVE MODE`))
}

// limit tells the server how much time is left.
func (m *migration) limit() error {
	if err := context.Cause(m.limited); err != nil {
		return err
	}
	end, ok := m.limited.Deadline()
	if !ok {
		return m.exec(`SET LOCAL statement_timeout = 0; SET LOCAL lock_timeout = 0`)
	}
	left := max(1, time.Until(end).Milliseconds()+1)
	return m.exec(fmt.Sprintf(`SET LOCAL statement_timeout = %d; SET LOCAL lock_timeout = 0`, left))
}

// run runs a statement that never ran.
func (m *migration) run(handler string, s *store.Statement) error {
	if !m.begun {
		if err := m.begin(); err != nil {
			return err
		}
	}
	tag, err := m.u.c.Exec(m.ctx, `INSERT INTO evrun.user_migrations (statement, handler, applied_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`, s.Key, handler, m.now)
	if err != nil || tag.RowsAffected() == 0 {
		return err
	}
	if err := m.limit(); err != nil {
		return err
	}
	p, err := parse(s.Text)
	switch {
	case err != nil:
		return fmt.Errorf("%w: %w", store.ErrStatement, err)
	case len(p.Params) > 0:
		return refused("a migration has no parameters")
	case p.Defines:
		err = m.define(p)
	default:
		err = m.rows(s)
	}
	if err != nil {
		return m.explain(err)
	}
	return context.Cause(m.limited)
}

// explain says of an error that it was the time, if it was.
func (m *migration) explain(err error) error {
	err = explain(err)
	if cause := context.Cause(m.limited); cause != nil && belongs(err) {
		return cause
	}
	return err
}

// rows runs a statement that changes rows, and is never kept.
func (m *migration) rows(s *store.Statement) error {
	if _, err := m.u.exec(m.ctx, 0, false, s, nil); err != nil {
		return err
	}
	return m.u.drop(m.ctx, s)
}

// define runs a statement that changes the schema, and looks at what has come of it.
func (m *migration) define(p *parsed) error {
	if p.query != "" {
		if err := m.u.apart(m.ctx, func() error { return m.u.examine(m.ctx, p.query, nil) }); err != nil {
			return err
		}
	}
	if err := m.names(p.names); err != nil {
		return err
	}
	before, err := ownCatalog(m.ctx, m.u.c)
	if err != nil {
		return err
	}
	if err := m.u.c.PgConn().ExecParams(m.ctx, p.sql, nil, nil, nil, nil).Read().Err; err != nil {
		return err
	}
	if err := m.u.forget(m.ctx); err != nil {
		return err
	}
	after, err := ownCatalog(m.ctx, m.u.c)
	if err != nil {
		return err
	}
	if err := compare(before, after); err != nil {
		return err
	}
	return m.judge()
}

// names refuses a definition with the name of a function that may not be called: what it does may not be undone with the transaction. Users' functions can
// have the same name as others that may be called; which one was meant is seen afterwards.
func (m *migration) names(names []string) error {
	found, err := functions(m.ctx, m.u.c, `p.proname = ANY($1)`, names)
	if err != nil {
		return err
	}
	allowed := map[string]bool{}
	for _, f := range found {
		why := f.refuse()
		if f.pinned && why != "" {
			return refused(why)
		}
		allowed[f.name] = allowed[f.name] || why == ""
	}
	for _, f := range found {
		if !allowed[f.name] {
			return refused(f.refuse())
		}
	}
	return nil
}

// judge looks at the expressions that the transaction has put into the catalog, and at the functions of its triggers.
func (m *migration) judge() error {
	j := newJudge(m.ctx, m.u.c)
	trees, err := m.u.c.Query(m.ctx, `
		WITH me AS (SELECT pg_catalog.pg_current_xact_id()::pg_catalog.xid AS x)
		SELECT t FROM (
			SELECT adbin::text AS t FROM pg_catalog.pg_attrdef, me WHERE xmin = x
			UNION ALL SELECT conbin::text FROM pg_catalog.pg_constraint, me WHERE xmin = x
			UNION ALL SELECT indexprs::text FROM pg_catalog.pg_index, me WHERE xmin = x UNION ALL SELECT indpred::text FROM pg_catalog.pg_index, me WHERE xmin = x
			UNION ALL SELECT ev_action::text FROM pg_catalog.pg_rewrite, me WHERE xmin = x
			UNION ALL SELECT tgqual::text FROM pg_catalog.pg_trigger, me WHERE xmin = x
			UNION ALL SELECT partexprs::text FROM pg_catalog.pg_partitioned_table, me WHERE xmin = x
			UNION ALL SELECT typdefaultbin::text FROM pg_catalog.pg_type, me WHERE xmin = x) q WHERE t IS NOT NULL AND t <> '<>'`)
	if err != nil {
		return err
	}
	texts, err := pgx.CollectRows(trees, pgx.RowTo[string])
	if err != nil {
		return err
	}
	for _, text := range texts {
		if err := j.tree(text, false); err != nil {
			return err
		}
	}
	var functions, types []uint32
	err = m.u.c.QueryRow(m.ctx, `
		WITH me AS (SELECT pg_catalog.pg_current_xact_id()::pg_catalog.xid AS x)
		SELECT ARRAY(SELECT tgfoid::pg_catalog.oid FROM pg_catalog.pg_trigger, me WHERE xmin = x AND NOT tgisinternal),
			ARRAY(SELECT DISTINCT atttypid FROM pg_catalog.pg_attribute, me WHERE xmin = x AND attnum > 0 AND NOT attisdropped)`).Scan(&functions, &types)
	if err != nil {
		return err
	}
	j.calling, j.types = append(j.calling, functions...), append(j.types, types...)
	return j.decide()
}

// compare refuses a statement after which the catalog says something else of evrun's own schema, or after which a name there has another meaning.
func compare(before, after map[string]string) error {
	for _, name := range slices.Sorted(maps.Keys(before)) {
		if now, still := after[name]; name[0] != '=' && (!still || now != before[name]) {
			return refused(fmt.Sprintf("%q is evrun's own: nothing can be changed about it", name))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(after)) {
		_, known := before[name]
		switch {
		case known:
		case name[0] == '=':
			return refused(fmt.Sprintf("%q is a name of evrun's own; choose another name", name[1:]))
		default:
			return refused(fmt.Sprintf("%q would be made in evrun's own schema; there must be another one in which evrun's role may make tables: GRANT CREATE ON SCHEMA public", name))
		}
	}
	return nil
}

// ownCatalog returns what the catalog says of each relation, function and type of evrun's schema, and of what others have attached to it: triggers, foreign keys,
// rules, policies, indexes, tables that inherit. It has the files of the relations, and how many of their rows the transaction has changed. Names with = before them are relations of other schemas with a name of evrun's.
func ownCatalog(ctx context.Context, c *pgx.Conn) (map[string]string, error) {
	rows, err := c.Query(ctx, `
		WITH own AS (SELECT c.oid, c.relname FROM pg_catalog.pg_class c WHERE c.relnamespace = 'evrun'::pg_catalog.regnamespace),
		facts (name, fact) AS (
			SELECT c.relname::text, concat_ws(' ', 'class', c.oid, c.relkind, c.relowner, c.relpersistence, c.relrowsecurity, c.relforcerowsecurity, c.relispartition, c.relchecks,
				c.relnatts, c.reltablespace, c.relfilenode, c.relreplident, c.reloptions::text, c.relacl::text,
				pg_catalog.pg_stat_get_xact_tuples_inserted(c.oid), pg_catalog.pg_stat_get_xact_tuples_updated(c.oid), pg_catalog.pg_stat_get_xact_tuples_deleted(c.oid)) FROM pg_catalog.pg_class c JOIN own USING (oid)
			UNION ALL SELECT relname, concat_ws(' ', 'column', a.attnum, a.attname, a.atttypid, a.atttypmod, a.attnotnull, a.atthasdef, a.attidentity, a.attgenerated, a.attisdropped,
				a.attcollation, a.attacl::text, a.attoptions::text) FROM own JOIN pg_catalog.pg_attribute a ON a.attrelid = own.oid AND a.attnum > 0
			UNION ALL SELECT relname, concat_ws(' ', 'default', d.adnum, d.adbin::text) FROM own JOIN pg_catalog.pg_attrdef d ON d.adrelid = own.oid
			UNION ALL SELECT relname, concat_ws(' ', 'constraint', k.oid, k.conname, k.contype, k.condeferred, k.conrelid, k.confrelid, k.conbin::text)
				FROM own JOIN pg_catalog.pg_constraint k ON own.oid IN (k.conrelid, k.confrelid)
			UNION ALL SELECT relname, concat_ws(' ', 'index', i.indexrelid, i.indisunique, i.indisvalid, i.indisclustered, i.indisreplident, i.indkey::text, i.indexprs::text, i.indpred::text)
				FROM own JOIN pg_catalog.pg_index i ON i.indrelid = own.oid
			UNION ALL SELECT relname, concat_ws(' ', 'trigger', t.oid, t.tgname, t.tgfoid, t.tgenabled) FROM own JOIN pg_catalog.pg_trigger t ON t.tgrelid = own.oid
			UNION ALL SELECT relname, concat_ws(' ', 'rule', r.oid, r.ev_enabled) FROM own JOIN pg_catalog.pg_rewrite r ON r.ev_class = own.oid
			UNION ALL SELECT relname, concat_ws(' ', 'policy', p.oid) FROM own JOIN pg_catalog.pg_policy p ON p.polrelid = own.oid
			UNION ALL SELECT relname, concat_ws(' ', 'inherits', i.inhrelid, i.inhparent) FROM own JOIN pg_catalog.pg_inherits i ON own.oid IN (i.inhrelid, i.inhparent)
			UNION ALL SELECT relname, concat_ws(' ', 'sequence', s.seqtypid, s.seqstart, s.seqincrement, s.seqmax, s.seqmin, s.seqcache, s.seqcycle)
				FROM own JOIN pg_catalog.pg_sequence s ON s.seqrelid = own.oid
			UNION ALL SELECT relname, concat_ws(' ', 'owned', d.refobjid, d.refobjsubid) FROM own JOIN pg_catalog.pg_depend d
				ON d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = own.oid AND d.deptype IN ('a', 'i') AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
			UNION ALL SELECT proname::text, concat_ws(' ', 'function', oid, prosrc, proowner) FROM pg_catalog.pg_proc WHERE pronamespace = 'evrun'::pg_catalog.regnamespace
			UNION ALL SELECT typname::text, concat_ws(' ', 'type', oid, typtype, typowner, typdefault) FROM pg_catalog.pg_type WHERE typnamespace = 'evrun'::pg_catalog.regnamespace AND typcategory <> 'A'
			UNION ALL SELECT oprname::text, concat_ws(' ', 'operator', oid) FROM pg_catalog.pg_operator WHERE oprnamespace = 'evrun'::pg_catalog.regnamespace
			UNION ALL SELECT 'evrun', concat_ws(' ', 'schema', nspowner, nspacl::text) FROM pg_catalog.pg_namespace WHERE nspname = 'evrun'
			UNION ALL SELECT '=' || c.relname, 'shadow' FROM pg_catalog.pg_class c JOIN own ON own.relname = c.relname AND own.oid <> c.oid
				JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace AND n.nspname !~ '^pg_')
		SELECT name, pg_catalog.md5(pg_catalog.string_agg(fact, '|' ORDER BY fact)) FROM facts GROUP BY name`)
	if err != nil {
		return nil, err
	}
	out := map[string]string{}
	var name, digest string
	_, err = pgx.ForEachRow(rows, []any{&name, &digest}, func() error { out[name] = digest; return nil })
	return out, err
}
