package web

import (
	"bytes"
	"encoding/json"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"evrun/cmd/output"
	"evrun/events"
)

// spoken are values, and what the modules in lib/ write for them.
type spoken struct {
	Nanos   []int64  `json:"nanos"`
	Numbers []int64  `json:"numbers"`
	Texts   []string `json:"texts"`
}

const speak = `
import { ago, duration, number, until } from './static/lib/format.js'
import { visible } from './static/lib/brief.js'
let text = ''
for await (const part of process.stdin.setEncoding('utf8')) text += part
const { nanos, numbers, texts } = JSON.parse(text)
const now = Date.parse('2026-11-27T12:00:00Z')
process.stdout.write(JSON.stringify({
  duration: nanos.map(n => duration(n / 1e6)), ago: nanos.map(n => ago(now - Math.trunc(n / 1e6), now)), in: nanos.map(n => until(now + Math.trunc(n / 1e6), now)),
  numbers: numbers.map(number), texts: texts.map(visible),
}))
`

// What scripts write is what templates write: else a page that is open says something else than the same page when it is loaded again. It needs Node.js.
func TestScriptsWriteValuesAsTemplatesDo(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("node"); err != nil {
		if slices.Contains(strings.Split(os.Getenv("EVRUN_REQUIRE"), ","), "node") {
			t.Fatal(err)
		}
		t.Skip("NOT PROVEN HERE, for want of node: ", err)
	}
	v := spoken{Numbers: []int64{0, 1, 999, 1000, 12345, 999999, 1234567, -1234}}
	for _, unit := range []time.Duration{time.Microsecond, time.Millisecond, 100 * time.Millisecond, time.Second, time.Minute, time.Hour, 24 * time.Hour} {
		for _, times := range []float64{0, .4, .6, 1, 1.45, 1.5, 1.95, 2.4, 9.94, 9.95, 23.4, 47.9, 48, 59.4, 59.95, 59.96, 60, 99.94, 364.9, 999.4, 999.5, 999.6} {
			d := time.Duration(times * float64(unit)).Truncate(time.Microsecond)
			v.Nanos = append(v.Nanos, int64(d), -int64(d))
		}
	}
	for r := rune(0); r <= 0xe0100; r++ {
		if utf8.ValidRune(r) && (r < 0x3000 || r >= 0xf000 && r < 0x10100 || r >= 0xdfff0) {
			v.Texts = append(v.Texts, "a"+string(r)+"b")
		}
	}
	asked, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	node := exec.CommandContext(t.Context(), "node", "--input-type=module", "-e", speak)
	var wrong bytes.Buffer
	node.Stdin, node.Stderr = bytes.NewReader(asked), &wrong
	answer, err := node.Output()
	if err != nil {
		t.Fatalf("node: %v\n%s", err, wrong.String())
	}
	var said struct{ Duration, Ago, In, Numbers, Texts []string }
	if err := json.Unmarshal(answer, &said); err != nil {
		t.Fatal(err)
	}
	for i, n := range v.Nanos {
		d := time.Duration(n)
		at := d.Truncate(time.Millisecond) // scripts have no finer times
		for _, x := range []struct{ what, got, want string }{
			{"takes", said.Duration[i], output.Duration(d)}, {"was", said.Ago[i], agoWords(at)}, {"is", said.In[i], inWords(at)},
		} {
			if x.got != x.want {
				t.Errorf("%v %s %q in a script, and %q in a template", d, x.what, x.got, x.want)
			}
		}
	}
	for i, n := range v.Numbers {
		if said.Numbers[i] != num(n) {
			t.Errorf("%d is %q in a script, and %q in a template", n, said.Numbers[i], num(n))
		}
	}
	for i, text := range v.Texts {
		if want := events.EscapeControl(text); said.Texts[i] != want {
			t.Errorf("%+q is %+q in a script, and %+q in a template", text, said.Texts[i], want)
		}
	}
}
