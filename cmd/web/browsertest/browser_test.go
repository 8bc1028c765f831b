// Package browsertest opens the dashboard of a real daemon in a real Chromium. It has tests only.
//
// What holds for every page is checked over the table in pages_test.go: a page that is not in it fails. The ten tasks are in tasks_test.go.
// Without Chromium on the PATH the tests are skipped, unless EVRUN_REQUIRE names chromium.
//
//	EVRUN_SCREENSHOTS=DIR go test -run 'TestPages$' ./cmd/web/browsertest   writes each page as light, dark and narrow PNG
//	EVRUN_BIG_STORE=DIR go test -timeout 30m -run 'TestMakeTheBigStore|TestTheBigStore' -v ./cmd/web/browsertest   prints how long each page takes there
//	EVRUN_WINDOW_HOUR=1h go test -timeout 2h -run TestAnHourOfEvents -v ./cmd/web/browsertest   watches the memory of the page Live
package browsertest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/chromedp/chromedp"

	"evrun/cmd"
)

// daemonName is the name under which this test binary is called as evrun.
const daemonName = "evrun"

// chromium is the browser of all tests; it is started by the first one that asks for it.
var chromium struct {
	sync.Mutex
	ctx  context.Context
	ends []context.CancelFunc
}

func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == daemonName {
		os.Exit(cmd.Main(nil, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
	}
	code := m.Run()
	for _, end := range chromium.ends {
		end()
	}
	os.Exit(code)
}

// browser returns the context of a running Chromium, and skips the test where there is none.
func browser(t *testing.T) context.Context {
	t.Helper()
	if testing.Short() {
		t.Skip("a proof with daemons and a browser: runs without -short")
	}
	chromium.Lock()
	defer chromium.Unlock()
	if chromium.ctx != nil {
		return chromium.ctx
	}
	path, err := lookPath("chromium", "chromium-browser", "google-chrome", "chrome")
	if err != nil {
		unable(t, "chromium", err)
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.NoSandbox, chromedp.WindowSize(1280, 900), chromedp.Flag("hide-scrollbars", true), chromedp.Flag("force-color-profile", "srgb"),
		chromedp.Flag("enable-precise-memory-info", true), chromedp.Flag("enable-blink-features", "ForceEagerMeasureMemory"))
	allocator, end := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, stop := chromedp.NewContext(allocator)
	if err := chromedp.Do(ctx); err != nil {
		stop()
		end()
		unable(t, "chromium", err)
	}
	chromium.ctx, chromium.ends = ctx, []context.CancelFunc{stop, end}
	return ctx
}

func lookPath(names ...string) (string, error) {
	var errs []error
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err == nil {
			return path, nil
		}
		errs = append(errs, err)
	}
	return "", errors.Join(errs...)
}

// unable skips a test that this machine doesn't allow, or fails it if EVRUN_REQUIRE names the missing thing.
func unable(t *testing.T, what string, err error) {
	t.Helper()
	for name := range strings.SplitSeq(os.Getenv("EVRUN_REQUIRE"), ",") {
		if name == what {
			t.Fatalf("%s is required, but: %v", what, err)
		}
	}
	t.Skipf("NOT PROVEN HERE, for want of %s: %v", what, err)
}

// here is the directory of these tests.
func here() string {
	_, self, _, _ := runtime.Caller(0)
	return filepath.Dir(self)
}

// axeSource is the source of axe-core, which .ci/clients has; empty where npm hasn't installed it.
func axeSource(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(here(), "../../../.ci/clients/node_modules/axe-core/axe.min.js"))
	if err != nil {
		t.Run("axe", func(t *testing.T) {
			unable(t, "node", fmt.Errorf("npm ci --prefix .ci/clients hasn't been run: %w", err))
		})
	}
	return string(text)
}
