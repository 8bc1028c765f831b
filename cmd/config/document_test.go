package config

import (
	"fmt"
	"testing"

	"evrun/cmd/config/yaml"
)

// An offset names the text that it is in: also before its first node, and behind its last byte, where a missing value could be.
func TestPlacesInSeveralTexts(t *testing.T) {
	d := newDocument("a.yaml", "/a", []byte("a: x\nb:"))
	for _, name := range []string{"b", "empty", "c"} {
		d.add("/b/"+name+".yaml", "/"+name, []byte(map[string]string{"b": "# no\nc: y\nd:", "c": "e:"}[name]))
	}
	var got string
	for _, text := range d.texts {
		root, _ := yaml.Parse(text.Text)
		d.fault(text.Base, text.Base, "begin", "")
		d.fault(text.Base+len(text.Source), text.Base+len(text.Source), "end", "")
		for i := 0; root != nil && i < len(root.Content); i++ {
			n := root.Content[i]
			d.at(n, n.Value, "")
			got += fmt.Sprintf("%q %s %s, %s; ", n.Value, d.placeOf(n), d.dirOf(n), d.lineFrom(root, n))
		}
	}
	for _, f := range d.sorted() {
		got += "\n" + f.String()
	}
	const want = `"a" a.yaml:1 /a, on line 1; "x" a.yaml:1 /a, on line 1; "b" a.yaml:2 /a, on line 2; "" a.yaml:2 /a, on line 2; ` +
		`"c" /b/b.yaml:2 /b, on line 2; "y" /b/b.yaml:2 /b, on line 2; "d" /b/b.yaml:3 /b, on line 3; "" /b/b.yaml:3 /b, on line 3; ` +
		`"e" /b/c.yaml:1 /c, on line 1; "" /b/c.yaml:1 /c, on line 1; 
a.yaml:1:1: begin
a.yaml:1:1: a
a.yaml:1:4: x
a.yaml:2:1: b
a.yaml:2:3: end
a.yaml:2:3: 
/b/b.yaml:1:1: begin
/b/b.yaml:2:1: c
/b/b.yaml:2:4: y
/b/b.yaml:3:1: d
/b/b.yaml:3:3: end
/b/b.yaml:3:3: 
/b/empty.yaml:1:1: begin
/b/empty.yaml:1:1: end
/b/c.yaml:1:1: begin
/b/c.yaml:1:1: e
/b/c.yaml:1:3: end
/b/c.yaml:1:3: `
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	first, last := d.texts[0], d.texts[len(d.texts)-1]
	a, _ := yaml.Parse(first.Text)
	e, _ := yaml.Parse(last.Text)
	if where := d.lineFrom(a, e); where != "on line 1 of /b/c.yaml" {
		t.Errorf("from another file it is %q", where)
	}
}
