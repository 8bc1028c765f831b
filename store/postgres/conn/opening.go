package conn

import (
	"crypto/tls"
	"errors"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"evrun/store"
)

// oldest is the first version of PostgreSQL that has all that evrun needs of it.
const oldest = 14

// errOld: the server is too old.
var errOld = errors.New("evrun needs PostgreSQL " + strconv.Itoa(oldest) + " or later")

// errEncoding: texts of events may have any character.
var errEncoding = errors.New("the database's encoding is not UTF8")

// Fit returns an error for a server that is too old, and for a database in another encoding. It asks nothing: the server has said both.
func Fit(c *pgx.Conn) error {
	version := c.PgConn().ParameterStatus("server_version")
	if digits := strings.IndexFunc(version, func(r rune) bool { return r < '0' || r > '9' }); digits > 0 {
		if n, err := strconv.Atoi(version[:digits]); err == nil && n < oldest {
			return &store.OpenError{Err: errOld, Hint: "the server has version " + version + ": upgrade it, or name another one"}
		}
	}
	if encoding := c.PgConn().ParameterStatus("server_encoding"); encoding != "" && encoding != "UTF8" {
		return &store.OpenError{Err: errEncoding, Hint: "it is " + encoding + ": CREATE DATABASE … ENCODING UTF8 TEMPLATE template0"}
	}
	return nil
}

// Opening translates an error of opening a store, or of making a connection, into a [store.OpenError]; others stay as they are.
func Opening(err error) error {
	if err == nil {
		return nil
	}
	if _, done := errors.AsType[*store.OpenError](err); done {
		return err
	}
	if parse, ok := errors.AsType[*pgconn.ParseConfigError](err); ok {
		return &store.OpenError{Err: tidied{parse}, Hint: "see what the parameters of the address name: files must exist, and be readable by evrun's user"}
	}
	connect, connecting := errors.AsType[*pgconn.ConnectError](err)
	if connecting {
		err = tidied{err}
	}
	switch code := Code(err); {
	case code == "28P01" || code == "28000":
		hint := "see that the user and the password are right, and that pg_hba.conf lets them in from this machine"
		if connecting && connect.Config.Password == "" {
			hint = "no password was found: name a file that has it (passfile=pgpass, with lines host:port:database:user:password; of several hosts, the first one's), or set PGPASSWORD"
		}
		return &store.OpenError{Err: err, Hint: hint}
	case code == "3D000":
		return &store.OpenError{Err: err, Hint: "make it: CREATE DATABASE … OWNER …"}
	case code == InsufficientPrivilege:
		return &store.OpenError{Err: err, Hint: "its user must own the database, and the schema evrun with its tables: ALTER DATABASE … OWNER TO …"}
	case isCertificate(err):
		return &store.OpenError{Err: err, Hint: "sslrootcert=FILE names the certificate of who signed the server's; with sslmode=verify-full the host must be one of its names"}
	case connecting && strings.Contains(err.Error(), "refused TLS"):
		return &store.OpenError{Err: err, Hint: "the server has no TLS: switch it on there (ssl = on), or leave sslmode out of the address"}
	case connecting, Away(err):
		return &store.OpenError{Err: err, Passes: true, Hint: "see that the server is up, and that the host and the port are right"}
	}
	return err
}

func isCertificate(err error) bool {
	_, ok := errors.AsType[*tls.CertificateVerificationError](err)
	return ok
}

// Tidy returns an error of making a connection with each reason once, and on one line; others stay as they are.
func Tidy(err error) error {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return tidied{err}
	}
	return err
}

// tidied is an error of making a connection, with each reason once, and on one line.
type tidied struct{ error }

func (t tidied) Unwrap() error { return t.error }

func (t tidied) Error() string {
	text := t.error.Error()
	if _, reasons, ok := strings.Cut(text, "`:"); ok && strings.Contains(text, "failed to connect to `") {
		text = reasons
	}
	var lines []string
	for line := range strings.SplitSeq(text, "\n") {
		line = strings.TrimSpace(line)
		if line != "" && !slices.ContainsFunc(lines, func(l string) bool { return strings.Contains(l, line) }) {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines, "; ")
}
