package cmd_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// sample is what a soak's daemon uses at a moment.
type sample struct {
	at                                                 time.Duration
	file, used, wal, memory, fds, goroutines, children float64
}

// sampled are the measures that must be steady: how much each may grow over the second half of a soak, as a part of its mean and in all.
var sampled = []struct {
	name string
	of   func(*sample) float64
	part float64
	most float64
}{
	{"bytes in use of the store's file", func(s *sample) float64 { return s.used }, 0.05, 1 << 20},
	{"bytes of the store's file", func(s *sample) float64 { return s.file }, 0.05, 16 << 20}, // the free pages that are never given back
	{"bytes of the write-ahead log", func(s *sample) float64 { return s.wal }, 0.1, 8 << 20},
	{"bytes of memory", func(s *sample) float64 { return s.memory }, 0.1, 16 << 20},
	{"descriptors", func(s *sample) float64 { return s.fds }, 0.1, 4},
	{"goroutines", func(s *sample) float64 { return s.goroutines }, 0.1, 10},
	{"child processes", func(s *sample) float64 { return s.children }, 0.1, 3},
}

var gauges = regexp.MustCompile(`(?m)^(go_goroutines|evrun_store_file_bytes|evrun_store_free_bytes) (\S+)`)

// look takes a sample; ok is false while the daemon doesn't answer.
func (s *soak) look() (m sample, ok bool) {
	m.at = time.Since(s.begun)
	res, err := (&http.Client{Transport: s.transport(), Timeout: 5 * time.Second}).Get("http://evrun/metrics")
	if err != nil {
		return m, false
	}
	var text bytes.Buffer
	_, err = text.ReadFrom(res.Body)
	res.Body.Close()
	is := map[string]float64{}
	for _, gauge := range gauges.FindAllStringSubmatch(text.String(), -1) {
		is[gauge[1]], _ = strconv.ParseFloat(gauge[2], 64)
	}
	if err != nil || len(is) < 3 {
		return m, false
	}
	m.goroutines, m.used = is["go_goroutines"], is["evrun_store_file_bytes"]-is["evrun_store_free_bytes"]
	proc := fmt.Sprintf("/proc/%d/", s.d.cmd.Process.Pid)
	status, err := os.ReadFile(proc + "status")
	fds, err2 := os.ReadDir(proc + "fd")
	if err != nil || err2 != nil {
		return m, false
	}
	for line := range strings.Lines(string(status)) {
		if rest, found := strings.CutPrefix(line, "RssAnon:"); found {
			kib, _ := strconv.ParseFloat(strings.Fields(rest)[0], 64)
			m.memory = kib * 1024
		}
	}
	m.fds = float64(len(fds))
	children, _ := filepath.Glob(proc + "task/*/children")
	for _, name := range children {
		list, _ := os.ReadFile(name)
		m.children += float64(len(strings.Fields(string(list))))
	}
	for name, into := range map[string]*float64{"evrun.db": &m.file, "evrun.db-wal": &m.wal} {
		if info, err := os.Stat(filepath.Join(s.dir, name)); err == nil {
			*into = float64(info.Size())
		}
	}
	return m, true
}

// steady checks that nothing grows over the second half: the line that fits the samples best rises by less than the bounds.
func (s *soak) steady(t *testing.T) {
	t.Helper()
	var half []sample
	for _, m := range s.samples {
		if m.at > s.length/2 {
			half = append(half, m)
		}
	}
	if len(half) < 10 {
		t.Fatalf("%d samples of the second half", len(half))
	}
	for _, q := range sampled {
		growth, mean, most := fitted(half, q.of)
		text := fmt.Sprintf("%s: %.0f on average over the second half, %.0f at most, growth %+.0f (%+.1f %%)", q.name, mean, most, growth, 100*growth/max(mean, 1))
		if growth > q.part*mean+q.most && s.long() {
			t.Error(text)
		} else {
			t.Log(text)
		}
	}
}

// fitted fits a line, and returns how much it grows from the first sample to the last one, with mean and maximum.
func fitted(list []sample, of func(*sample) float64) (growth, mean, most float64) {
	var at, n, above, squares float64
	for i := range list {
		at += list[i].at.Seconds()
		mean += of(&list[i])
		most = max(most, of(&list[i]))
		n++
	}
	at, mean = at/n, mean/n
	for i := range list {
		x := list[i].at.Seconds() - at
		above += x * (of(&list[i]) - mean)
		squares += x * x
	}
	return above / max(squares, 1e-9) * (list[len(list)-1].at - list[0].at).Seconds(), mean, most
}
