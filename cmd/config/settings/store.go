package settings

import (
	"maps"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"evrun/tasks/fault"
	"evrun/tasks/fields"
)

// Store are the settings of the store: a SQLite file, or a PostgreSQL database that several daemons may share.
type Store struct {
	Path        string // of the SQLite file, absolute; default evrun.db beside the wiring file. Empty with PostgreSQL
	Address     string // the URL of the PostgreSQL database; empty with SQLite. It may have a password: print [Store.String] in its place
	MaxWAL      int64  // store.wal_max: the bound of SQLite's write-ahead log, in bytes; default 4 GiB
	Synchronous string // "full" (default): an acknowledged event survives a power cut; "normal": the last ones may not
}

// Shared reports whether several daemons may have the store: it is in PostgreSQL.
func (s Store) Shared() bool { return s.Address != "" }

// String is the path or the URL, without passwords.
func (s Store) String() string {
	if s.Shared() {
		return Redact(s.Address)
	}
	return s.Path
}

// Own is the path that a daemon's own files are named after: the store's, or the socket's where the store is on another machine.
func (s Settings) Own() string {
	if s.Store.Shared() {
		return s.Server.Socket
	}
	return s.Store.Path
}

// Named gives a store the place that [Store.String] has printed. A password is that of known, if this is the same store.
func Named(text string, known Store) Store {
	switch {
	case text == known.String():
	case isAddress(text): // the server must know this user without a password, or PGPASSWORD or a passfile have it
		known.Path, known.Address = "", strings.Replace(text, ":***@", "@", 1)
	default:
		known.Path, known.Address = text, ""
	}
	return known
}

// Given is the store that the environment names by a URL; otherwise it is empty.
func Given(getenv func(string) string) (s Store) {
	if text := getenv("EVRUN_STORE"); isAddress(text) {
		s.Address = text
	}
	return s
}

// PlaceIn is the place of a store as [Store.String] prints it, for a path that may be relative to a directory.
func PlaceIn(dir, text string) string {
	switch {
	case isAddress(text):
		return Redact(placed(text, func(path string) string { return PlaceIn(dir, path) }))
	case !filepath.IsAbs(text):
		return filepath.Join(dir, text)
	}
	return filepath.Clean(text)
}

// IsPlace reports whether a text is a place as [Store.String] prints it: an absolute path, or the URL of a database.
func IsPlace(text string) bool { return filepath.IsAbs(text) || isAddress(text) }

func isAddress(text string) bool {
	return strings.HasPrefix(text, "postgres:") || strings.HasPrefix(text, "postgresql:")
}

var (
	// addresses finds URLs of databases that may have a password between user and host.
	addresses = regexp.MustCompile("postgres(?:ql)?://[^:@/?#\\s]*:[^\\s\"`]*")
	// parts finds the user, and the password up to the last @ before the parameters.
	parts = regexp.MustCompile(`^([^:]*://[^:]*:)[^?]*(@)`)
	// unclear does so where the password has characters that end it in a URL.
	unclear = regexp.MustCompile(`^([^:]*://[^:]*:).*(@)`)
	// named finds passwords in parameters, and in keywords as libpq knows them beside URLs.
	named = regexp.MustCompile(`((?:^|[?&\s'"])(?:password|sslpassword)\s*=\s*)[^&#\s'"]*`)
	// keywords is what is written in place of a URL.
	keywords = regexp.MustCompile(`(?:^|\s)(?:host|hostaddr|port|user|dbname|password|service)\s*=`)
)

// Redact removes the passwords from a text with addresses of databases, also from those that are not valid.
func Redact(text string) string {
	known := strings.Contains(text, "postgres")
	if known {
		text = addresses.ReplaceAllStringFunc(text, func(address string) string {
			ends := parts
			u, err := url.Parse(address)
			if err != nil && !strings.Contains(address, ",") || err == nil && halved(u) {
				ends = unclear
			}
			return ends.ReplaceAllString(address, "$1***$2")
		})
	}
	if known || keywords.MatchString(text) {
		text = named.ReplaceAllString(text, "$1***")
	}
	return text
}

// halved reports whether a password with a ? in it was cut there.
func halved(u *url.URL) bool {
	name, _, _ := strings.Cut(u.RawQuery, "=")
	return strings.Contains(name, "@")
}

// passwords returns the passwords that are in the URL, to be kept out of logs.
func (s Store) passwords() (list []string) {
	u, err := url.Parse(s.Address)
	if err != nil {
		return nil
	}
	given := u.Query()
	list = append(given["password"], given["sslpassword"]...)
	if p, ok := u.User.Password(); ok {
		list = append(list, p)
	}
	return list
}

// The parameters of the URL of a database, with their values if these are a closed list. Those of files are relative to the wiring file.
var (
	parameters = map[string][]string{
		"host": nil, "port": nil, "user": nil, "password": nil, "dbname": nil, "connect_timeout": nil, "pool_max_conns": nil,
		"sslmode":              {"disable", "allow", "prefer", "require", "verify-ca", "verify-full"},
		"target_session_attrs": {"any", "read-write", "primary"},
		"sslnegotiation":       {"postgres", "direct"},
		"sslpassword":          nil, "sslsni": nil, "channel_binding": {"disable", "prefer", "require"}, "krbsrvname": nil, "krbspn": nil, "service": nil,
		"sslrootcert": nil, "sslcert": nil, "sslkey": nil, "passfile": nil, "servicefile": nil,
	}
	fileParameters = []string{"sslrootcert", "sslcert", "sslkey", "passfile", "servicefile"}
)

// reserved are the parameters that evrun sets itself.
var reserved = map[string]string{
	"application_name":              "evrun names its connections after the daemon, and ends those of a daemon that was lost by this name",
	"search_path":                   "statements of sql handlers find tables in the schema of their user's name, public, and evrun; write schema.table for others",
	"options":                       "evrun sets what its connections need; ALTER ROLE … SET changes the rest for its user",
	"default_query_exec_mode":       "evrun prepares its statements; a pgbouncer in transaction mode can't be used",
	"statement_cache_capacity":      "evrun prepares its statements; a pgbouncer in transaction mode can't be used",
	"statement_timeout":             "evrun sets the time of each statement",
	"pool_min_conns":                "evrun opens the connections that it needs; pool_max_conns is how many are for queries",
	"synchronous_commit":            "set it for the user of the database: ALTER ROLE … SET synchronous_commit",
	"default_transaction_isolation": "evrun works in READ COMMITTED",
}

// checkAddress says what is wrong with the URL of a database; it never repeats a password.
func checkAddress(text string) *fault.Fault {
	u, err := url.Parse(text)
	switch {
	case err != nil && strings.Contains(text, ","):
		return fault.New("the URL of the database is not valid").Hinting("write several hosts as postgres://user@host1:5432,host2:5432/evrun: the last one needs a port, if another has one")
	case err != nil || halved(u):
		return fault.New("the URL of the database is not valid").Hinting("write it as postgres://user@host/evrun; special characters of a user or a password are written as %%XX: @ as %%40, / as %%2F, ? as %%3F, # as %%23")
	case u.Opaque != "":
		return fault.New("%s is not the URL of a database", fault.Quote(Redact(text))).Hinting("write it as postgres://user@host/evrun")
	case u.Fragment != "":
		return fault.New("the URL of the database has a # in it").Hinting("write %%23, if it is a part of the password")
	case strings.Contains(strings.TrimPrefix(u.Path, "/"), "/"):
		return fault.New("%s is not the name of a database", fault.Quote(strings.TrimPrefix(u.Path, "/"))).Hinting("write it as postgres://user@host/evrun")
	}
	given, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return fault.New("the parameters in the URL of the database are not valid").Hinting("special characters are written as %%XX: & as %%26")
	}
	for _, name := range slices.Sorted(maps.Keys(given)) {
		values, known := parameters[name]
		switch why := reserved[name]; {
		case why != "":
			return fault.New("the URL of the database can't have the parameter %s", name).Hinting("leave it out: %s", why)
		case !known:
			return fault.New("the URL of the database has the unknown parameter %s", fault.Quote(name)).Hinting("%s", unknownHint(name))
		case len(given[name]) > 1:
			return fault.New("the URL of the database has the parameter %s twice", name)
		case values != nil && !slices.Contains(values, given.Get(name)):
			return fault.New("%s can't be %s", name, fault.Quote(given.Get(name))).Hinting("it must be %s", fault.Or(values))
		}
	}
	return nil
}

func unknownHint(name string) string {
	known := slices.Sorted(maps.Keys(parameters))
	if hint := fault.DidYouMean(name, known); hint != "" {
		return hint
	}
	return "it can have " + fault.And(known)
}

// keywordsFault is for an address in libpq's other spelling: as a path, it would make a file whose name has the password.
func keywordsFault() *fault.Fault {
	return fault.New("the address of the database is written in keywords").Hinting("write it as a URL: postgres://user@host:5432/evrun?passfile=pgpass")
}

// storePath is the place of the store.
type storePath string

func (p *storePath) DecodeField(value any, at *fields.At) {
	text, ok := at.Text(value)
	switch {
	case !ok:
	case isAddress(text):
		if f := checkAddress(text); f != nil {
			at.Refuse(f)
			return
		}
		*p = storePath(text)
	case keywords.MatchString(text):
		at.Refuse(keywordsFault())
	case text == ":memory:", strings.HasPrefix(text, "file:"), strings.Contains(text, "://"):
		at.Refuse(fault.New("%s is not a file path", fault.Quote(text)).Hinting("name a file: evrun.db, or a PostgreSQL database: postgres://user@host/evrun"))
	default:
		(*FilePath)(p).DecodeField(text, at)
	}
}

func (*storePath) FieldShape() fields.Shape {
	s := new(FilePath).FieldShape()
	s.Words = "path or url"
	return s
}

// store is the merged setting of the store.
func (r *Reader) store(k *storeKeys, origin string) Store {
	s := Store{MaxWAL: int64(k.MaxWAL), Synchronous: k.Synchronous}
	if !isAddress(string(k.Path)) {
		s.Path = r.place(string(k.Path), origin)
		return s
	}
	s.Address = placed(string(k.Path), func(path string) string { return r.place(path, origin) })
	for _, p := range s.passwords() {
		r.Secrets = append(r.Secrets, p, url.QueryEscape(p), url.PathEscape(p))
	}
	if u, _ := url.Parse(s.Address); u != nil && origin == "" && len(r.Secrets) > 0 {
		if n := r.node(&setting{key: "store.path"}); n != nil {
			r.o.Report.Doubt(n, "the file has the password of the database in it", "write it into a file that only evrun's user can read, and name that: postgres://user@host/evrun?passfile=pgpass; or set EVRUN_STORE or PGPASSWORD in the environment")
		}
	}
	return s
}

// placed makes the paths in the URL of a database absolute.
func placed(address string, absolute func(path string) string) string {
	u, err := url.Parse(address)
	if err != nil {
		return address
	}
	q, changed := u.Query(), false
	for _, name := range fileParameters {
		if path := q.Get(name); path != "" && (name != "sslrootcert" || path != "system") {
			q.Set(name, absolute(path))
			changed = true
		}
	}
	if !changed {
		return address
	}
	u.RawQuery = strings.ReplaceAll(q.Encode(), "%2F", "/")
	return u.String()
}

// Place is the store that a text of the command line names: the path of a file, or the URL of a database.
func Place(text string) (Store, error) {
	if isAddress(text) {
		if f := checkAddress(text); f != nil {
			return Store{}, f
		}
		return Store{Address: text}, nil
	}
	if keywords.MatchString(text) {
		return Store{}, keywordsFault()
	}
	if text == "" || strings.HasPrefix(text, "file:") || strings.Contains(text, "://") {
		return Store{}, fault.New("%s is not a file path", fault.Quote(text)).Hinting("name a file: copy.db, or a PostgreSQL database: postgres://user@host/evrun")
	}
	path, err := filepath.Abs(text)
	return Store{Path: path}, err
}
