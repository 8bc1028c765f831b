package guard

import (
	"fmt"
	"strings"
)

// harmless are the volatile functions of the server that change nothing beyond the statement's own result: a sequence's next number apart, which belongs to
// the table that it numbers. The other volatile ones write files, end sessions, take locks that outlast the statement, change settings, send notifications,
// write large objects, or run a text as SQL.
var harmless = set(`clock_timestamp timeofday random random_normal setseed gen_random_uuid uuidv4 uuidv7 currval lastval nextval setval
	pg_column_size pg_database_size pg_indexes_size pg_relation_size pg_table_size pg_total_relation_size current_query
	pg_current_xact_id pg_xact_status txid_current txid_status pg_xact_commit_timestamp pg_is_in_recovery pg_jit_available
	pg_sequence_last_value pg_partition_tree pg_partition_ancestors bernoulli system
	suppress_redundant_updates_trigger tsvector_update_trigger tsvector_update_trigger_column unique_key_recheck`)

// risky are functions of the server that are not volatile, and read whole databases or files all the same.
var risky = set(`database_to_xml database_to_xml_and_xmlschema schema_to_xml schema_to_xml_and_xmlschema database_to_xmlschema schema_to_xmlschema table_to_xml
	table_to_xml_and_xmlschema pg_timezone_names pg_tablespace_databases fmgr_sql_validator fmgr_internal_validator fmgr_c_validator`)

// trusted are the extensions whose functions work on their arguments alone.
var trusted = set(`btree_gin btree_gist citext cube dict_int dict_xsyn earthdistance fuzzystrmatch hstore intarray isn ltree pg_trgm pgcrypto seg tsm_system_rows
	tsm_system_time unaccent uuid-ossp vector`)

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// refuse returns why a function may not be called; empty: it may, as long as what it calls itself may.
func (f *function) refuse() string {
	switch {
	case f.apart:
		return ""
	case f.pinned && (risky[f.name] || f.volatile && !harmless[f.name]):
		return fmt.Sprintf("the function %s is not allowed: it reaches beyond the statement", f.name)
	case f.pinned, f.made, trusted[f.extension], f.body != "", f.aggregates:
		return ""
	case f.extension != "":
		return fmt.Sprintf("the function %s is not allowed: evrun doesn't know what the extension %s does", f.name, f.extension)
	}
	return fmt.Sprintf("the function %s.%s is not allowed, since evrun can't see what it does; give it a body that begins with BEGIN ATOMIC, or make it SECURITY DEFINER "+
		"and of a role without rights on the schema evrun", f.schema, f.name)
}

// judge returns why a relation may not be used so; empty: it may.
func (r *relation) judge(write bool) string {
	switch {
	case !write:
		return ""
	case r.schema == "evrun":
		return fmt.Sprintf("%q is evrun's own: it can be read, not written or locked", r.name)
	case r.schema == "pg_catalog" || r.schema == "information_schema" || r.schema == "pg_toast":
		return fmt.Sprintf("%q is PostgreSQL's own: it can be read, not written or locked", r.name)
	case r.kind == "f":
		return fmt.Sprintf("%q is in another database: what is written there does not commit with the run", r.name)
	}
	return ""
}
