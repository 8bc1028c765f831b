package input

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestFields(t *testing.T) {
	for _, x := range []struct{ data, fields, want string }{
		{``, `a=1`, `{"a":1}`},
		{`{"b":9007199254740993}`, `a=1`, `{"a":1,"b":9007199254740993}`},
		{``, `a.b=1 a.c.d=2`, `{"a":{"b":1,"c":{"d":2}}}`},
		{`{"a":{"b":0,"c":1.50}}`, `a.b=1`, `{"a":{"b":1,"c":1.50}}`},
		{``, `a\.b=1 c\\d=2 e\f=3`, `{"a.b":1,"c\\d":2,"e\\f":3}`},
		{``, `t=1 t=2 t=3`, `{"t":[1,2,3]}`},
		{``, `t[]=1`, `{"t":[1]}`},
		{``, `t[]=1 t=2`, `{"t":[1,2]}`},
		{``, `a.t=[1] a.t=2`, `{"a":{"t":[[1],2]}}`},
		{`{"t":[7]}`, `t=1`, `{"t":1}`},
		{`{"t":7}`, `t[]=1 t[]=2`, `{"t":[1,2]}`},
		{``, `a={"b":1} a.b=2`, `a has a value`},
		{``, `a.b=2 a=1`, `a has members`},
		{`{"a":1}`, `a.b=2`, `a is not an object`},
		{`{"a":{"x":null}}`, `a.x.y=2`, `a.x is not an object`},
		{``, `a..b=1`, `a name is empty`},
		{``, `.=1`, `a name is empty`},
		{``, `[]=1`, `a name is empty`},
		{`[1]`, ``, `not a JSON object`},
		{`null`, ``, `not a JSON object`},
	} {
		f, err := NewFields([]byte(x.data))
		for field := range strings.FieldsSeq(x.fields) {
			if err == nil {
				key, value, _ := strings.Cut(field, "=")
				err = f.Set(key, json.RawMessage(value))
			}
		}
		if err != nil {
			if !strings.Contains(err.Error(), x.want) {
				t.Errorf("%s with %s: %v, want %s", x.data, x.fields, err, x.want)
			}
			continue
		}
		got, err := json.Marshal(f.Object())
		if err != nil || string(got) != x.want {
			t.Errorf("%s with %s: %s (%v), want %s", x.data, x.fields, got, err, x.want)
		}
	}
}
