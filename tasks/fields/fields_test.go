package fields_test

import (
	"bytes"
	"encoding/json"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"evrun/tasks/fault"
	"evrun/tasks/fields"
)

// upper is a type that decodes itself: a text in capitals.
type upper string

func (u *upper) DecodeField(value any, at *fields.At) {
	text, ok := at.Text(value)
	if ok && strings.ToUpper(text) != text {
		at.Fail("write "+strings.ToUpper(text), "must be in capitals, as %s asks", at.Context)
	}
	*u = upper(text + at.Scope)
}

func (*upper) FieldShape() fields.Shape {
	return fields.Shape{Words: "capitals", Schema: map[string]any{"type": "string", "pattern": "^[A-Z]*$"}}
}

type plant struct {
	_       struct{}          `owner:"a plant"`
	Name    fields.Scalar     `key:"name,required" doc:"What it is called. It is unique." other:"id,title"`
	Kind    string            `key:"kind" enum:"tree,herb" default:"herb" doc:"The kind."`
	Height  int               `key:"height" min:"1" max:"100" default:"3" doc:"In metres."`
	Grown   bool              `key:"grown" doc:"Whether it is grown." default:"true"`
	Wait    time.Duration     `key:"wait" default:"1d12h" doc:"Until it is watered."`
	Code    *upper            `key:"code" scope:"!" doc:"Its code."`
	Tags    []string          `key:"tags" min:"1" doc:"Words about it."`
	Labels  map[string]string `key:"labels" doc:"Pairs."`
	Pot     *pot              `key:"pot" doc:"What it stands in." hint:"write pot: {size: 3}"`
	Insects []insect          `key:"insects,one,null" doc:"What lives on it."`
	Data    any               `key:"data,null" doc:"Anything."`
	Later   string            `key:"later,hidden"`
}

type pot struct {
	Size int `key:"size,short" min:"1" doc:"In litres."`
	Deep int `key:"deep" doc:"In centimetres."`
}

func (p *pot) CheckFields(given map[string]any, at *fields.At) {
	if p.Deep > p.Size {
		at.Add(fault.At([]any{"deep"}, "%d is deeper than the size", p.Deep))
	}
}

type insect struct {
	Legs int `key:"legs,required" doc:"How many."`
}

func decode(t *testing.T, value any) (plant, []string) {
	t.Helper()
	var p plant
	written := func(path []any) (string, bool) { return "007", fault.Path(path) == "name" }
	var list []string
	for _, f := range fields.Decode(&p, value, fields.Options{Context: "law", Written: written}) {
		line := f.Error()
		if f.Key {
			line = "key " + line
		}
		list = append(list, line)
	}
	return p, list
}

func TestEveryTypeIsDecoded(t *testing.T) {
	p, faults := decode(t, map[string]any{
		"name": int64(7), "kind": "tree", "height": int64(9), "grown": false, "wait": "5s", "code": "X", "tags": "one", "labels": map[string]any{"a": "b"},
		"pot": map[string]any{"size": int64(2)}, "insects": map[string]any{"legs": int64(6)}, "data": []any{nil},
	})
	if faults != nil {
		t.Fatal(faults)
	}
	code := upper("X!")
	want := plant{Name: "007", Kind: "tree", Height: 9, Wait: 5 * time.Second, Code: &code, Tags: []string{"one"}, Labels: map[string]string{"a": "b"},
		Pot: &pot{Size: 2}, Insects: []insect{{6}}, Data: []any{nil}}
	if !reflect.DeepEqual(p, want) {
		t.Errorf("got  %+v\nwant %+v", p, want)
	}
	p, faults = decode(t, map[string]any{"name": "x", "pot": int64(4), "insects": nil, "data": nil})
	want = plant{Name: "x", Kind: "herb", Height: 3, Grown: true, Wait: 36 * time.Hour, Pot: &pot{Size: 4}}
	if faults != nil || !reflect.DeepEqual(p, want) {
		t.Errorf("defaults: got  %+v, %v\nwant %+v", p, faults, want)
	}
}

func TestAllFaultsAreReportedAtOnce(t *testing.T) {
	for _, test := range []struct {
		value any
		want  []string
	}{
		{"x", []string{"a plant must be a mapping of keys, not the text \"x\"; its keys are name, kind, height, grown, wait, code, tags, labels, pot, insects and data"}},
		{map[string]any{"kind": "bush", "height": "9", "grown": "true", "wait": int64(5), "code": "x", "tags": []any{}, "labels": []any{}, "pot": []any{}, "insects": []any{nil, "x", map[string]any{}}},
			[]string{
				`a plant needs "name"; what it is called`,
				`kind: "kind" must be tree or herb, not "bush"`,
				`height: "height" must be a whole number, not the text "9"`,
				`grown: "grown" must be true or false, not the text "true"`,
				`wait: "wait": a duration needs a unit; write 5s, if seconds are meant`,
				`code: "code" must be in capitals, as law asks; write X`,
				`tags: "tags" is an empty list; leave it out, or give it an item`,
				`labels: "labels" must be a mapping, not a list`,
				`pot: "pot" must be a mapping of keys, not a list; write pot: {size: 3}`,
				`key insects[0]: an item of "insects" is empty; leave its dash out`,
				`insects[1]: "insects" must be a mapping of keys, not the text "x"; its only key is legs`,
				`insects[2]: "insects" needs "legs"; how many`,
			}},
		{map[string]any{"id": "x", "hight": int64(1), "zzz": int64(1), "height": int64(200), "kind": nil, "wait": "0s", "tags": []any{"a", int64(5)}},
			[]string{
				`key hight: unknown key "hight" in a plant; leave it out: "height" is given already`,
				`key id: unknown key "id" in a plant; did you mean "name"?`,
				`key zzz: unknown key "zzz" in a plant; its keys are name, kind, height, grown, wait, code, tags, labels, pot, insects and data`,
				`key kind: "kind" has no value; give it one, or leave the key out`,
				`height: "height" can be 100 at most`,
				`wait: "wait" must be over zero`,
				`tags[1]: "tags" must be a text, not the number 5; quote it: "5"`,
			}},
		{map[string]any{"name": []any{}, "height": int64(0), "pot": map[string]any{"size": int64(0), "deep": int64(4)}, "labels": map[string]any{"a": int64(1)}, "wait": "soon"},
			[]string{
				`name: "name" must be a text, not a list`,
				`height: "height" must be 1 or more`,
				`wait: "wait": "soon" is not a valid duration; write it with its unit: 500ms, 5s, 10m, 2h or 30d`,
				`labels.a: "labels" must be a text, not the number 1; quote it: "1"`,
				`pot.size: "size" must be 1 or more`,
				`pot.deep: 4 is deeper than the size`,
			}},
	} {
		if _, got := decode(t, test.value); !slices.Equal(got, test.want) {
			t.Errorf("%v\ngot  %s\nwant %s", test.value, strings.Join(got, "\n     "), strings.Join(test.want, "\n     "))
		}
	}
}

func TestVeryManyFaultsAreNotAllLookedFor(t *testing.T) {
	unknown, tags := map[string]any{"name": "x"}, make([]any, 100_000)
	for i := range 100_000 {
		unknown["zzz"+strconv.Itoa(i)], tags[i] = true, int64(i)
	}
	for _, value := range []map[string]any{unknown, {"name": "x", "tags": tags}, {"name": "x", "labels": unknown}} {
		if _, faults := decode(t, value); len(faults) < 100 || len(faults) > 110 {
			t.Errorf("%d faults", len(faults))
		}
	}
}

func TestTextsOfTheEnvironmentAreDecoded(t *testing.T) {
	var p plant
	faults := fields.Decode(&p, map[string]any{"name": "x", "grown": "false", "height": "12"}, fields.Options{Texts: true})
	if faults != nil || p.Grown || p.Height != 12 {
		t.Errorf("%+v, %v", p, faults)
	}
}

func TestFieldsAreDescribed(t *testing.T) {
	list := fields.Of(reflect.TypeFor[plant]())
	var got []string
	for _, f := range list {
		got = append(got, f.Name+" "+f.Type)
	}
	want := []string{"name text", "kind text", "height number", "grown true/false", "wait duration", "code capitals", "tags list of text", "labels map of text", "pot map", "insects list", "data value"}
	if !slices.Equal(got, want) {
		t.Errorf("%q", got)
	}
	if !list[0].Required || list[1].Default != "herb" || len(list[1].Enum) != 2 || len(list[9].Fields) != 1 {
		t.Errorf("%+v", list)
	}
}

// TestTheSchemaAgreesWithTheDecoder compiles the schema in each draft, and compares its verdicts with the decoder's.
func TestTheSchemaAgreesWithTheDecoder(t *testing.T) {
	for draft, uri := range fields.Drafts {
		s := fields.Schema(reflect.TypeFor[plant]())
		s["$schema"] = uri
		text, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(text))
		if err != nil {
			t.Fatal(err)
		}
		c := jsonschema.NewCompiler()
		if err := c.AddResource("plant.json", doc); err != nil {
			t.Fatal(err)
		}
		compiled, err := c.Compile("plant.json")
		if err != nil {
			t.Fatalf("draft %s: %v", draft, err)
		}
		for _, value := range []map[string]any{
			{"name": "x"}, {}, {"name": "x", "kind": "bush"}, {"name": "x", "kind": "tree"}, {"name": "x", "height": int64(0)}, {"name": "x", "pot": int64(3)}, {"name": "x", "pot": int64(0)},
			{"name": "x", "pot": map[string]any{"size": int64(3)}}, {"name": "x", "pot": "a"}, {"name": "x", "tags": "a"}, {"name": "x", "tags": []any{}}, {"name": "x", "tags": []any{"a"}},
			{"name": "x", "insects": nil}, {"name": "x", "insects": map[string]any{}}, {"name": "x", "code": "a"}, {"name": "x", "code": "A"}, {"name": "x", "wait": "1d"}, {"name": "x", "wait": "soon"},
			{"name": "x", "labels": map[string]any{"a": int64(1)}}, {"name": "x", "later": "x", "zzz": true}, {"name": "x", "data": map[string]any{"a": nil}}, {"name": nil},
		} {
			_, faults := decode(t, value)
			if err := compiled.Validate(value); (err == nil) != (faults == nil) {
				t.Errorf("draft %s, %v: the schema says %v, the decoder %q", draft, value, err, faults)
			}
		}
	}
}
