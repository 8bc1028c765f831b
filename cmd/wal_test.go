package cmd_test

import (
	"bufio"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"evrun/events"
)

// readerName is another program that reads a store in a transaction of its own, until its input ends.
const readerName = "evrun-proof-reader"

func readStore() {
	db, err := sql.Open("sqlite", "file:"+os.Args[1]+"?mode=ro")
	if err != nil {
		panic(err)
	}
	tx, err := db.Begin()
	if err != nil {
		panic(err)
	}
	var n int
	if err := tx.QueryRow(`SELECT count(*) FROM events`).Scan(&n); err != nil {
		panic(err)
	}
	fmt.Println("reading")
	_, _ = io.Copy(io.Discard, os.Stdin)
	os.Exit(0)
}

// startReader starts another program, and returns when that reads the store. It goes on until end, which waits for it.
func startReader(t *testing.T, dir string) (pid int, end func()) {
	t.Helper()
	reader := exec.Command(self(t, dir, readerName), filepath.Join(dir, "evrun.db"))
	input, err := reader.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	output, err := reader.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := reader.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = reader.Process.Kill() })
	if line, err := bufio.NewReader(output).ReadString('\n'); err != nil || line != "reading\n" {
		t.Fatalf("%q, %v", line, err)
	}
	return reader.Process.Pid, func() {
		input.Close()
		_ = reader.Wait()
	}
}

// foreignReaderFillsNoDisk: while another program keeps a transaction open, the write-ahead log grows only to its bound; status, metrics and log
// report it and name the program. When the program has ended, the space is freed and events are accepted again. Every event that was acknowledged
// meanwhile is stored.
func foreignReaderFillsNoDisk(t *testing.T) {
	t.Parallel()
	const bound = 16 << 20
	dir := wired(t, "store: {path: evrun.db, wal_max: 16MiB}\nhandlers: []\n")
	d := serve(t, dir, nil)
	d.ready(t)
	accept := func(id string) error {
		_, err := d.client.Emit(t.Context(), &events.Event{Type: "a.b", ID: id, Source: "/test",
			Data: fmt.Appendf(nil, "%q", strings.Repeat("x", 1<<19))})
		return err
	}
	if err := accept("first"); err != nil {
		t.Fatal(err)
	}
	pid, end := startReader(t, dir)
	accepted, err := 0, error(nil)
	eventuallyTrue(t, "nothing more is accepted", func() (bool, string) {
		if err = accept(fmt.Sprint(accepted)); err == nil {
			accepted++
		}
		return err != nil, fmt.Sprint(accepted)
	})
	if !strings.Contains(err.Error(), "nothing more is accepted: the write-ahead log has grown to") {
		t.Fatal(err)
	}
	holder := fmt.Sprintf("process %d (", pid)
	type walStatus struct {
		WAL struct {
			Bytes, Max int64
			Held, Full bool
			Holders    []string
		}
	}
	var status walStatus
	out, code := run(t, dir, "emit", "a.b")
	if code != exitTryAgain || !strings.Contains(out, "store.wal_max is 16 MiB") {
		t.Errorf("exit %d: %s", code, out)
	}
	eventuallyTrue(t, "the status names the program", func() (bool, string) {
		d.get(t, "/v1/status", &status)
		text, _ := json.Marshal(status.WAL)
		named := runtime.GOOS != "linux" || strings.Contains(strings.Join(status.WAL.Holders, " "), holder)
		return status.WAL.Full && status.WAL.Held && named, string(text)
	})
	if status.WAL.Bytes < bound || status.WAL.Max != bound {
		t.Errorf("%+v", status.WAL)
	}
	if out, _ := run(t, dir, "status"); !strings.Contains(out, "nothing more is accepted: the store is being read for long") {
		t.Error(out)
	}
	if text := metricsOf(t, dir); !strings.Contains(text, "evrun_store_wal_full 1") || !strings.Contains(text, "evrun_store_wal_held 1") {
		t.Error(text)
	}

	end()
	eventuallyTrue(t, "the space is given back", func() (bool, string) {
		info, err := os.Stat(filepath.Join(dir, "evrun.db-wal"))
		return err == nil && info.Size() < bound/4, fmt.Sprint(info.Size(), err)
	})
	eventuallyTrue(t, "events are accepted again", func() (bool, string) {
		err := accept("again")
		return err == nil, fmt.Sprint(err)
	})
	var after walStatus
	if d.get(t, "/v1/status", &after); after.WAL.Full || after.WAL.Held {
		t.Errorf("%+v", after.WAL)
	}
	for i := range accepted {
		var e map[string]any
		d.get(t, fmt.Sprintf("/v1/events/%d", i), &e)
	}
	d.stop(t)
	for _, want := range []string{"level=WARN msg=\"store: nothing more is accepted", "store: the write-ahead log's space was given back"} {
		if !strings.Contains(d.log.String(), want) {
			t.Errorf("the log has no %q:\n%s", want, d.log)
		}
	}
}
