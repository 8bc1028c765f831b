package guard_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"evrun/store"
	"evrun/store/postgres/guard"
)

// prelude is what an owner of the database may have made by hand, before evrun's statements come.
var prelude = []string{
	`CREATE TABLE public.t (id bigint PRIMARY KEY, v text)`,
	`CREATE TABLE public.mother (id bigint PRIMARY KEY)`,
	`CREATE VIEW public.own AS SELECT * FROM evrun.users`,
	`CREATE VIEW public.deep AS SELECT * FROM public.own WHERE id > 0`,
	`CREATE VIEW public.settings AS SELECT * FROM pg_catalog.pg_settings`,
	`CREATE VIEW public.sleeping AS SELECT pg_sleep(0.001)::text AS x`,
	`CREATE TABLE public.ruled (x int)`,
	`CREATE RULE r AS ON INSERT TO public.ruled DO ALSO DELETE FROM evrun.users`,
	`CREATE FUNCTION public.opaque() RETURNS int LANGUAGE plpgsql AS $$ BEGIN DELETE FROM evrun.users; RETURN 1; END $$`,
	`CREATE FUNCTION public.olden() RETURNS int LANGUAGE sql AS $$ DELETE FROM evrun.users; SELECT 1 $$`,
	`CREATE FUNCTION public.plain() RETURNS bigint LANGUAGE sql BEGIN ATOMIC DELETE FROM evrun.users RETURNING id; END`,
	`CREATE FUNCTION public.outer_one() RETURNS bigint LANGUAGE sql BEGIN ATOMIC SELECT public.plain(); END`,
	`CREATE FUNCTION public.own_definer() RETURNS int SECURITY DEFINER LANGUAGE plpgsql AS $$ BEGIN DELETE FROM evrun.users; RETURN 1; END $$`,
	`CREATE FUNCTION public.fires() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN DELETE FROM evrun.users; RETURN NEW; END $$`,
	`CREATE TABLE public.fired (x int)`,
	`CREATE TRIGGER tr AFTER INSERT ON public.fired FOR EACH ROW EXECUTE FUNCTION public.fires()`,
	`CREATE TABLE public.defaulted (x int, y int DEFAULT public.opaque())`,
	`CREATE TABLE public.checked (x int CHECK (public.opaque() > 0))`,
	`CREATE DOMAIN public.dom AS int CHECK (public.opaque() > VALUE)`,
	`CREATE TABLE public.domained (x public.dom)`,
	`CREATE TABLE public.numbered (x bigint DEFAULT nextval('evrun.users_id_seq'))`,
	`CREATE FUNCTION public.pure(int) RETURNS int IMMUTABLE LANGUAGE plpgsql AS $$ BEGIN PERFORM public.opaque(); RETURN 1; END $$`,
	`CREATE TABLE public.indexed (x int)`,
	`CREATE INDEX ON public.indexed (public.pure(x))`,
	`CREATE TABLE public.parent (x int) PARTITION BY LIST (x)`,
	`CREATE TABLE evrun.part PARTITION OF public.parent DEFAULT`,
	`CREATE TABLE public.policed (x int)`,
	`CREATE POLICY p ON public.policed USING (public.opaque() = x)`,
	`CREATE OPERATOR public.=~= (LEFTARG = int, RIGHTARG = int, FUNCTION = public.int4opaque)`,
	`CREATE OPERATOR public.@@@ (RIGHTARG = int, FUNCTION = public.pure)`,
	`CREATE AGGREGATE public.adds(int) (SFUNC = public.int4opaque, STYPE = int, INITCOND = '0')`,
	`CREATE TYPE public.pair AS (a int, b int)`,
	`CREATE FUNCTION public.field(public.pair) RETURNS int LANGUAGE plpgsql AS $$ BEGIN DELETE FROM evrun.users; RETURN 1; END $$`,
	`CREATE FUNCTION public.cast_it(text) RETURNS public.pair LANGUAGE plpgsql AS $$ BEGIN DELETE FROM evrun.users; RETURN NULL; END $$`,
	`CREATE CAST (text AS public.pair) WITH FUNCTION public.cast_it(text)`,
	`CREATE FUNCTION public.lower(varchar) RETURNS text LANGUAGE plpgsql AS $$ BEGIN DELETE FROM evrun.users; RETURN 'x'; END $$`,
	`CREATE MATERIALIZED VIEW public.matter AS SELECT 1 AS x`,
	`CREATE SEQUENCE public.seq`,
	`CREATE VIEW public.instead AS SELECT 1 AS x`,
	`CREATE TRIGGER tr INSTEAD OF INSERT ON public.instead FOR EACH ROW EXECUTE FUNCTION public.fires()`,
	`CREATE TABLE public.child (id bigint REFERENCES public.mother ON DELETE CASCADE)`,
	`CREATE TRIGGER tr AFTER DELETE ON public.child FOR EACH ROW EXECUTE FUNCTION public.fires()`,
	`CREATE TYPE public.holder AS (x public.dom, y public.dom[])`,
	`CREATE TABLE public.nested (x public.holder[])`,
	`CREATE EXTENSION file_fdw`, `CREATE SERVER files FOREIGN DATA WRAPPER file_fdw`,
	`CREATE FOREIGN TABLE public.afar (x text) SERVER files OPTIONS (filename '/dev/null')`,
	`CREATE EXTENSION dblink`,
	`INSERT INTO public.mother VALUES (1)`, `CREATE TABLE public.filled (id int, v text)`, `INSERT INTO public.filled VALUES (1, 'x')`,
	`INSERT INTO evrun.users (id, name, email, created_at, event_id) VALUES (1, 'Ada', 'ada@example.com', 0, 'e')`,
}

// attacks are statements that reach for evrun's tables, for the session, or beyond the database. Each is refused.
var attacks = []string{
	// evrun's own tables, by any name.
	`DELETE FROM evrun.users`, `DELETE FROM users`, `UPDATE "evrun"."users" SET name = 'x'`, `DELETE FROM U&"\0065vrun".users`, `DELETE FROM u&"!0065vrun" UESCAPE '!' . users`,
	`INSERT INTO evrun.meta VALUES ('x', 'y')`, `INSERT INTO evrun.users AS t (name) VALUES ('x') ON CONFLICT DO NOTHING`, `DELETE FROM ONLY evrun.users`, `DELETE FROM evrun.users *`,
	`UPDATE evrun.users u SET name = t.v FROM t`, `DELETE FROM evrun.users USING t`, `MERGE INTO evrun.users u USING t ON false WHEN NOT MATCHED THEN DO NOTHING`,
	`MERGE INTO evrun.users u USING t ON true WHEN MATCHED THEN DELETE`,
	`WITH d AS (DELETE FROM evrun.users RETURNING *) SELECT * FROM d`, `WITH d AS (DELETE FROM evrun.users) SELECT 1`, `WITH d AS (DELETE FROM users RETURNING id) INSERT INTO t SELECT id, '' FROM d`,
	`WITH a AS (WITH b AS (SELECT 1) SELECT * FROM b), c AS (UPDATE evrun.users SET name = 'x' RETURNING id) DELETE FROM t`,
	`INSERT INTO t SELECT 1, 'x' FROM (SELECT * FROM evrun.users FOR UPDATE) q`, `SELECT * FROM evrun.users FOR UPDATE`, `SELECT * FROM evrun.users FOR KEY SHARE`,
	`SELECT * FROM evrun.journal FOR SHARE NOWAIT`, `SELECT * FROM t, evrun.journal FOR NO KEY UPDATE OF journal`,
	// Through what others have made.
	`DELETE FROM own`, `UPDATE deep SET name = 'x'`, `INSERT INTO deep (name) VALUES ('x')`, `SELECT * FROM deep FOR UPDATE`, `INSERT INTO ruled VALUES (1)`, `SELECT opaque()`, `SELECT olden()`,
	`SELECT plain()`, `SELECT outer_one()`, `SELECT own_definer()`, `INSERT INTO fired VALUES (1)`, `INSERT INTO defaulted (x) VALUES (1)`, `INSERT INTO checked VALUES (1)`, `INSERT INTO domained VALUES (1)`,
	`INSERT INTO numbered DEFAULT VALUES`, `INSERT INTO indexed VALUES (1)`, `INSERT INTO parent VALUES (1)`, `SELECT * FROM policed`, `SELECT 1 =~= 2`, `SELECT @@@ 1`, `SELECT adds(1)`,
	`SELECT adds(1) OVER ()`, `SELECT (ROW(1, 2)::pair).field`, `SELECT field(ROW(1, 2)::pair)`, `SELECT 'x'::text::pair`, `SELECT lower('X'::varchar)`, `SELECT * FROM sleeping`,
	`DELETE FROM mother`, `SELECT 1::dom`, `SELECT '1'::dom`, `SELECT ROW(1, NULL)::holder`, `SELECT json_populate_record(NULL::holder, '{"x": 1}')`, `INSERT INTO nested VALUES (NULL)`,
	`SELECT ARRAY[1, 2]::dom[]`, `SELECT * FROM json_to_recordset('[]') AS x (y dom)`, `SELECT CAST(:x AS dom)`, `SELECT jsonb_populate_record(x, '{}') FROM nested, unnest(nested.x) AS x`,
	`INSERT INTO instead VALUES (1)`, `INSERT INTO t SELECT opaque(), ''`, `UPDATE t SET v = opaque()`, `SELECT * FROM t ORDER BY opaque()`, `SELECT count(*) FROM t GROUP BY v HAVING opaque() > 0`,
	`SELECT * FROM t LIMIT opaque()`, `SELECT 1 WHERE EXISTS (SELECT opaque())`, `SELECT CASE WHEN false THEN opaque() END`, `SELECT count(*) FILTER (WHERE opaque() = 1) FROM t`,
	`SELECT * FROM generate_series(1, opaque())`, `SELECT * FROM ROWS FROM (opaque())`, `SELECT t.* FROM t, LATERAL opaque()`, `INSERT INTO t VALUES (1, '') ON CONFLICT (id) DO UPDATE SET v = opaque()`,
	`INSERT INTO t VALUES (1, '') RETURNING opaque()`, `SELECT ARRAY[opaque()]`, `SELECT sum(id) OVER (PARTITION BY opaque()) FROM t`, `VALUES (opaque())`, `SELECT 1 = ANY (ARRAY[opaque()])`,
	`SELECT coalesce(NULL, opaque())`, `SELECT row(opaque())`, `SELECT xmlelement(name x, opaque())`, `SELECT * FROM t TABLESAMPLE bernoulli (opaque())`,
	// The catalog, and the session.
	`UPDATE pg_settings SET setting = 'off' WHERE name = 'fsync'`, `UPDATE settings SET setting = '0' WHERE name = 'statement_timeout'`, `DELETE FROM pg_class`, `UPDATE pg_catalog.pg_proc SET proname = 'x'`,
	`INSERT INTO information_schema.sql_features DEFAULT VALUES`, `SELECT * FROM pg_class FOR UPDATE`, `UPDATE pg_authid SET rolsuper = true`, `DELETE FROM pg_largeobject`, `DELETE FROM matter`,
	`SELECT set_config('statement_timeout', '0', false)`, `SELECT pg_catalog.set_config('role', 'postgres', false)`, `SELECT set_config('search_path', 'evrun', true)`, `SELECT "set_config"('a.b', 'c', false)`,
	`SELECT U&"set\005Fconfig"('a.b', 'c', false)`, `SELECT set_config(name, '', false) FROM pg_settings`, `SELECT setval('evrun.users_id_seq', 1)`, `SELECT nextval('evrun.users_id_seq')`,
	`SELECT nextval('users_id_seq')`, `SELECT nextval(('evrun.' || 'users_id_seq')::regclass)`, `SELECT nextval(v::regclass) FROM t`, `SELECT setval(16000::regclass, 1)`,
	`SELECT nextval((SELECT oid::regclass FROM pg_class WHERE relname = 'users_id_seq'))`, `INSERT INTO t (id) VALUES (nextval('evrun.users_id_seq'))`,
	`SELECT pg_terminate_backend(pid) FROM pg_stat_activity`, `SELECT pg_cancel_backend(1)`, `SELECT pg_advisory_lock(1)`, `SELECT pg_advisory_xact_lock(1702261365)`, `SELECT pg_try_advisory_lock_shared(1, 2)`,
	`SELECT pg_advisory_unlock_all()`, `SELECT pg_notify('evrun', '{}')`, `SELECT pg_sleep(10)`, `SELECT pg_sleep_for('1 s')`, `SELECT pg_sleep_until(now())`, `SELECT pg_export_snapshot()`,
	`SELECT pg_reload_conf()`, `SELECT pg_switch_wal()`, `SELECT pg_promote()`, `SELECT pg_rotate_logfile()`, `SELECT pg_stat_reset()`, `SELECT pg_logical_emit_message(true, 'x', 'y')`,
	`SELECT pg_create_physical_replication_slot('x')`, `SELECT pg_drop_replication_slot('x')`, `SELECT pg_backup_start('x')`, `SELECT pg_import_system_collations('public')`, `SELECT pg_create_restore_point('x')`,
	`SELECT pg_replication_origin_create('x')`, `SELECT gin_clean_pending_list('t'::regclass)`, `SELECT brin_summarize_new_values('evrun.events_type'::regclass)`, `SELECT pg_extension_config_dump('t', '')`,
	`SELECT binary_upgrade_set_next_pg_type_oid(1)`, `SELECT pg_log_backend_memory_contexts(1)`, `SELECT plpgsql_validator(1)`, `SELECT fmgr_sql_validator(1)`,
	// Text that is run as SQL.
	`SELECT query_to_xml('DELETE FROM evrun.users', true, true, '')`, `SELECT query_to_xmlschema('SELECT 1', true, true, '')`, `SELECT query_to_xml_and_xmlschema('SELECT 1', true, true, '')`,
	`SELECT cursor_to_xml('c', 1, true, true, '')`, `SELECT * FROM ts_stat('DELETE FROM evrun.users RETURNING ''x''::tsvector')`, `SELECT ts_rewrite('a'::tsquery, 'DELETE FROM evrun.users')`,
	`SELECT * FROM dblink('dbname=postgres', 'SELECT 1') AS x (y int)`, `SELECT dblink_exec('dbname=postgres', 'SELECT 1')`, `SELECT dblink_connect('x', 'dbname=postgres')`,
	`SELECT database_to_xml(true, true, '')`, `SELECT schema_to_xml('evrun', true, true, '')`, `SELECT table_to_xml('evrun.tokens', true, true, '')`,
	`SELECT 1 AS x INTO public.made`, `SELECT * INTO evrun.made FROM users`, `WITH q AS (SELECT 1) SELECT * INTO UNLOGGED made FROM q`,
	// Files and large objects.
	`SELECT pg_read_file('/etc/passwd')`, `SELECT pg_read_binary_file('PG_VERSION')`, `SELECT pg_ls_dir('/')`, `SELECT * FROM pg_stat_file('/')`, `SELECT * FROM pg_ls_waldir()`, `SELECT * FROM pg_hba_file_rules()`,
	`SELECT lo_import('/etc/passwd')`, `SELECT lo_export(1, '/tmp/x')`, `SELECT lo_creat(-1)`, `SELECT lo_from_bytea(0, 'x')`, `SELECT lo_put(1, 0, 'x')`, `SELECT lo_unlink(1)`, `SELECT lowrite(0, 'x')`,
	`INSERT INTO afar VALUES ('x')`, `DELETE FROM afar`,
}

// notStatements are refused by the parser alone, and by the server without it.
var notStatements = []string{
	`SET statement_timeout = 0`, `SET LOCAL role postgres`, `RESET ALL`, `SET SESSION AUTHORIZATION postgres`, `SET CONSTRAINTS ALL DEFERRED`, `DISCARD ALL`, `SHOW ALL`, `COPY evrun.users TO '/tmp/x'`,
	`COPY (DELETE FROM evrun.users RETURNING 1) TO STDOUT`, `COPY t FROM PROGRAM 'id'`, `TRUNCATE evrun.users`, `LOCK TABLE evrun.users`, `CALL p()`, `DO $$ BEGIN DELETE FROM evrun.users; END $$`,
	`EXPLAIN ANALYZE DELETE FROM evrun.users`, `PREPARE p AS DELETE FROM evrun.users`, `EXECUTE p`, `DEALLOCATE ALL`, `DECLARE c CURSOR FOR SELECT 1`, `FETCH ALL FROM c`, `LISTEN evrun`, `NOTIFY evrun`, `UNLISTEN *`,
	`GRANT ALL ON evrun.users TO public`, `REVOKE ALL ON evrun.users FROM public`, `VACUUM`, `ANALYZE evrun.users`, `CLUSTER`, `REINDEX TABLE evrun.users`, `CHECKPOINT`, `LOAD 'x'`, `COMMENT ON TABLE evrun.users IS 'x'`,
	`SECURITY LABEL ON TABLE evrun.users IS 'x'`, `REASSIGN OWNED BY postgres TO postgres`, `DROP OWNED BY postgres`, `BEGIN`, `COMMIT`, `ROLLBACK`, `SAVEPOINT evrun_effect`, `RELEASE evrun_effect`, `ABORT`, `END`, `START TRANSACTION`,
	`COMMIT PREPARED 'x'`, `ROLLBACK TO evrun_user`, `REFRESH MATERIALIZED VIEW matter`, `IMPORT FOREIGN SCHEMA x FROM SERVER files INTO public`, `CREATE ROLE x SUPERUSER`, `ALTER ROLE postgres SUPERUSER`, `ALTER SYSTEM SET fsync = off`,
	`ALTER DATABASE postgres SET fsync = off`, `CREATE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'`, `CREATE OR REPLACE FUNCTION f() RETURNS int LANGUAGE sql AS 'SELECT 1'`, `CREATE PROCEDURE p() LANGUAGE sql AS ''`,
	`CREATE EXTENSION dblink`, `CREATE EVENT TRIGGER x ON ddl_command_start EXECUTE FUNCTION f()`, `CREATE RULE r AS ON SELECT TO t DO INSTEAD DELETE FROM evrun.users`, `CREATE TEMP TABLE users (x int)`, `CREATE LOCAL TEMPORARY VIEW v AS SELECT 1`,
	`CREATE PUBLICATION p FOR ALL TABLES`, `CREATE SUBSCRIPTION s CONNECTION '' PUBLICATION p`, `CREATE DATABASE x`, `CREATE LANGUAGE x`, `CREATE CAST (int AS text) WITHOUT FUNCTION`, `CREATE OPERATOR + (FUNCTION = f)`, `CREATE AGGREGATE a (int) (SFUNC = f, STYPE = int)`,
	`CREATE INDEX CONCURRENTLY i ON t (v)`, `DROP DATABASE postgres`, `ALTER DEFAULT PRIVILEGES GRANT ALL ON TABLES TO public`, `CREATE POLICY p ON evrun.users`, `CREATE TRANSFORM FOR int LANGUAGE sql (FROM SQL WITH FUNCTION f(internal))`,
	`SELECT 1; DELETE FROM evrun.users`, `SELECT 1; END; DELETE FROM evrun.users`,
}

func openAttacked(t *testing.T) *session {
	t.Helper()
	s := open(t)
	s.admin(t, `CREATE FUNCTION public.int4opaque(int, int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN DELETE FROM evrun.users; RETURN 1; END $$`)
	for _, text := range prelude {
		if strings.Contains(text, "=~=") {
			text = `CREATE OPERATOR public.=~= (LEFTARG = int, RIGHTARG = int, FUNCTION = public.int4opaque)`
		}
		s.admin(t, text)
	}
	return s
}

// unharmed checks that nothing has come of the attacks.
func (s *session) unharmed(t *testing.T, after string) {
	t.Helper()
	got := value[string](t, s, `SELECT concat_ws(' ', (SELECT string_agg(name, ',') FROM evrun.users), (SELECT count(*) FROM evrun.meta), current_user, current_setting('statement_timeout'),
		current_setting('search_path'), (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'), (SELECT count(*) FROM pg_largeobject_metadata), current_setting('a.b', true))`)
	if got != `Ada 2 postgres 0 "$user", public, evrun 0 0` {
		t.Errorf("after %s: %s", after, got)
	}
}

func TestAttacksAreRefused(t *testing.T) {
	s := openAttacked(t)
	for _, text := range attacks {
		st, err := guard.Parse(text)
		if err != nil {
			t.Errorf("%s: %v", text, err) // the server is to refuse it
			continue
		}
		_, err = s.run(t, st, make([]any, len(st.Params))...)
		why := fmt.Sprint(err)
		if !errors.Is(err, store.ErrStatement) || strings.Contains(why, "syntax error") || strings.Contains(why, "does not exist") {
			t.Errorf("%s: %v", text, err)
		}
		t.Logf("%s: %s", text, why)
		s.unharmed(t, text)
	}
}

func TestWhatIsNoStatementIsRefused(t *testing.T) {
	s := openAttacked(t)
	for _, text := range notStatements {
		if _, err := guard.Parse(text); err == nil {
			t.Errorf("%s is taken", text)
		}
		// Without the parser, a statement whose text says something else. The guard parses it again.
		if _, err := s.run(t, &store.Statement{Text: text, Key: text, Verb: "SELECT", Reads: true, Returns: true}); !errors.Is(err, store.ErrStatement) {
			t.Errorf("%s: %v", text, err)
		}
	}
	s.unharmed(t, "all")
}

// What handlers really do stays possible, with everything of these things that is harmless.
func TestOrdinaryStatementsRun(t *testing.T) {
	s := openAttacked(t)
	helper := "helper_" + value[string](t, s, `SELECT current_database()::text`) // roles are of the whole cluster
	s.admin(t, `CREATE ROLE `+helper, `GRANT USAGE, CREATE ON SCHEMA public TO `+helper,
		`CREATE TABLE public.log (at timestamptz, text text)`, `GRANT INSERT ON public.log TO `+helper,
		`CREATE FUNCTION public.note(text) RETURNS text SECURITY DEFINER LANGUAGE plpgsql AS $$ BEGIN INSERT INTO public.log VALUES (now(), $1); RETURN upper($1); END $$`,
		`ALTER FUNCTION public.note(text) OWNER TO `+helper,
		`CREATE FUNCTION public.stamp() RETURNS trigger SECURITY DEFINER LANGUAGE plpgsql AS $$ BEGIN NEW.v := 'stamped'; RETURN NEW; END $$`, `ALTER FUNCTION public.stamp() OWNER TO `+helper,
		`CREATE TABLE public.stamped (v text)`, `CREATE TRIGGER tr BEFORE INSERT ON public.stamped FOR EACH ROW EXECUTE FUNCTION public.stamp()`,
		`CREATE FUNCTION public.twice(int) RETURNS int LANGUAGE sql BEGIN ATOMIC SELECT 2 * $1; END`,
		`CREATE AGGREGATE public.most(int) (SFUNC = int4larger, STYPE = int)`,
		`CREATE DOMAIN public.email AS text CHECK (VALUE ~ '@')`, `CREATE TYPE public.mood AS ENUM ('good', 'bad')`, `CREATE TYPE public.span AS RANGE (subtype = int)`,
		`CREATE TABLE public.p (id bigint GENERATED ALWAYS AS IDENTITY, n serial, day date DEFAULT current_date, who public.email, how public.mood, doc jsonb DEFAULT '{}', tags text[],
			key uuid DEFAULT gen_random_uuid(), total numeric(12, 2) CHECK (total >= 0), words tsvector GENERATED ALWAYS AS (to_tsvector('simple'::regconfig, coalesce(who::text, ''))) STORED) PARTITION BY RANGE (n)`,
		`CREATE TABLE public.p1 PARTITION OF public.p DEFAULT`, `CREATE INDEX ON public.p (lower(who::text))`,
		`CREATE VIEW public.shown AS SELECT id, who, total FROM public.p WHERE total > 0`, `CREATE EXTENSION citext`, `CREATE EXTENSION pgcrypto`, `CREATE EXTENSION hstore`)
	for _, c := range []struct {
		text string
		args []any
		want string
	}{
		{`INSERT INTO p (who, how, tags, total) VALUES (:who, :how, string_to_array(:tags, ','), :total) RETURNING id, n, tags, total, doc`, []any{"a@b", "good", "x,y", 12.5}, `[[1 1 {x,y} 12.5 {}]]`},
		{`INSERT INTO p (who, doc, total) VALUES (:who, :doc, 1) ON CONFLICT DO NOTHING`, []any{"c@d", `{"a": [1]}`}, `[]`},
		{`UPDATE shown SET total = total + 1 WHERE who = :who RETURNING total`, []any{"c@d"}, `[[2]]`},
		{`SELECT doc->'a'->>0, doc ? 'a', doc @> '{"a": [1]}'::jsonb FROM p WHERE n = 2`, nil, `[[1 1 1]]`},
		{`SELECT note(:x), twice(21), most(x) FROM generate_series(1, 5) x`, []any{"hello"}, `[[HELLO 42 5]]`},
		{`INSERT INTO stamped VALUES (NULL) RETURNING v`, nil, `[[stamped]]`},
		{`SELECT u.name, e.type FROM users u LEFT JOIN events e ON e.id = u.event_id`, nil, `[[Ada <nil>]]`},
		{`SELECT count(*) FROM own`, nil, `[[1]]`},
		{`MERGE INTO t USING (VALUES (1::bigint, 'x'), (2, 'y')) AS s (id, v) ON t.id = s.id WHEN MATCHED THEN UPDATE SET v = s.v WHEN NOT MATCHED THEN INSERT VALUES (s.id, s.v)`, nil, `[]`},
		{`WITH moved AS (DELETE FROM t WHERE id = 1 RETURNING *) INSERT INTO t SELECT id + 10, v FROM moved RETURNING id`, nil, `[[11]]`},
		{`SELECT sum(id) OVER (ORDER BY id), lag(v) OVER (ORDER BY id RANGE BETWEEN 1 PRECEDING AND CURRENT ROW) FROM t ORDER BY id`, nil, `[[2 <nil>] [13 y]]`},
		{`SELECT v FROM t ORDER BY id DESC FOR UPDATE SKIP LOCKED`, nil, `[[x] [y]]`},
		{`SELECT date_trunc('day', :at::timestamptz), :at::date + 1, extract(year FROM :at::timestamptz)`, []any{"2026-01-02T03:04:05Z"}, `[[2026-01-02T00:00:00Z 2026-01-03 2026]]`},
		{`SELECT regexp_replace(:v, '[^a-z]', '', 'g'), md5('x') = md5('x'), 'A'::citext = 'a'::citext, encode(digest('x', 'sha256'), 'hex') <> '', ('a=>1'::hstore)->'a'`, []any{"a1b2"}, `[[ab 1 1 1 1]]`},
		{`SELECT nextval('seq') > 0, nextval('public.seq'::regclass) > 0, random() < 2, clock_timestamp() IS NOT NULL, gen_random_uuid() IS NOT NULL`, nil, `[[1 1 1 1 1]]`},
		{`SELECT * FROM t TABLESAMPLE system (0)`, nil, `[]`},
		{`SELECT span(1, 5) @> 3, lower(span(1, 5)), 'good'::mood, 'a@b'::email`, nil, `[[1 1 good a@b]]`},
		{`SELECT * FROM unnest(ARRAY[1, 2]) WITH ORDINALITY AS x (v, n), LATERAL (SELECT v * 2) AS y (w) ORDER BY n`, nil, `[[1 1 2] [2 2 4]]`},
		{`SELECT string_agg(v, ',' ORDER BY v), array_agg(id ORDER BY id), jsonb_object_agg(id, v), percentile_cont(0.5) WITHIN GROUP (ORDER BY id) FROM t`, nil, `[[x,y {2,11} {"2": "y", "11": "x"} 6.5]]`},
		{`SELECT table_name FROM information_schema.tables WHERE table_name = 'p1'`, nil, `[[p1]]`},
		{`SELECT count(*) > 0 FROM pg_stat_user_tables`, nil, `[[1]]`},
		{`SELECT xmlelement(name a, 'x')::text, (xpath('/a/text()', '<a>y</a>'))[1]::text`, nil, `[[<a>x</a> y]]`},
		{`SELECT json_agg(t) FROM (SELECT id FROM t ORDER BY id) t`, nil, `[[[{"id":2}, ` + "\n" + ` {"id":11}]]]`},
		{`DELETE FROM p WHERE words @@ to_tsquery('simple', :w) OR who = ANY (string_to_array(:list, ','))`, []any{"nobody", "a@b,c@d"}, `[]`},
	} {
		r, err := s.exec(t, c.text, c.args...)
		if got := fmt.Sprint(r.Rows); err != nil || got != c.want {
			t.Errorf("%s: %v, %v", c.text, got, err)
		}
	}
}

// definitions are migrations that change something about evrun's own schema, or run what they may not. Each is refused, by the parser or by its work.
var definitions = []string{
	`DROP TABLE evrun.users`, `DROP TABLE users`, `DROP TABLE t, evrun.users`, `DROP TABLE IF EXISTS "users" CASCADE`, `ALTER TABLE evrun.users ADD COLUMN x int`, `ALTER TABLE users DROP COLUMN name`,
	`ALTER TABLE users ALTER COLUMN name DROP NOT NULL`, `ALTER TABLE users ALTER COLUMN name TYPE varchar(3)`, `ALTER TABLE users ALTER COLUMN name SET DEFAULT 'x'`, `ALTER TABLE evrun.beats DISABLE TRIGGER ALL`,
	`ALTER TABLE users ENABLE ROW LEVEL SECURITY`, `ALTER TABLE users OWNER TO pg_monitor`, `ALTER TABLE users SET UNLOGGED`, `ALTER TABLE users SET (fillfactor = 10)`, `ALTER TABLE users RENAME COLUMN name TO x`,
	`ALTER TABLE users SET SCHEMA public`, `ALTER TABLE users RENAME TO x`, `ALTER TABLE users ADD CHECK (false) NOT VALID`, `ALTER TABLE users CLUSTER ON users_pkey`, `ALTER TABLE users REPLICA IDENTITY FULL`,
	`ALTER TABLE users INHERIT mother`, `ALTER TABLE evrun.meta NO INHERIT t`, `ALTER TABLE parent ATTACH PARTITION evrun.journal FOR VALUES IN (1)`, `ALTER TABLE parent DETACH PARTITION evrun.part`,
	`CREATE TABLE evrun.x (x int)`, `CREATE TABLE users (x int)`, `CREATE TABLE public.users (x int)`, `CREATE TABLE "runs" (x int)`, `CREATE VIEW runs AS SELECT 1`, `CREATE SEQUENCE journal`, `ALTER TABLE t RENAME TO events`,
	`CREATE SCHEMA AUTHORIZATION postgres CREATE TABLE users (x int)`, `CREATE SCHEMA x CREATE TABLE evrun.y (x int)`, `ALTER TABLE t SET SCHEMA evrun`, `DROP SCHEMA evrun CASCADE`, `ALTER SCHEMA evrun RENAME TO x`,
	`ALTER SCHEMA evrun OWNER TO pg_monitor`, `DROP SCHEMA public CASCADE`,
	`CREATE TABLE x (y bigint REFERENCES evrun.users)`, `ALTER TABLE t ADD FOREIGN KEY (id) REFERENCES users`, `CREATE TABLE x (LIKE users INCLUDING ALL, FOREIGN KEY (id) REFERENCES users ON DELETE CASCADE)`,
	`CREATE INDEX ON users (name)`, `CREATE UNIQUE INDEX ON evrun.events (type)`, `DROP INDEX evrun.users_email`, `DROP INDEX events_type`, `ALTER INDEX users_email RENAME TO x`, `ALTER INDEX evrun.users_email SET (fillfactor = 10)`,
	`CREATE TABLE x () INHERITS (evrun.users)`, `CREATE TABLE x PARTITION OF evrun.users DEFAULT`, `DROP SEQUENCE evrun.users_id_seq`, `ALTER SEQUENCE users_id_seq RESTART WITH 1`, `ALTER SEQUENCE users_id_seq INCREMENT 5`,
	`ALTER SEQUENCE evrun.users_id_seq OWNED BY NONE`, `ALTER SEQUENCE seq OWNED BY evrun.users.id`, `DROP VIEW evrun.nothing`, `CREATE OR REPLACE VIEW evrun.v AS SELECT 1`, `CREATE MATERIALIZED VIEW evrun.m AS SELECT 1`,
	`CREATE TYPE evrun.x AS (a int)`, `CREATE DOMAIN evrun.x AS int`, `DROP TYPE evrun.users`, `ALTER TYPE evrun.users ADD ATTRIBUTE x int`,
	`CREATE TRIGGER tr AFTER INSERT ON users EXECUTE FUNCTION suppress_redundant_updates_trigger()`, `CREATE TRIGGER tr BEFORE UPDATE ON evrun.runs FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()`,
	`CREATE TRIGGER tr AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION fires()`, `CREATE CONSTRAINT TRIGGER tr AFTER INSERT ON t FOR EACH ROW EXECUTE FUNCTION public."fires"()`,
	`CREATE TRIGGER tr AFTER INSERT ON t FOR EACH ROW WHEN (opaque() > 0) EXECUTE FUNCTION suppress_redundant_updates_trigger()`, `DROP TRIGGER x ON evrun.users`, `ALTER TABLE evrun.users ENABLE REPLICA TRIGGER x`,
	`CREATE TABLE x (y int DEFAULT opaque())`, `CREATE TABLE x (y int CHECK (public . "opaque" () > 0))`, `CREATE TABLE x (y int GENERATED ALWAYS AS (pure(1)) STORED)`, `ALTER TABLE t ADD COLUMN x int DEFAULT opaque()`,
	`ALTER TABLE t ALTER COLUMN v TYPE int USING opaque()`, `CREATE INDEX ON t (pure(id::int))`, `CREATE INDEX ON t (v) WHERE pure(1) = 1`, `CREATE DOMAIN x AS int CHECK (opaque() > 0)`, `CREATE DOMAIN x AS text DEFAULT set_config('a.b', 'c', false)`,
	`ALTER TABLE t ADD COLUMN x text DEFAULT set_config('a.b', 'c', false)`, `ALTER TABLE t ADD COLUMN x text DEFAULT pg_catalog."set_config"('a.b', 'c', false)`, `ALTER TABLE t ADD COLUMN x text DEFAULT U&"set\005Fconfig"('a.b', 'c', false)`,
	`CREATE TABLE x AS SELECT opaque()`, `CREATE TABLE x AS WITH d AS (DELETE FROM evrun.users RETURNING 1) SELECT * FROM d`, `CREATE TABLE x (y) AS (SELECT pg_notify('evrun', 'x'))`, `CREATE TABLE x AS VALUES (set_config('a.b', 'c', false))`,
	`CREATE TABLE x AS EXECUTE p`, `CREATE TABLE x AS TABLE sleeping`, `CREATE MATERIALIZED VIEW x AS SELECT lo_creat(-1)`, `CREATE VIEW x AS SELECT plain()`, `CREATE VIEW x AS SELECT 1 UNION ALL SELECT opaque() WITH NO DATA`,
	`CREATE RECURSIVE VIEW x (n) AS SELECT opaque()`, `CREATE UNLOGGED TABLE x WITH (fillfactor = 10) AS SELECT pg_advisory_lock(1)`, `CREATE TABLE x ("AS") AS SELECT opaque()`,
	`CREATE TABLE x (y int DEFAULT (ROW(1, 2)::pair).field)`, `CREATE TABLE x (y int CHECK ((y =~= 1) > 0))`, `CREATE TABLE x (y int DEFAULT @@@ 1)`, `CREATE INDEX ON t ((@@@ id::int))`, `ALTER TABLE t ADD COLUMN x int DEFAULT (@@@ 1)`,
	`ALTER TABLE filled ALTER COLUMN id TYPE int USING @@@ id`, `ALTER TABLE filled ALTER COLUMN v TYPE pair USING v::pair`, `ALTER TABLE filled ALTER COLUMN id TYPE dom`, `ALTER TABLE filled ADD CHECK ((@@@ id) > 0)`,
	`ALTER TABLE filled ADD COLUMN x int DEFAULT (@@@ 1)`, `CREATE TABLE x (y int, CHECK ((@@@ y) > 0))`, `CREATE TABLE x (y int) PARTITION BY RANGE ((@@@ y))`, `CREATE SCHEMA x GRANT ALL ON evrun.users TO public`, `CREATE SCHEMA x CREATE TRIGGER tr BEFORE INSERT ON evrun.users EXECUTE FUNCTION suppress_redundant_updates_trigger()`, `ALTER DOMAIN dom ADD CHECK ((@@@ VALUE) > 0)`,
	`ALTER TABLE t ADD COLUMN x pair DEFAULT 'x'::text::pair`, `ALTER TABLE t ADD COLUMN x dom DEFAULT 1`, `ALTER TABLE t ALTER COLUMN id TYPE dom USING 1`,
	`DELETE FROM users`, `INSERT INTO fired VALUES (1)`, `WITH d AS (DELETE FROM users) SELECT 1`, `SELECT set_config('a.b', 'c', false)`,
	`ALTER TABLE t ADD COLUMN x int DEFAULT nextval('evrun.users_id_seq')`, `CREATE TABLE x (y int DEFAULT setval('evrun.users_id_seq', 1))`,
	`ALTER TABLE ALL IN TABLESPACE pg_default SET TABLESPACE pg_global`,
}

func TestMigrationsCantChangeWhatIsEvruns(t *testing.T) {
	s := openAttacked(t)
	before := value[string](t, s, schemaDigest)
	for _, text := range definitions {
		err := s.migrate(t, text)
		var fault *guard.ParseError
		if err == nil || !errors.Is(err, store.ErrStatement) && !errors.As(err, &fault) || strings.Contains(err.Error(), "syntax error") {
			t.Errorf("%s: %v", text, err)
		}
		t.Logf("%s: %v", text, err)
		s.unharmed(t, text)
		if now := value[string](t, s, schemaDigest); now != before {
			t.Errorf("%s: the catalog has changed", text)
			before = now
		}
	}
}

// schemaDigest is what the catalog says of all tables, by other means than the guard.
const schemaDigest = `SELECT md5(string_agg(x, '|' ORDER BY x)) FROM (
	SELECT concat_ws(' ', attrelid, attname, atttypid, attnotnull, atthasdef) AS x FROM pg_attribute WHERE attrelid > 16384 AND attnum > 0
	UNION ALL SELECT concat_ws(' ', oid, relname, relnamespace, relkind, relowner, relrowsecurity, relfilenode) FROM pg_class WHERE oid > 16384
	UNION ALL SELECT concat_ws(' ', oid, tgname, tgenabled) FROM pg_trigger UNION ALL SELECT concat_ws(' ', oid, conname) FROM pg_constraint UNION ALL SELECT proname FROM pg_proc
	UNION ALL SELECT nspname FROM pg_namespace UNION ALL SELECT typname FROM pg_type) q`

func TestOrdinaryMigrationsRun(t *testing.T) {
	s := openAttacked(t)
	list := []string{
		`CREATE TABLE orders (id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, who text NOT NULL DEFAULT 'x', day date DEFAULT current_date, total numeric(12, 2) CHECK (total >= 0 AND round(total, 1) > -1), key uuid DEFAULT gen_random_uuid(), n serial)`,
		`CREATE TABLE lines (o bigint REFERENCES orders ON DELETE CASCADE, text text, UNIQUE (o, text))`, `CREATE INDEX ON lines (lower(text))`, `CREATE INDEX IF NOT EXISTS lines_o ON lines USING btree (o) WHERE o > 0`,
		`ALTER TABLE orders ADD COLUMN at timestamptz DEFAULT now()`, `ALTER TABLE orders ALTER COLUMN who TYPE varchar(100), ADD COLUMN tags text[]`, `CREATE VIEW day_totals AS SELECT day, sum(total) AS total FROM orders GROUP BY day`,
		`CREATE OR REPLACE VIEW day_totals AS SELECT day, sum(total) AS total FROM orders WHERE total > 0 GROUP BY day`, `CREATE VIEW people AS SELECT u.name, e.type FROM users u JOIN evrun.events e ON e.id = u.event_id`,
		`CREATE MATERIALIZED VIEW frozen AS SELECT count(*) FROM orders WITH DATA`, `CREATE TYPE mood AS ENUM ('good')`, `ALTER TYPE mood ADD VALUE 'bad'`, `CREATE DOMAIN mail AS text CHECK (VALUE ~ '@')`, `CREATE SEQUENCE orders_no START 100`,
		`ALTER SEQUENCE orders_no OWNED BY orders.n`, `CREATE TABLE copied AS SELECT * FROM orders WITH NO DATA`, `CREATE TABLE days (at date, n int) PARTITION BY RANGE (at)`, `CREATE TABLE days_2026 PARTITION OF days FOR VALUES FROM ('2026-01-01') TO ('2027-01-01')`,
		`CREATE TRIGGER same BEFORE UPDATE ON orders FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()`, `CREATE SCHEMA mine`, `CREATE TABLE mine.t (x int)`, `INSERT INTO orders (who, total) SELECT 'a', n FROM generate_series(1, 3) n`,
		`UPDATE orders SET total = total + 1`, `DROP TABLE lines`, `ALTER TABLE orders DROP COLUMN tags`, `DROP VIEW day_totals`, `ALTER TABLE orders RENAME TO sales`, `CREATE TABLE "order" ("a:b" text DEFAULT 'it''s :none', x text DEFAULT $q$:y$q$)`,
	}
	for _, text := range list {
		if err := s.migrate(t, text); err != nil {
			t.Errorf("%s: %v", text, err)
		}
	}
	if r, err := s.exec(t, `SELECT count(*), sum(total) FROM sales`); err != nil || fmt.Sprint(r.Rows) != "[[3 9]]" {
		t.Error(r, err)
	}
	if err := s.migrate(t, list...); err != nil { // they ran already
		t.Error(err)
	}
}
