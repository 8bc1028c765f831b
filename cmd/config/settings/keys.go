package settings

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"strings"
	"time"
	"unicode"

	"evrun/tasks/fault"
	"evrun/tasks/fields"
	"evrun/tasks/schedule/slots"
)

// Keys are the settings' own keys at the top of a file. A flag tag names the flag that overrides a setting.
type Keys struct {
	Store     storeKeys     `key:"store" other:"database,db" doc:"Where journal, runs and users are: a SQLite file, relative to this file, or the URL of a PostgreSQL database that several daemons may share. Default evrun.db."`
	Server    serverKeys    `key:"server" doc:"How the daemon is reached."`
	Node      nodeKeys      `key:"node" doc:"Who this daemon is among those that share a PostgreSQL store."`
	Log       logKeys       `key:"log" other:"logging" doc:"The daemon's log."`
	Retention retentionKeys `key:"retention" doc:"How long events are kept, with their runs. Dead and waiting runs keep theirs."`
	Timezone  zoneName      `key:"timezone" default:"UTC" other:"tz,zone,time_zone" doc:"Whose clock schedules follow that name no zone of their own: Europe/Paris."`
}

type storeKeys struct {
	Path        storePath   `key:"path,short" flag:"store" default:"evrun.db" other:"file" doc:"The SQLite file, relative to this file, or the URL of a PostgreSQL database: postgres://user@host/evrun."`
	MaxWAL      fields.Size `key:"wal_max" min:"16MiB" max:"1024GiB" default:"4GiB" doc:"How large SQLite's write-ahead log may become while another program reads the store: from there on nothing is accepted."`
	Synchronous string      `key:"synchronous" enum:"full,normal" default:"full" other:"sync" doc:"With SQLite. full: an acknowledged event survives a power cut. normal is faster, and perhaps loses the last moments."`
}

type serverKeys struct {
	Socket      FilePath      `key:"socket" flag:"socket" default:"evrun.sock" doc:"The control socket that emit and tail talk to; relative to this file."`
	SocketMode  socketMode    `key:"socket_mode" doc:"The socket's mode, in octal digits: who can write to it can connect. Default 0600, or 0660 with a socket_group."`
	SocketGroup group         `key:"socket_group" doc:"The socket's group, by name or number. Default that of evrun's user."`
	MaxEvent    fields.Size   `key:"max_event" min:"1KiB" max:"64MiB" default:"1MiB" other:"max_size" doc:"How much data an event may have: 512KiB, 1MiB, up to 64MiB."`
	Watch       bool          `key:"watch" default:"true" doc:"Read this file again when it changes, or a file that it includes or names: also one that appears where a pattern of include looks, or disappears."`
	Grace       time.Duration `key:"grace" default:"30s" doc:"How long a stop waits for running attempts."`

	Listen         listenAddress `key:"listen" flag:"listen" other:"address,http,bind" doc:"The TCP port for the HTTP API, hooks and metrics, as address and port: 127.0.0.1:7770. Without it the daemon has no TCP port. An address that other machines reach needs tls, or insecure: true."`
	TLS            tlsKeys       `key:"tls" other:"ssl,https" doc:"The certificate of the TCP port."`
	Insecure       bool          `key:"insecure" default:"false" doc:"Other machines may reach the TCP port without TLS: a proxy on the way has it, or the network is private."`
	Hosts          []hostName    `key:"hosts" other:"host,allowed_hosts,domains" doc:"More names that clients call the TCP port by: [evrun.example.com]. Its own address, localhost, 127.0.0.1 and ::1 are known."`
	Tokens         []tokenKeys   `key:"tokens" wiring:"true" hint:"begin each with a dash: - name: …" other:"api_keys,auth" doc:"Who may send requests by TCP, beside the owner with the token in evrun.token, and those that evrun token create made. A reload applies it."`
	TrustedProxies []Network     `key:"trusted_proxies" other:"proxies,trust_proxy" doc:"Addresses or networks of proxies, whose X-Forwarded-For says who sent a request: [10.0.0.0/8]."`
	MaxConnections int           `key:"max_connections" min:"10" max:"100000" default:"3000" doc:"How many connections may be open at the same time, on the socket and by TCP each. By TCP, one address has a quarter of them at most; addresses of this machine and trusted_proxies may have all."`
	MaxStreams     int           `key:"max_streams" min:"1" max:"100000" default:"1500" doc:"How many streams of events may be open at the same time, with the answers that wait for what an event causes; of bodies of NDJSON, 200 at most. A tenth of them is kept for the socket."`
}

type tlsKeys struct {
	Cert     FilePath `key:"cert" other:"certificate,cert_file,crt" doc:"The certificate with those between it and the root, in PEM; relative to this file. It is read again when it changes."`
	Key      FilePath `key:"key" other:"key_file,private_key" doc:"The private key of the certificate, in PEM; relative to this file."`
	ClientCA FilePath `key:"client_ca" other:"ca,client_ca_file" doc:"Certificates, in PEM, of who signs those of clients: then each client needs one, and its token as well."`
}

type logKeys struct {
	Level  string `key:"level" flag:"log-level" enum:"debug,info,warn,error" default:"info" doc:"What is logged."`
	Format string `key:"format" flag:"log-format" enum:"auto,text,json" default:"auto" doc:"How a line is written: text is key=value, and auto is text, or for people where a terminal shows it."`
}

type retentionKeys struct {
	Events keepFor  `key:"events" default:"30d" other:"age,max_age" doc:"Events that are older are deleted, with all that they caused, once all of it is settled. off: no event is deleted because of its age."`
	Size   keepSize `key:"size" min:"16MiB" max:"1048576GiB" default:"off" other:"max_size" doc:"The oldest settled events are deleted while the store uses more of its file: 512MiB, 10GiB. off: no bound."`
	Dedupe keepFor  `key:"dedupe" default:"30d" doc:"How long the source and id of a deleted event are still known, so that it is not accepted again. off: no longer than the event."`
}

// off turns a part of retention off.
const off = "off"

// keepFor is a duration, or 0 for off.
type keepFor time.Duration

func (k *keepFor) DecodeField(value any, at *fields.At) {
	text, ok := at.Scalar(value)
	if !ok || text == off {
		*k = 0
		return
	}
	d, f := fields.ParseDuration(text)
	switch {
	case text != "" && strings.Trim(text, "0") == "":
		at.Refuse(fault.New("%s is too short: it must be 1s or more", fault.Quote(text)).Hinting("write off to turn it off"))
	case text != "" && strings.Trim(text, "0123456789") == "":
		at.Refuse(fault.New("a duration needs a unit").Hinting("write %sd, if days are meant", text))
	case f != nil:
		at.Refuse(f)
	case d < time.Second:
		at.Refuse(fault.New("%s is too short: it must be 1s or more", fault.Quote(text)).Hinting("write off to turn it off"))
	}
	*k = keepFor(d)
}

func (*keepFor) FieldShape() fields.Shape {
	return fields.Shape{Words: "duration", Schema: map[string]any{"type": []any{"string", "boolean"}, "pattern": `^(off|[0-9.]+[a-zµ].*)$`}}
}

// keepSize is a size, or 0 for off.
type keepSize fields.Size

func (k *keepSize) DecodeField(value any, at *fields.At) {
	switch text, ok := at.Scalar(value); {
	case !ok || text == off:
	case text != "" && strings.Trim(text, "0") == "":
		at.Refuse(fault.New("%s is not a valid size", fault.Quote(text)).Hinting("write off to turn it off"))
	default:
		(*fields.Size)(k).DecodeField(value, at)
	}
}

func (*keepSize) FieldShape() fields.Shape {
	return fields.Shape{Words: "size", Schema: map[string]any{"type": []any{"string", "boolean"}, "pattern": `^(off|[0-9]{1,12}(\.[0-9]{1,3})? ?[A-Za-z]+)$`}}
}

// zoneName is the name of a time zone.
type zoneName string

func (z *zoneName) DecodeField(value any, at *fields.At) {
	text, ok := at.Scalar(value)
	if !ok {
		return
	}
	if text == "" {
		at.Fail("leave it out for UTC", "is empty")
		return
	}
	if _, err := slots.LoadZone(text); err != nil {
		f := *fault.Of(err)
		f.Path = nil
		at.Add(&f)
		return
	}
	*z = zoneName(text)
}

func (*zoneName) FieldShape() fields.Shape {
	return fields.Shape{Words: "text", Schema: map[string]any{"type": "string", "minLength": 1}}
}

// FilePath is the path of a file.
type FilePath string

func (p *FilePath) DecodeField(value any, at *fields.At) {
	text, ok := at.Text(value)
	if !ok {
		return
	}
	if f := badPath(text); f != nil {
		at.Refuse(f)
		return
	}
	*p = FilePath(text)
}

func (*FilePath) FieldShape() fields.Shape {
	return fields.Shape{Words: "path", Schema: map[string]any{"type": "string", "minLength": 1, "not": map[string]any{"pattern": Unexpanded().String()}}}
}

func badPath(text string) *fault.Fault {
	switch {
	case text == "":
		return fault.New("the path is empty")
	case strings.ContainsFunc(text, unicode.IsControl):
		return fault.New("the path has a control character in it")
	case strings.HasSuffix(text, "/"), text == ".", text == "..":
		return fault.New("%s is a directory", fault.Quote(text)).Hinting("name a file")
	}
	return nil
}

// socketMode is the mode of the socket: who can write to it can connect.
type socketMode os.FileMode

func (m *socketMode) DecodeField(value any, at *fields.At) {
	text, ok := at.Text(value)
	if !ok {
		return
	}
	n, err := strconv.ParseUint(text, 8, 32)
	if err != nil || len(text) > 4 || n&^0o666 != 0 || n&0o600 != 0o600 {
		at.Refuse(fault.New("%s is not a valid mode of a socket", fault.Quote(text)).
			Hinting(`write it in octal digits, in quotes: "0600" for evrun's user alone, "0660" for a group too`))
		return
	}
	*m = socketMode(n)
}

func (*socketMode) FieldShape() fields.Shape {
	return fields.Shape{Words: "mode", Schema: map[string]any{"type": "string", "pattern": `^0?6[0246][0246]$`}}
}

// group is the name or the number of a group of the system.
type group string

func (g *group) DecodeField(value any, at *fields.At) {
	text, ok := at.Text(value)
	if !ok {
		return
	}
	if _, err := LookupGroup(text); err != nil {
		at.Refuse(fault.New("%v", err))
		return
	}
	*g = group(text)
}

func (*group) FieldShape() fields.Shape {
	return fields.Shape{Words: "text", Schema: map[string]any{"type": "string", "minLength": 1}}
}

// LookupGroup gives the number of a group, which is named or is a number.
func LookupGroup(name string) (gid int, err error) {
	if n, err := strconv.ParseUint(name, 10, 31); err == nil {
		return int(n), nil
	}
	g, err := user.LookupGroup(name)
	if err != nil {
		return 0, fmt.Errorf("unknown group %s", fault.Quote(name))
	}
	return strconv.Atoi(g.Gid)
}
