package guard

import "strings"

// SQLite checks for an interrupt between the steps of a statement, but not within a function. So the cost of a call is bounded by the size of its
// arguments: while a statement that calls one of these functions runs, no value in it may be larger than the function's length. With these lengths
// the worst call takes about 50 ms on a machine of 2020.
const (
	shortest = 1 << 10
	shorter  = 4 << 10
	short    = 16 << 10
	small    = 64 << 10
)

// maxPattern is the longest pattern of LIKE and GLOB, in bytes.
const maxPattern = 64

// cost bounds the values that a function works on.
type cost struct {
	length int
	// literal replaces length if the argument with this number (from 1), which makes the function slow or its result large, is a short literal or
	// omitted. A length of 0 means no bound.
	argument, literal int
}

// costs has the functions whose work grows faster than their arguments, or whose results are larger than their arguments.
var costs = map[string]cost{
	"like": {length: small}, "glob": {length: small}, // by a pattern of maxPattern
	"hex": {length: small, argument: 1}, "quote": {length: small}, "unistr_quote": {length: small},
	"printf": {length: small}, "format": {length: small},
	"randomblob": {length: small, argument: 1}, "zeroblob": {length: small, argument: 1},
	"strftime": {length: small, argument: 1},
	"instr":    {length: short, argument: 2, literal: small}, "replace": {length: short, argument: 2, literal: small},
	"json_patch": {length: short, argument: 2, literal: small}, "jsonb_patch": {length: short, argument: 2, literal: small},
	"trim": {length: 2 * shortest, argument: 2, literal: small}, "ltrim": {length: 2 * shortest, argument: 2, literal: small},
	"rtrim": {length: 2 * shortest, argument: 2, literal: small}, "unhex": {length: 2 * shortest, argument: 2, literal: small},
	"highlight": {length: short}, "snippet": {length: shorter},
	"match": {length: shortest, argument: 1}, // the query, not the documents: a short query can search large documents for long
}

// indexed is the largest value in a statement that writes an fts5 table: SQLite can't be stopped while it splits a text into terms. The trigram
// tokenizer makes a term of each character.
func indexed(definition string) bound {
	if strings.Contains(strings.ToLower(definition), "trigram") {
		return bound{short, fullText}
	}
	return bound{small, fullText}
}

// fullText stands for a function's name in the bound of a statement that writes an fts5 table.
const fullText = "fts5"

// plain are the functions that take time and space in proportion to their arguments.
var plain = set(`-> ->> abs acos acosh asin asinh atan atan2 atanh avg bm25 ceil ceiling changes char coalesce concat concat_ws cos cosh
	count cume_dist current_date current_time current_timestamp date datetime degrees dense_rank exp first_value floor
	fts5_get_locale fts5_insttoken fts5_locale fts5_source_id group_concat if ifnull iif json json_array json_array_insert
	json_array_length json_each json_error_position json_extract json_group_array json_group_object json_insert json_object
	json_quote json_remove json_replace json_set json_tree json_type json_valid jsonb jsonb_array jsonb_array_insert jsonb_each
	jsonb_extract jsonb_group_array jsonb_group_object jsonb_insert jsonb_object jsonb_remove jsonb_replace jsonb_set jsonb_tree
	julianday lag last_insert_rowid last_value lead length likelihood likely ln log log10 log2 lower max min mod nth_value ntile
	nullif octet_length percent_rank pi pow power radians random rank round row_number sign sin sinh soundex sqlite_offset
	sqlite_source_id sqlite_version sqrt string_agg substr substring subtype sum tan tanh time timediff total total_changes trunc
	typeof unicode unistr unixepoch unlikely upper sqlite_compileoption_get sqlite_compileoption_used
	rtreecheck rtreedepth rtreenode
	sqlite_drop_column sqlite_fail sqlite_rename_column sqlite_rename_quotefix sqlite_rename_table sqlite_rename_test
	sqlite_drop_constraint sqlite_find_constraint sqlite_add_constraint`)

// forbidden are the functions that reach beyond the database, most of which exist in SQLite's shell only, and those whose work
// no length bounds.
var forbidden = set(`load_extension readfile writefile edit fts3_tokenizer fts5 sqlite_log json_pretty`)

func set(words string) map[string]bool {
	m := map[string]bool{}
	for _, w := range strings.Fields(words) {
		m[w] = true
	}
	return m
}

// lengthFor returns the largest value allowed in a statement with these calls of the function; 0: no bound. An unknown function has the tightest
// bound.
func lengthFor(function string, given literals) int {
	c, ok := costs[function]
	switch {
	case !ok && plain[function]:
		return 0
	case !ok:
		return shortest
	case c.argument > 0 && given.has(c.argument):
		return c.literal
	}
	return c.length
}

// bound is the smallest length that a function of a statement requires, and that function's name.
type bound struct {
	length   int // 0: none
	function string
}

// tighten replaces the bound by another if that is shorter.
func (b *bound) tighten(o bound) {
	if o.length > 0 && (b.length == 0 || o.length < b.length) {
		*b = o
	}
}

// boundOf returns the bound of a text's calls. Names that are not functions don't count.
func boundOf(calls map[string]literals) (b bound) {
	for name, given := range calls {
		if _, ok := costs[name]; ok {
			b.tighten(bound{lengthFor(name, given), name})
		}
	}
	return b
}
