package cmd_test

import (
	"fmt"
	"html"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/mattn/go-runewidth"
)

// TestPicture compares the picture of a terminal in README.md with what its commands print today. With -update it is drawn anew.
func TestPicture(t *testing.T) {
	t.Parallel()
	const file = "../.github/evrun.svg"
	wiring, err := os.ReadFile("testdata/picture.yaml")
	if err != nil {
		t.Fatal(err)
	}
	d := &documentRun{t: t, file: file, columns: pictureColumns}
	defer d.leave()
	d.block(passage{name: "evrun.yaml", text: string(wiring)})
	d.block(passage{name: "welcome.sh", text: "#!/bin/sh\necho Welcome, $1!\n"})
	d.block(passage{name: "backup.sh", text: "#!/bin/sh\necho the disk is full >&2\nexit 100\n"})
	if got, ready := d.command("evrun serve", "evrun devel runs /srv/evrun/evrun.yaml\n…"); !ready {
		t.Fatalf("the daemon does not answer: %s", got)
	}
	var screen strings.Builder
	for _, command := range []string{
		"evrun emit user.registered -f name=Ada -f email=ada@example.com --wait",
		"evrun schedules fire backup",
		"evrun runs list",
		"evrun schedules next -n 1",
	} {
		b := d.start(command)
		<-b.done
		for deadline := time.Now().Add(patience); command == "evrun runs list" && !strings.Contains(b.text(), "dead"); { // the run has a program to start
			if time.Now().After(deadline) {
				t.Fatal(b.text())
			}
			b = d.start(command)
			<-b.done
		}
		fmt.Fprintf(&screen, "\x1b[32m$\x1b[0m %s\n%s\n", command, strings.ReplaceAll(b.painted(), d.dir, "/srv/evrun"))
	}
	drawn := drawTerminals(pictureColumns, terminalPane{"evrun.yaml", paintYAML(string(wiring))}, terminalPane{"", screen.String()})
	if *update {
		if err := os.WriteFile(file, []byte(drawn), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	was, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if want, got := writtenIn(string(was)), writtenIn(drawn); !d.alikeInAnyOrder(want, got) {
		t.Errorf("the picture shows\n%s\nand its commands print\n%s\nDraw it anew: go test ./cmd -run TestPicture -update", want, got)
	}
}

// writtenIn is the text of a picture, in lines.
func writtenIn(svg string) string {
	var b strings.Builder
	for _, m := range regexp.MustCompile(`(?s)<text[^>]*>(.*?)</text>`).FindAllStringSubmatch(svg, -1) {
		b.WriteString(html.UnescapeString(regexp.MustCompile(`<[^>]*>`).ReplaceAllString(strings.ReplaceAll(m[1], "</tspan>", " "), "")) + "\n")
	}
	return b.String()
}

// terminalPane is one of the terminals in a picture: its title, and its text with the sequences that colour it.
type terminalPane struct{ title, text string }

// paintYAML colours the keys and the comments of a file.
func paintYAML(text string) string {
	text = regexp.MustCompile(`(?m)(^[ -]*|[{,] *)([a-z_]+):`).ReplaceAllString(text, "$1\x1b[36m$2\x1b[0m:")
	return regexp.MustCompile(`(?m)( +# .*)$`).ReplaceAllString(text, "\x1b[2m$1\x1b[0m")
}

const (
	pictureColumns        = 96
	cellWidth, lineHeight = 8, 18
	paneMargin            = 14
)

// drawTerminals draws terminals of so many columns, one below the other.
func drawTerminals(columns int, panes ...terminalPane) string {
	var body strings.Builder
	width, y := columns*cellWidth+2*paneMargin, 0
	for _, p := range panes {
		lines := strings.Split(strings.TrimRight(p.text, "\n"), "\n")
		height := len(lines)*lineHeight + 2*paneMargin
		fmt.Fprintf(&body, `<rect y="%d" width="%d" height="%d" rx="8"/>`+"\n", y, width, height)
		if p.title != "" {
			fmt.Fprintf(&body, `<text class="d" x="%d" y="%d" text-anchor="end">%s</text>`+"\n", width-paneMargin, y+paneMargin+13, html.EscapeString(p.title))
		}
		for i, line := range lines {
			if line != "" {
				fmt.Fprintf(&body, `<text x="%d" y="%d">%s</text>`+"\n", paneMargin, y+paneMargin+i*lineHeight+13, spans(line))
			}
		}
		y += height + 10
	}
	return fmt.Sprintf(`<svg xmlns="http://www.w3.org/2000/svg" width="%d" height="%d" viewBox="0 0 %[1]d %[2]d" role="img" aria-label="evrun in a terminal">
<style>
rect { fill: #16181d }
text { font: 13px ui-monospace, Menlo, Consolas, monospace; fill: #d7dae0; white-space: pre }
.b { font-weight: bold; fill: #ffffff } .d { fill: #8a919e } .r { fill: #ff7b72 } .g { fill: #7ee787 } .y { fill: #f2cc60 } .l { fill: #79c0ff } .c { fill: #76e3ea }
</style>
%s</svg>
`, width, y-10, body.String())
}

// painted are the classes of the codes that evrun writes.
var painted = map[string]string{"1": "b", "2": "d", "31": "r", "32": "g", "33": "y", "34": "l", "36": "c"}

// apart are the parts of a line between several spaces, which SVG would not keep.
var apart = regexp.MustCompile(`[^ ]+( [^ ]+)*`)

// spans is a line of a terminal as SVG. Each part has its place, so that columns stay below each other in any font.
func spans(line string) string {
	var b strings.Builder
	class, column := "", 0
	for line != "" {
		at := sgr.FindStringIndex(line)
		if at == nil {
			at = []int{len(line), len(line)}
		}
		if text := line[:at[0]]; text != "" {
			for _, at := range apart.FindAllStringIndex(text, -1) {
				fmt.Fprintf(&b, `<tspan x="%d"`, paneMargin+(column+runewidth.StringWidth(text[:at[0]]))*cellWidth)
				if class != "" {
					fmt.Fprintf(&b, ` class="%s"`, class)
				}
				fmt.Fprintf(&b, `>%s</tspan>`, html.EscapeString(text[at[0]:at[1]]))
			}
			column += runewidth.StringWidth(text)
		}
		if at[0] < at[1] {
			class = ""
			for code := range strings.SplitSeq(line[at[0]+2:at[1]-1], ";") {
				if c := painted[code]; c != "" {
					class = c
				}
			}
		}
		line = line[at[1]:]
	}
	return b.String()
}
