package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"evrun/cmd/input"
	"evrun/events"
	"evrun/tasks"
	"evrun/tasks/emitter"
)

// EventFlags describe an event.
type EventFlags struct {
	Type, data, ID, Source, subject, time string

	fields, jsonFields []string // of the data: key=text, and key:=json; see [input.Fields]
	extensions         []string // name=value
}

// emitSource is the source of events that people emit, unless they name one.
const emitSource = "/evrun/emit"

func (o *EventFlags) Register(f *pflag.FlagSet) {
	f.StringVarP(&o.data, "data", "d", "", "the data: JSON, @FILE, or - for standard input (default: what is piped in)")
	f.StringArrayVarP(&o.fields, "field", "f", nil, "a field of the data, as text: key=text; a.b is nested, a key that comes twice makes a list")
	f.StringArrayVarP(&o.jsonFields, "json-field", "F", nil, "a field of the data, as JSON: key:=json")
	f.StringVar(&o.ID, "id", "", "the event's id (default: a new UUIDv7); with --ndjson the beginning of each line's")
	f.StringVar(&o.Source, "source", emitSource, "where it comes from")
	f.StringVar(&o.subject, "subject", "", "what it is about")
	f.StringVar(&o.time, "time", "", "when it happened: 2026-12-24T18:00:00Z, 2026-12-24T18:00, 2026-12-24, or how long ago: 10m (default: now)")
	f.StringArrayVar(&o.extensions, "ext", nil, "a CloudEvents extension attribute: name=value (may be repeated)")
}

// Event makes the event that the flags describe. given reports whether a flag was given, in is the standard input.
func (o *EventFlags) Event(ctx context.Context, given func(flag string) bool, in io.Reader) (*events.Event, error) {
	if err := events.CheckType(o.Type); err != nil {
		return nil, Usage("%v", err)
	}
	e := &events.Event{Type: o.Type, ID: o.ID, Source: o.Source, Subject: o.subject}
	if given("id") && o.ID == "" {
		return nil, Usage("--id is empty: leave it out for a new one")
	}
	if o.time != "" {
		var err error
		if e.Time, err = ParseTime("--time", o.time, time.Local, time.Now()); err != nil {
			return nil, err
		}
	}
	for _, text := range o.extensions {
		name, value, ok := strings.Cut(text, "=")
		if !ok || !extensionName().MatchString(name) || attributeNames[name] {
			return nil, Usage("--ext %q: write name=value, where the name has lower-case letters and digits, and is not an attribute of its own", text)
		}
		if e.Extensions == nil {
			e.Extensions = map[string]any{}
		}
		e.Extensions[name] = value
	}
	var err error
	if e.Data, err = o.payload(ctx, given("data"), in); err != nil {
		return nil, err
	}
	return e, nil
}

var (
	extensionName  = sync.OnceValue(func() *regexp.Regexp { return regexp.MustCompile(`^[a-z0-9]{1,40}$`) })
	attributeNames = map[string]bool{
		"specversion": true, "id": true, "source": true, "type": true, "subject": true, "time": true, "datacontenttype": true,
		"dataschema": true, "data": true, "database64": true, "seq": true, "chain": true, "hops": true, "target": true, "replayof": true, "correlationid": true, "causationid": true,
	}
)

// payload returns the data that -d gives, with the fields of -f and -F added.
func (o *EventFlags) payload(ctx context.Context, given bool, in io.Reader) ([]byte, error) {
	if !given && len(o.fields) == 0 && len(o.jsonFields) == 0 {
		return piped(ctx, in)
	}
	data, from, err := o.raw(given, in)
	if err != nil {
		return nil, err
	}
	if len(o.fields) == 0 && len(o.jsonFields) == 0 {
		if len(data) == 0 {
			return nil, nil
		}
		return data, nil
	}
	all, err := input.NewFields(data)
	if err != nil {
		return nil, Usage("%s is %v, so -f and -F can't add fields to it", from, err)
	}
	if err := eachField(o.fields, o.jsonFields, all.Set); err != nil {
		return nil, err
	}
	return emitter.MarshalData(all.Object())
}

// eachField calls set for the fields of -f, and then for those of -F.
func eachField(texts, inJSON []string, set func(key string, value json.RawMessage) error) error {
	for _, text := range texts {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return Usage("-f %q: write key=text", text)
		}
		if err := set(key, events.AppendJSONText(nil, value)); err != nil {
			return Usage("-f %q: %v", text, err)
		}
	}
	for _, text := range inJSON {
		key, value, ok := strings.Cut(text, ":=")
		if !ok || key == "" {
			return Usage("-F %q: write key:=json", text)
		}
		if err := checkJSON([]byte(value)); err != nil {
			return Usage("-F %q: the value %v", text, err)
		}
		if err := set(key, json.RawMessage(value)); err != nil {
			return Usage("-F %q: %v", text, err)
		}
	}
	return nil
}

// piped reads the data of an event that is described without data, where somebody redirects the standard input. The standard input of a command
// that a handler runs is the handler's own, and is read with -d - only.
func piped(ctx context.Context, in io.Reader) ([]byte, error) {
	f, ok := in.(*os.File)
	if !ok || os.Getenv(tasks.VariableRunToken) != "" {
		return nil, nil
	}
	data, err := input.Piped(ctx, f, input.Patience)
	switch {
	case errors.Is(err, input.ErrIdle):
		return nil, Usage("standard input: %v; -d - waits for it, and </dev/null means no data", err)
	case err != nil && ctx.Err() == nil:
		return nil, fmt.Errorf("read standard input: %w", err)
	case err != nil:
		return nil, err
	}
	if data = trimData(data); len(data) == 0 {
		return nil, nil
	}
	if err := checkJSON(data); err != nil {
		return nil, Usage("standard input %v; without -d, what is piped in is the data (</dev/null: no data)", err)
	}
	return data, nil
}

// raw reads the data that -d names, and checks that it is JSON if -d was given. from names its origin, for messages.
func (o *EventFlags) raw(given bool, in io.Reader) (data []byte, from string, err error) {
	data, from = []byte(o.data), "--data"
	switch file, isFile := strings.CutPrefix(o.data, "@"); {
	case o.data == "-":
		from = "standard input"
		if data, err = io.ReadAll(in); err != nil {
			return nil, from, fmt.Errorf("read standard input: %w", err)
		}
	case isFile:
		from = file
		if data, err = os.ReadFile(file); err != nil {
			return nil, from, Usage("--data: %v", err)
		}
	}
	data = trimData(data)
	if given {
		if err := checkJSON(data); err != nil {
			return nil, from, Usage("%s %v", from, err)
		}
	}
	return data, from, nil
}

// trimData removes white space, and the byte order mark that editors put before a text.
func trimData(data []byte) []byte { return bytes.TrimSpace(bytes.TrimPrefix(data, []byte("\ufeff"))) }

// checkJSON reports the first error in a JSON text, with its place.
func checkJSON(data []byte) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return errors.New("is not valid JSON: it is empty")
	}
	return events.CheckJSON(data)
}
