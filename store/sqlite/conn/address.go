package conn

import (
	"net/url"
	"strings"
)

// Writer is the address of the store at path for the connection that writes. It creates the file where there is none. Transactions are
// durable at each commit if synchronous is "FULL".
func Writer(path, synchronous string) string {
	q := values()
	// For a new file alone, and before the journal mode, which writes its first page: pruning can then give space back.
	// SQLite keeps a pointer to each page's parent for it, which is 5 % of the instructions of a write and 0.1 % of the file.
	q.Add("_pragma", "auto_vacuum(incremental)")
	q.Add("_pragma", "journal_mode(WAL)")
	q.Add("_pragma", "synchronous("+synchronous+")")
	q.Add("_pragma", "foreign_keys(1)")
	// SQLite's own checkpoints, each 1,000 pages within a commit, are left as they are. One beside the writer made
	// acknowledgements slower: the WAL then grows, and syncing a file that grows costs more than one written over.
	q.Add("_pragma", "journal_size_limit(67108864)")
	// The driver takes twice as much memory for a page: 16 MiB here are 30 MB of the process, and save nothing that the system's cache does not.
	q.Add("_pragma", "cache_size(-8192)")
	return address(path, q)
}

// Pages is [Writer] for a connection that writes the file's pages themselves, as they are. Nothing else must run on it.
func Pages(path string) string {
	return strings.Replace(Writer(path, "NORMAL"), "_defensive=1", "_defensive=0", 1)
}

// Reader is the address of the store at path for a connection that only reads.
func Reader(path string) string {
	q := values()
	q.Set("mode", "ro")
	q.Add("_pragma", "query_only(1)")
	return address(path, q)
}

// User is the address of a user database, whose journal mode stays as it is; create creates the file where there is none.
func User(path string, create bool) string {
	q := values()
	if q.Set("mode", "rw"); create {
		q.Set("mode", "rwc")
	}
	q.Add("_pragma", "foreign_keys(1)")
	return address(path, q)
}

// Target is the address of an empty file that a database is copied to, or of a complete copy, for the one process that knows it. Nothing guards the file
// against a crash, and whoever has it written syncs it. The database leaves the WAL mode: the file is all there is of it.
func Target(path string) string {
	return address(path, url.Values{"mode": {"rw"}, "_pragma": {"locking_mode(EXCLUSIVE)", "journal_mode(OFF)", "synchronous(OFF)", "cache_size(-2048)"}})
}

// values are the parameters of all addresses.
func values() url.Values {
	return url.Values{
		"_defensive": {"1"}, // no statement can write the schema, or the file's pages
		"_pragma":    {"busy_timeout(5000)", "trusted_schema(0)"},
	}
}

func address(path string, q url.Values) string {
	return (&url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: q.Encode()}).String()
}
