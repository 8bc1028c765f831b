// Package checkup asks a PostgreSQL server whether a store is in good hands there: its version, its durability, its replicas, the role's rights, upkeep of
// evrun's tables, connections, what stands between, the clock, and how the connection is protected. It changes nothing. No goroutines.
//
//	for _, f := range checkup.Examine(ctx, address) { … }
package checkup

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/jackc/pgx/v5"

	"evrun/store"
	"evrun/store/postgres/conn"
)

// Level is how bad a finding is.
type Level int8

// The levels of findings.
const (
	OK      Level = iota
	Warning       // it works, but may fail soon, or is at risk
	Error
)

// Finding is one thing that was looked at.
type Finding struct {
	Check string // server, commits, replicas, rights, upkeep, sessions, clock, wire, pooler
	Level Level
	Text  string
	Hint  string // what to do
}

// Examine returns what it finds. What can't be looked at is a finding, too.
func Examine(ctx context.Context, address string) []Finding {
	pool, err := conn.ParsePool(address)
	if err != nil {
		return []Finding{{Check: "server", Level: Error, Text: err.Error()}}
	}
	config := pool.ConnConfig
	config.DefaultQueryExecMode = pgx.QueryExecModeExec // nothing that a pooler could lose
	c, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		err = conn.Opening(err)
		found := Finding{Check: "server", Level: Error, Text: err.Error()}
		if opening, ok := errors.AsType[*store.OpenError](err); ok {
			found.Hint = opening.Hint
		}
		return []Finding{found}
	}
	defer c.Close(context.WithoutCancel(ctx))
	x := &examination{ctx: ctx, c: c, each: conn.PerDaemon(pool.MaxConns)}
	for _, check := range []struct {
		name string
		do   func() error
	}{
		{"server", x.server}, {"commits", x.durability}, {"replicas", x.replicas}, {"rights", x.rights}, {"upkeep", x.upkeep}, {"upkeep", x.bloat},
		{"sessions", x.connections}, {"clock", x.clock}, {"wire", x.tls}, {"pooler", x.pooler},
	} {
		if ctx.Err() != nil {
			break
		}
		if err := check.do(); err != nil {
			x.add(check.name, Warning, "", "the server can't say: %v", err)
		}
	}
	return x.found
}

type examination struct {
	ctx   context.Context
	c     *pgx.Conn
	each  int // connections that a daemon may have open when it is busy
	found []Finding
}

func (x *examination) add(check string, level Level, hint, format string, args ...any) {
	x.found = append(x.found, Finding{Check: check, Level: level, Text: fmt.Sprintf(format, args...), Hint: hint})
}

// row reads one row.
func (x *examination) row(query string, into ...any) error {
	return x.c.QueryRow(x.ctx, query).Scan(into...)
}

func (x *examination) server() error {
	var number int
	var version, encoding, database string
	var standby bool
	err := x.row(`SELECT current_setting('server_version_num')::int, current_setting('server_version'), pg_encoding_to_char(encoding), datname::text, pg_is_in_recovery()
		FROM pg_database WHERE datname = current_database()`, &number, &version, &encoding, &database, &standby)
	switch {
	case err != nil:
		return err
	case number < 140000:
		x.add("server", Error, "upgrade it", "PostgreSQL %s is too old: evrun needs version 14 or later", version)
	case encoding != "UTF8":
		x.add("server", Error, "make a database with ENCODING 'UTF8' TEMPLATE template0", "the database %s has the encoding %s: it can't keep all texts", database, encoding)
	case standby:
		x.add("server", Error, "name all servers in the address, with target_session_attrs=read-write", "PostgreSQL %s is a standby: it can't be written", version)
	default:
		x.add("server", OK, "", "PostgreSQL %s, database %s", version, database)
	}
	return nil
}

// durability looks at what an acknowledgement is worth.
func (x *examination) durability() error {
	var fsync, pages bool
	var commit string
	if err := x.row(`SELECT current_setting('fsync')::bool, current_setting('full_page_writes')::bool, current_setting('synchronous_commit')`, &fsync, &pages, &commit); err != nil {
		return err
	}
	switch {
	case !fsync:
		x.add("commits", Error, "ALTER SYSTEM SET fsync = on", "fsync is off: a crash of the machine can destroy the database")
	case commit == "off":
		x.add("commits", Error, "ALTER DATABASE … SET synchronous_commit = on", "synchronous_commit is off: what others commit may be lost in a crash; evrun's own sessions switch it on")
	case !pages:
		x.add("commits", Warning, "ALTER SYSTEM SET full_page_writes = on, unless the file system never writes a page in part", "full_page_writes is off: a power cut can destroy pages")
	default:
		x.add("commits", OK, "", "commits are on disk when they are acknowledged (synchronous_commit = %s)", commit)
	}
	return nil
}

// replicas looks at what is left when the server's disk is gone.
func (x *examination) replicas() error {
	var names, commit, archive string
	var all, synchronous int
	err := x.row(`SELECT current_setting('synchronous_standby_names'), current_setting('synchronous_commit'), current_setting('archive_mode'),
		(SELECT count(*) FROM pg_stat_replication), (SELECT count(*) FROM pg_stat_replication WHERE sync_state IN ('sync', 'quorum'))`, &names, &commit, &archive, &all, &synchronous)
	switch {
	case err != nil:
		return err
	case names != "" && commit == "local":
		x.add("replicas", Warning, "set synchronous_commit to on", "synchronous_commit is local: commits don't wait for the standby, and a failover can lose the last of them")
	case names != "" && all == 0:
		x.add("replicas", Error, "bring a standby up, or take it out of synchronous_standby_names", "commits wait for a synchronous standby (%s), and none is connected", names)
	case names != "":
		x.add("replicas", OK, "", "commits wait for a standby (%s); %d connected", names, all)
	case all > 0:
		x.add("replicas", Warning, "synchronous_standby_names makes commits wait for one: a failover loses nothing then", "%d connected, none synchronous: a failover can lose the last commits", all)
	case archive == "off":
		x.add("replicas", Warning, "add a standby (Patroni does so), or archive the WAL", "no standby and no WAL archive: this server's disk has the only copy")
	default:
		x.add("replicas", OK, "", "no standby; the WAL is archived")
	}
	return nil
}

// rights looks at what the role may do, too much and too little.
func (x *examination) rights() error {
	var role string
	var super, exists bool
	if err := x.row(`SELECT rolname::text, rolsuper, to_regnamespace('evrun') IS NOT NULL FROM pg_roles WHERE rolname = current_user`, &role, &super, &exists); err != nil {
		return err
	}
	var foreign, tables int
	var create, make bool
	err := x.row(`SELECT (SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace('evrun') AND relkind IN ('r', 'p') AND NOT pg_has_role(relowner, 'USAGE')),
		(SELECT count(*) FROM pg_class WHERE relnamespace = to_regnamespace('evrun')),
		has_database_privilege(current_database(), 'CREATE'),
		EXISTS (SELECT FROM pg_namespace WHERE nspname IN (current_user, 'public') AND has_schema_privilege(oid, 'CREATE'))`, &foreign, &tables, &create, &make)
	switch {
	case err != nil:
		return err
	case !exists && !create:
		x.add("rights", Error, fmt.Sprintf("GRANT CREATE ON DATABASE … TO %s", role), "the role %s can't make evrun's schema", role)
	case foreign > 0:
		x.add("rights", Error, fmt.Sprintf("let %s own the schema evrun and its tables, or be a member of the role that does", role), "%d of evrun's tables belong to another role", foreign)
	case super:
		x.add("rights", Warning, "a role of its own needs no more than to own its database: CREATE ROLE evrun LOGIN; ALTER DATABASE … OWNER TO evrun",
			"the role %s is a superuser: an sql handler may read everything, and only evrun's own check bounds what it writes", role)
	case !make:
		x.add("rights", Warning, fmt.Sprintf("GRANT CREATE ON SCHEMA public TO %s", role), "the role %s can make no tables outside of the schema evrun: migrate can't make any", role)
	default:
		x.add("rights", OK, "", "the role %s owns what it needs", role)
	}
	return nil
}

// connections compares what the server has to give with what daemons need.
func (x *examination) connections() error {
	var most, reserved, used, role, database, daemons int
	err := x.row(`SELECT current_setting('max_connections')::int, current_setting('superuser_reserved_connections')::int,
		(SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend' OR backend_type IS NULL), (SELECT rolconnlimit FROM pg_roles WHERE rolname = current_user),
		(SELECT datconnlimit FROM pg_database WHERE datname = current_database())`, &most, &reserved, &used, &role, &database)
	if err != nil {
		return err
	}
	if err := x.row(`SELECT count(*) FROM evrun.nodes`, &daemons); err != nil {
		daemons = 0 // there is no store yet; tables that this role can't read are a finding of their own
	}
	most -= reserved
	for _, limit := range []int{role, database} {
		if limit >= 0 {
			most = min(most, limit)
		}
	}
	need := max(daemons, 1) * x.each
	if need > most || used > most*9/10 {
		x.add("sessions", Warning, "raise max_connections, or the CONNECTION LIMIT of the role or database; pgbouncer in session mode saves none",
			"%d of %d connections are in use; a daemon may take %d, and there are %d", used, most, x.each, max(daemons, 1))
		return nil
	}
	x.add("sessions", OK, "", "%d of %d connections are in use; a daemon may take %d", used, most, x.each)
	return nil
}

// clock compares the server's clock with this machine's. Leases hold by the server's, schedules fire by that of the daemon.
func (x *examination) clock() error {
	var at time.Time
	began := time.Now()
	if err := x.row(`SELECT clock_timestamp()`, &at); err != nil {
		return err
	}
	trip := time.Since(began)
	ahead := began.Add(trip / 2).Sub(at)
	switch off := ahead.Abs() - trip/2; {
	case off > time.Second:
		x.add("clock", Warning, "keep both in time, as with chrony", "this machine's clock is %v %s the server's: schedules fire by it", ahead.Abs().Round(10*time.Millisecond), map[bool]string{true: "ahead of", false: "behind"}[ahead > 0])
	default:
		x.add("clock", OK, "", "within %v of the server's", max(ahead.Abs(), trip/2, time.Millisecond).Round(time.Millisecond))
	}
	return nil
}

// tls looks at who could read or change what goes over the wire.
func (x *examination) tls() error {
	at := x.c.PgConn().Conn().RemoteAddr()
	tcp, remote := at.(*net.TCPAddr)
	if _, encrypted := x.c.PgConn().Conn().(*tls.Conn); !encrypted {
		switch {
		case !remote:
			x.add("wire", OK, "", "a Unix socket")
		case tcp.IP.IsLoopback():
			x.add("wire", OK, "", "not encrypted, on this machine alone")
		default:
			x.add("wire", Warning, "add sslmode=verify-full to the address, and sslrootcert=FILE", "the connection to %s is not encrypted", at)
		}
		return nil
	}
	if config := x.c.Config().TLSConfig; config == nil || config.InsecureSkipVerify && config.VerifyPeerCertificate == nil && config.VerifyConnection == nil {
		level := Warning
		if remote && tcp.IP.IsLoopback() {
			level = OK
		}
		x.add("wire", level, "add sslmode=verify-full to the address, and sslrootcert=FILE", "encrypted, but anybody between could claim to be the server: its certificate is not verified")
		return nil
	}
	x.add("wire", OK, "", "encrypted, and the server's certificate is verified")
	return nil
}
