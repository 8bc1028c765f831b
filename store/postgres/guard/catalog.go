package guard

import (
	"context"

	"github.com/jackc/pgx/v5"
)

// relation is a table, view, sequence or the like, with all that the server does of itself when it is read or written.
type relation struct {
	oid    uint32
	schema string
	name   string
	kind   string   // as in pg_class: r table, p partitioned, v view, m materialized view, f foreign table, S sequence
	read   []string // trees: the query of a view, the conditions of policies
	write  []string // trees: rules, defaults, checks, indexes, partitions
	fires  []uint32 // the functions of its triggers
	parts  []uint32 // its partitions, and tables that inherit from it
	others []uint32 // tables whose foreign keys change with it
	rows   uint32   // the type of its rows
}

// relations reads the catalog. Only names that the server qualifies are used: a user's own functions and operators have no part in it.
func relations(ctx context.Context, c *pgx.Conn, oids []uint32) ([]relation, error) {
	rows, err := c.Query(ctx, `
		SELECT c.oid, n.nspname, c.relname, c.relkind::text,
			ARRAY(SELECT t FROM (
				SELECT ev_action::text AS t FROM pg_catalog.pg_rewrite WHERE ev_class = c.oid AND ev_type = '1'
				UNION ALL SELECT polqual::text FROM pg_catalog.pg_policy WHERE polrelid = c.oid
				UNION ALL SELECT polwithcheck::text FROM pg_catalog.pg_policy WHERE polrelid = c.oid) q WHERE t IS NOT NULL),
			ARRAY(SELECT t FROM (
				SELECT ev_action::text AS t FROM pg_catalog.pg_rewrite WHERE ev_class = c.oid AND ev_type <> '1'
				UNION ALL SELECT ev_qual::text FROM pg_catalog.pg_rewrite WHERE ev_class = c.oid AND ev_type <> '1'
				UNION ALL SELECT adbin::text FROM pg_catalog.pg_attrdef WHERE adrelid = c.oid
				UNION ALL SELECT conbin::text FROM pg_catalog.pg_constraint WHERE conrelid = c.oid
				UNION ALL SELECT partexprs::text FROM pg_catalog.pg_partitioned_table WHERE partrelid = c.oid
				UNION ALL SELECT indexprs::text FROM pg_catalog.pg_index WHERE indrelid = c.oid
				UNION ALL SELECT indpred::text FROM pg_catalog.pg_index WHERE indrelid = c.oid) q WHERE t IS NOT NULL AND t <> '<>'),
			ARRAY(SELECT tgfoid FROM pg_catalog.pg_trigger WHERE tgrelid = c.oid AND NOT tgisinternal AND tgenabled <> 'D'),
			ARRAY(SELECT inhrelid FROM pg_catalog.pg_inherits WHERE inhparent = c.oid),
			ARRAY(SELECT conrelid FROM pg_catalog.pg_constraint WHERE confrelid = c.oid AND contype = 'f' AND (confdeltype IN ('c', 'n', 'd') OR confupdtype IN ('c', 'n', 'd'))),
			c.reltype
		FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = ANY($1)`, oids)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (r relation, err error) {
		return r, row.Scan(&r.oid, &r.schema, &r.name, &r.kind, &r.read, &r.write, &r.fires, &r.parts, &r.others, &r.rows)
	})
}

// function is a function, an aggregate or a window function.
type function struct {
	oid        uint32
	schema     string
	name       string
	volatile   bool
	pinned     bool     // the server's own
	extension  string   // that it belongs to
	made       bool     // it comes with a type: the constructors of ranges
	body       string   // a tree, where it has one
	parts      []uint32 // the functions that an aggregate calls
	aggregates bool
	apart      bool // it runs as a role that has no rights on evrun's tables
}

// facts are the columns of a function. The server's own have numbers below 16384.
const facts = `p.oid, n.nspname, p.proname, p.provolatile = 'v', p.oid < 16384,
	coalesce((SELECT e.extname::text FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
		WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'e' AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass LIMIT 1), ''),
	EXISTS (SELECT FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_language l ON l.oid = p.prolang AND l.lanname = 'internal'
		WHERE d.classid = 'pg_catalog.pg_proc'::pg_catalog.regclass AND d.objid = p.oid AND d.deptype = 'i' AND d.refclassid = 'pg_catalog.pg_type'::pg_catalog.regclass),
	coalesce(p.prosqlbody::text, ''), p.prokind = 'a',
	ARRAY(SELECT f FROM pg_catalog.pg_aggregate a, LATERAL (VALUES (a.aggtransfn::pg_catalog.oid), (a.aggfinalfn::pg_catalog.oid), (a.aggcombinefn::pg_catalog.oid),
		(a.aggserialfn::pg_catalog.oid), (a.aggdeserialfn::pg_catalog.oid), (a.aggmtransfn::pg_catalog.oid), (a.aggminvtransfn::pg_catalog.oid), (a.aggmfinalfn::pg_catalog.oid)) v (f)
		WHERE a.aggfnoid = p.oid AND f <> 0),
	p.prosecdef AND NOT pg_catalog.has_schema_privilege(p.proowner, 'evrun', 'USAGE')
		AND NOT pg_catalog.pg_has_role(p.proowner, (SELECT nspowner FROM pg_catalog.pg_namespace WHERE nspname = 'evrun'), 'MEMBER')
		AND NOT pg_catalog.pg_has_role(p.proowner, current_user, 'MEMBER')`

func functions(ctx context.Context, c *pgx.Conn, where string, arg any) ([]function, error) {
	rows, err := c.Query(ctx, `SELECT `+facts+` FROM pg_catalog.pg_proc p JOIN pg_catalog.pg_namespace n ON n.oid = p.pronamespace WHERE `+where, arg)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (f function, err error) {
		return f, row.Scan(&f.oid, &f.schema, &f.name, &f.volatile, &f.pinned, &f.extension, &f.made, &f.body, &f.aggregates, &f.parts, &f.apart)
	})
}

// operatorFunctions returns the functions of operators.
func operatorFunctions(ctx context.Context, c *pgx.Conn, oids []uint32) ([]uint32, error) {
	rows, err := c.Query(ctx, `SELECT oprcode::pg_catalog.oid FROM pg_catalog.pg_operator WHERE oid = ANY($1)`, oids)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[uint32])
}

// domains returns the trees of the checks and defaults of domains that are among the types, or in them: base types, elements, columns, ranges.
func domains(ctx context.Context, c *pgx.Conn, types []uint32) ([]string, error) {
	rows, err := c.Query(ctx, `
		WITH RECURSIVE types (oid) AS (
			SELECT unnest($1::pg_catalog.oid[])
			UNION SELECT below.oid FROM types JOIN pg_catalog.pg_type t ON t.oid = types.oid, LATERAL (
				SELECT t.typelem UNION ALL SELECT t.typbasetype
				UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute a WHERE a.attrelid = t.typrelid AND t.typrelid <> 0 AND a.attnum > 0
				UNION ALL SELECT r.rngsubtype FROM pg_catalog.pg_range r WHERE t.oid IN (r.rngtypid, r.rngmultitypid)) below (oid) WHERE below.oid <> 0)
		SELECT conbin::text FROM pg_catalog.pg_constraint WHERE contypid IN (SELECT oid FROM types) AND conbin IS NOT NULL
		UNION ALL SELECT typdefaultbin::text FROM pg_catalog.pg_type WHERE oid IN (SELECT oid FROM types) AND typdefaultbin IS NOT NULL`, types)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// ownSequence reports whether any of the sequences is evrun's.
func ownSequence(ctx context.Context, c *pgx.Conn, oids []uint32) (own bool, err error) {
	err = c.QueryRow(ctx, `SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
		WHERE c.oid = ANY($1) AND n.nspname = 'evrun')`, oids).Scan(&own)
	return own, err
}
