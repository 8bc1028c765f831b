package cmd_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// clients is where the programs are that test evrun with the libraries of others. .ci/run installs these libraries.
const clients = "../.ci/clients"

// clientsWiring is that of their daemon.
const clientsWiring = "store: evrun.db\nserver: {socket: evrun.sock}\n"

// node runs one of the programs in JavaScript against a daemon.
func node(t *testing.T, script, address string, env ...string) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(clients, "node_modules", ".package-lock.json")); err != nil {
		unable(t, "node", fmt.Errorf("npm ci --prefix .ci/clients hasn't been run: %w", err))
	}
	c := exec.Command("node", script, address)
	c.Dir, c.Env = clients, append(os.Environ(), env...)
	if text, err := c.CombinedOutput(); err != nil {
		t.Errorf("node %s: %v\n%s", script, err, text)
	} else {
		t.Logf("%s", text)
	}
}

// goClient builds a program in Go, a module of its own, from modules that were downloaded before. what is its name in EVRUN_REQUIRE.
func goClient(t *testing.T, module, what string) (bin string) {
	t.Helper()
	bin = filepath.Join(t.TempDir(), "client")
	c := exec.Command("go", "build", "-o", bin, ".")
	c.Dir, c.Env = filepath.Join(clients, module), append(os.Environ(), "GOPROXY=off", "GOFLAGS=-mod=readonly")
	if text, err := c.CombinedOutput(); err != nil {
		unable(t, what, fmt.Errorf("go -C .ci/clients/%s mod download hasn't been run: %w\n%s", module, err, text))
	}
	return bin
}

// The CloudEvents SDKs send events in every mode to the real daemon, and read them back: on its socket, and by TCP with the owner's token.
func TestTheCloudEventsSDKsSendAndRead(t *testing.T) {
	proof(t)
	start := func(t *testing.T, wiring string) *daemon {
		d := serve(t, wired(t, wiring), nil)
		d.ready(t)
		t.Cleanup(func() { d.stop(t) })
		return d
	}
	for name, address := range map[string]func(*testing.T) (address, token string){
		"socket": func(t *testing.T) (string, string) {
			return "unix:" + filepath.Join(start(t, clientsWiring).dir, "evrun.sock"), ""
		},
		"tcp": func(t *testing.T) (string, string) {
			return start(t, streamsWiring).tcp(t)
		},
	} {
		t.Run("go on "+name, func(t *testing.T) {
			bin := goClient(t, "go", "cloudevents")
			address, token := address(t)
			c := exec.Command(bin, address)
			c.Env = append(os.Environ(), "EVRUN_TOKEN="+token)
			if text, err := c.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, text)
			} else {
				t.Logf("%s", text)
			}
		})
		t.Run("javascript on "+name, func(t *testing.T) {
			address, token := address(t)
			node(t, "cloudevents.mjs", address, "EVRUN_TOKEN="+token)
		})
	}
}

// The library of Standard Webhooks for JavaScript signs what a hook takes, and verifies what a handler signs.
func TestTheLibraryOfStandardWebhooksSignsAndVerifies(t *testing.T) {
	proof(t)
	dir := wired(t, `
store: evrun.db
server: {socket: evrun.sock}
hooks:
  - name: in
    verify: {scheme: standard-webhooks, secret: '${ env("WEBHOOK_SECRET") }'}
    type: came.in
handlers:
  - name: out
    on: came.in
    do: http
    with: {url: "${ data.url }", allow_private: true, sign: {scheme: standard-webhooks, secret: '${ env("WEBHOOK_SECRET") }'}}
    timeout: 10s
    retry: {attempts: 5, backoff: 100ms}
`)
	secret := "WEBHOOK_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
	d := serve(t, dir, []string{secret})
	d.ready(t)
	t.Cleanup(func() { d.stop(t) })
	node(t, "webhooks.mjs", "unix:"+filepath.Join(dir, "evrun.sock"), secret)
}
