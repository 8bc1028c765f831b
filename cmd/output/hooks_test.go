package output

import (
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"

	"evrun/cmd/hook"
)

func TestTheReasonOfARefusedRequestIsWhole(t *testing.T) {
	const why = "the request has no header X-Hub-Signature-256; was the sender told to sign, or to send the secret?"
	h := hook.Traffic{Name: "github", Path: "/hooks/github", Rejections: []hook.Rejection{
		{At: time.Now(), Client: "2001:db8::7", Status: 401, Detail: why}, {At: time.Now(), Status: 400, Detail: "no\x1b"},
	}}
	for _, width := range []int{0, 200, 80, 40} {
		var b strings.Builder
		p := &Printer{Out: &b, Width: width, Terminal: width > 0}
		if err := p.Hook(h); err != nil {
			t.Fatal(err)
		}
		got := b.String()
		if text := strings.Join(strings.Fields(got), " "); !strings.Contains(text, "401 2001:db8::7 "+why) || !strings.Contains(text, "400 the socket no\\u001b") {
			t.Errorf("%d columns: the reason is not whole:\n%s", width, got)
		}
		for line := range strings.Lines(got) {
			if width > 0 && runewidth.StringWidth(strings.TrimSuffix(line, "\n")) > width {
				t.Errorf("%d columns: too long: %s", width, line)
			}
		}
		if one := strings.Contains(got, "401  2001:db8::7  "+why+"\n"); one != (width == 0 || width == 200) {
			t.Errorf("%d columns: on one line: %v", width, one)
		}
	}
}
