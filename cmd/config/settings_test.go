package config

import (
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/spf13/pflag"

	"evrun/cmd/config/settings"
	"evrun/cmd/drivers"
)

func TestSettingsAreLayered(t *testing.T) {
	path := write(t, "store: file.db\nserver: {socket: file.sock, max_event: 2MiB, grace: 5s, hosts: [File.example], trusted_proxies: fd00::/8, insecure: true}\nlog: {level: warn}\nretention: {events: 7d}\ntimezone: Europe/Paris\n")
	const day = 24 * time.Hour
	dir := filepath.Dir(path)
	wd, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	flags := func(args ...string) *pflag.FlagSet {
		f := pflag.NewFlagSet("serve", pflag.ContinueOnError)
		f.String("store", "flagdefault.db", "")
		f.String("socket", "", "")
		f.String("log-level", "debug", "")
		f.String("log-format", "text", "")
		if err := f.Parse(args); err != nil {
			t.Fatal(err)
		}
		return f
	}
	env := func(pairs ...string) func(string) string {
		return func(name string) string {
			for i := 0; i < len(pairs); i += 2 {
				if pairs[i] == name {
					return pairs[i+1]
				}
			}
			return ""
		}
	}
	for name, test := range map[string]struct {
		env   func(string) string
		flags *pflag.FlagSet
		want  func(s *settings.Settings)
	}{
		"the file over the defaults":            {noEnv, nil, func(*settings.Settings) {}},
		"flags that were not given don't count": {noEnv, flags(), func(*settings.Settings) {}},
		"the environment over the file": {env("EVRUN_STORE", "env.db", "EVRUN_STORE_SYNCHRONOUS", "normal", "EVRUN_LOG_LEVEL", "error", "EVRUN_LOG_FORMAT", "json", "EVRUN_SERVER_GRACE", "1m",
			"EVRUN_SERVER_SOCKET", "/tmp/x.sock", "EVRUN_SERVER_MAX_EVENT", "1KiB", "EVRUN_RETENTION_EVENTS", "off", "EVRUN_RETENTION_SIZE", "10GiB",
			"EVRUN_SERVER_LISTEN", ":7770", "EVRUN_SERVER_TLS_CERT", "a.pem", "EVRUN_SERVER_TLS_KEY", "/b.pem", "EVRUN_SERVER_INSECURE", "false", "EVRUN_SERVER_HOSTS", "A.example, b.example,", "EVRUN_SERVER_TRUSTED_PROXIES", "10.0.0.1,::ffff:10.0.0.2",
			"EVRUN_SERVER_MAX_CONNECTIONS", "50",
			"EVRUN_RETENTION_DEDUPE", "1d12h", "EVRUN_TIMEZONE", "Asia/Tokyo"), nil, func(s *settings.Settings) {
			s.Store.Path, s.Store.Synchronous, s.Log.Level, s.Log.Format = filepath.Join(dir, "env.db"), "normal", slog.LevelError, "json"
			s.Grace, s.Server.Socket, s.Server.MaxEvent = time.Minute, "/tmp/x.sock", 1024
			s.Retention = settings.Retention{Size: 10 << 30, Dedupe: 36 * time.Hour}
			s.Timezone = "Asia/Tokyo"
			s.Server.Listen, s.Server.TLS = ":7770", settings.TLS{Cert: filepath.Join(dir, "a.pem"), Key: "/b.pem"}
			s.Server.Hosts, s.Server.TrustedProxies = []string{"a.example", "b.example"}, []netip.Prefix{netip.MustParsePrefix("10.0.0.1/32"), netip.MustParsePrefix("10.0.0.2/32")}
			s.Server.MaxConnections, s.Server.MaxStreams, s.Server.Insecure = 50, 50, false
		}},
		"flags over the environment": {env("EVRUN_STORE", "env.db", "EVRUN_LOG_LEVEL", "nonsense"), flags("--store=flag.db", "--log-level=debug"), func(s *settings.Settings) {
			s.Store.Path, s.Log.Level = filepath.Join(wd, "flag.db"), slog.LevelDebug
		}},
	} {
		for _, read := range []func(string, Options) (*Config, error){Load, LoadSettings} {
			c, err := read(path, Options{Getenv: test.env, Flags: test.flags})
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			want := settings.Settings{
				Store: settings.Store{Path: filepath.Join(dir, "file.db"), MaxWAL: 4 << 30, Synchronous: "full"},
				Server: settings.Server{Socket: filepath.Join(dir, "file.sock"), SocketMode: 0o600, MaxEvent: 2 << 20, Watch: true, MaxConnections: 3000, MaxStreams: 1500, Insecure: true,
					Hosts: []string{"file.example"}, TrustedProxies: []netip.Prefix{netip.MustParsePrefix("fd00::/8")}},
				Log: settings.Log{Level: slog.LevelWarn, Format: "auto"}, Grace: 5 * time.Second,
				Retention: settings.Retention{Events: 7 * day, Dedupe: 30 * day},
				Timezone:  "Europe/Paris",
			}
			test.want(&want)
			if !reflect.DeepEqual(c.Settings, want) {
				t.Errorf("%s:\ngot  %+v\nwant %+v", name, c.Settings, want)
			}
		}
	}

	_, err = Load(path, Options{Getenv: env("EVRUN_RETENTION_EVENTS", "30", "EVRUN_SERVER_GRACE", "5", "EVRUN_LOG_FORMAT", "$FORMAT", "EVRUN_SERVER_WATCH", "FALSE", "EVRUN_TIMEZONE", "Mars", "EVRUN_SERVER_LISTEN", "0.0.0.0:80", "EVRUN_SERVER_HOSTS", "a.example,$HOST", "EVRUN_SERVER_INSECURE", "false", "EVRUN_SERVER_TRUSTED_PROXIES", "10.0.0.0/8,x"), Flags: flags("--store=", "--log-level=loud", "--socket=/"+strings.Repeat("x", 107))})
	text := err.Error()
	for _, want := range []string{
		`EVRUN_TIMEZONE: unknown time zone "Mars"`, "--store: the path is empty", "EVRUN_RETENTION_EVENTS: a duration needs a unit",
		"EVRUN_LOG_FORMAT: $FORMAT is not replaced by anything here", "EVRUN_SERVER_GRACE: a duration needs a unit", `EVRUN_SERVER_WATCH: it must be true or false, not the text "FALSE" (write false)`, "--socket: the socket's path has 108 bytes",
		`EVRUN_SERVER_LISTEN: other machines can reach 0.0.0.0:80`, `EVRUN_SERVER_HOSTS: $HOST is not replaced`, `EVRUN_SERVER_TRUSTED_PROXIES: "x" is not a valid network`,
		`--log-level: it must be debug, info, warn or error, not "loud"`,
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in:\n%s", want, text)
		}
	}
}

func TestTheDefaultSocketInADeepFolderIsTooLong(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("deep/", 30))
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "evrun.yaml")
	if err := os.WriteFile(path, []byte("store: a.db\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(path, Options{Getenv: noEnv, Parsers: drivers.Parsers})
	if f := faults(t, err); len(f) != 1 || f[0].Line != 1 || !strings.Contains(f[0].Hint, "server.socket") {
		t.Errorf("%+v", f)
	}
}

func TestClientsDoNotMindTheWiring(t *testing.T) {
	c, err := LoadSettings(write(t, "store: x.db\nhandlers: [{name: }, 5]\nnonsense: 1\ntests: 5\n"), Options{Getenv: noEnv, Parsers: drivers.Parsers})
	if err != nil || filepath.Base(c.Settings.Store.Path) != "x.db" || c.Wiring.Handlers != nil {
		t.Errorf("%+v, %v", c, err)
	}
	for _, text := range []string{"store: 5\n", "store: x.db\nhandlers: [\n", ""} {
		if _, err := LoadSettings(write(t, text), Options{Getenv: noEnv, Parsers: drivers.Parsers}); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}
