package expression

import (
	"encoding/json"
	"fmt"
	"testing"

	"evrun/events"
)

// A path into the data of a checked event may be answered without decoding it: the values and the errors are the same.
func TestAPathIntoCheckedDataIsTheSame(t *testing.T) {
	const data = `{"name":"Ada","n":9007199254740993,"none":null,"user":{"first name":"A","tags":["x"]},"list":[{"a":1}],"n2":1,"n2":2}`
	for _, src := range []string{
		`data`, `data.name`, `data?.name`, `data["name"]`, `data.name.x`, `data.name[0]`, `data.n`, `data.n.x`, `data.none`, `data.none.x`, `data.none?.x`, `data.absent`,
		`data.absent.x.y`, `data.absent?.x.y`, `data[0]`, `data.user`, `data.user["first name"]`, `data.user.tags[0]`, `data.list[0].a`, `data.list[1]`, `data.n2`,
	} {
		x, err := Compile(src, HandlerWhen)
		if err != nil {
			t.Fatal(err)
		}
		plain := events.Event{ID: "1", Source: "/t", Type: "a", Data: json.RawMessage(data)}
		checked := plain
		if err := checked.Validate(); err != nil {
			t.Fatal(err)
		}
		want, wantErr := x.Eval(NewEnv(&plain))
		env := NewEnv(&checked)
		for range 2 {
			got, err := x.Eval(env)
			if fmt.Sprintf("%#v %v", got, err) != fmt.Sprintf("%#v %v", want, wantErr) {
				t.Errorf("%s: %#v, %v; want %#v, %v", src, got, err, want, wantErr)
			}
			if _, err := env.payload(); err != nil { // the second time it is decoded
				t.Fatal(err)
			}
		}
	}
}
