package cmd

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"evrun/cmd/api"
	"evrun/cmd/config"
	"evrun/events"
	"evrun/store"
	"evrun/tasks"
)

// emitSource is the source of events that people emit, unless they name one.
const emitSource = "/evrun/emit"

type emitOptions struct {
	*env
	typ        string
	data       string
	text, json []string
	id         string
	source     string
	subject    string
	time       string
	extensions []string
	wait       time.Duration
	dry        bool

	ndjson   string
	rejects  string
	fromLine int
}

func newEmitCmd(e *env) *cobra.Command {
	o := &emitOptions{env: e}
	c := &cobra.Command{
		Use:   "emit TYPE | emit --ndjson FILE",
		Short: "Publish an event, or many",
		Long: `Publishes one event, and prints its id and number once it is on disk.

Its data is what -d gives, with the fields of -f and -F added. Data that breaks the schema of the type is refused, with all
violations (exit 2). The same --id from the same --source is accepted once:
sending it again is safe, and runs nothing. Without a daemon the event is written to the store, and waits for "evrun serve".

With --wait it follows every run and every event that this one causes, and prints each. Exit 1 if a run is dead, 4 if no
handler matched, 124 if the time ran out.

In the command of an exec handler, the event belongs to the handler's run: it is in the same chain, one hop further, and an
"emit --wait" that began the chain follows it too. It is refused once the attempt has ended
(with leave: true it begins a chain of its own then). With -c, for the daemon of another wiring
file, the event begins a chain of its own.

With --dry-run nothing is published: the daemon says which handlers would run, and with which inputs ("evrun explain" says
the same of a file). Exit 4 if none matches.

With --ndjson it publishes each line of a file, or of standard input (-), in their order: a line is a CloudEvent in JSON, or as
little as {"type":"order.placed","data":{}}. Lines that are refused are named, and kept in --rejects FILE (which is added to);
the others go on, and the exit code is 3. When it is stopped or the daemon goes away, it says which lines are acknowledged and
how to go on with --from-line. Sending lines again is safe when they have ids: their own, or with --id BATCH those that it makes
of the line's number (BATCH-12, from the same --source); without, each sending is a new event.`,
		Example: `  evrun emit user.registered -d '{"name":"Ada","email":"ada@example.com"}' --wait
  evrun emit user.registered -f name=Ada -f email=ada@example.com -F age:=36
  evrun emit order.placed -d @order.json --id order-4711
  evrun emit order.placed -d @order.json --dry-run
  curl -s https://example.com/order | evrun emit order.placed -d -
  evrun emit --ndjson users.ndjson --id import-2026-11 --rejects bad.ndjson`,
		Args: func(c *cobra.Command, args []string) error {
			lines := c.Flags().Changed("ndjson")
			if lines && len(args) > 0 {
				return usage("emit --ndjson takes no event type: each line has its own")
			}
			if !lines && len(args) != 1 {
				return usage("emit takes one event type, such as user.registered, not %d arguments", len(args))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			if len(args) == 0 {
				return runBulk(c.Context(), o)
			}
			for _, name := range []string{"rejects", "from-line"} {
				if c.Flags().Changed(name) {
					return usage("--%s goes with --ndjson", name)
				}
			}
			o.typ = args[0]
			return o.refused(runEmit(c.Context(), o))
		},
	}
	f := c.Flags()
	o.eventFlags(f)
	f.BoolVar(&o.dry, "dry-run", false, "publish nothing: say which handlers would run, and with what")
	f.DurationVar(&o.wait, "wait", 0, "follow what it causes, for at most so long")
	f.Lookup("wait").NoOptDefVal = "30s"
	f.StringVar(&o.ndjson, "ndjson", "", "publish each line of this file; - is standard input")
	f.StringVar(&o.rejects, "rejects", "", "with --ndjson: a file for the lines that are refused")
	f.IntVar(&o.fromLine, "from-line", 1, "with --ndjson: begin at this line")
	return c
}

// eventFlags are the flags that describe an event.
func (o *emitOptions) eventFlags(f *pflag.FlagSet) {
	f.StringVarP(&o.data, "data", "d", "", "the data: JSON, @FILE, or - for standard input")
	f.StringArrayVarP(&o.text, "field", "f", nil, "a field of the data, as text: key=text (may be repeated)")
	f.StringArrayVarP(&o.json, "json-field", "F", nil, "a field of the data, as JSON: key:=json (may be repeated)")
	f.StringVar(&o.id, "id", "", "the event's id (default: a new UUIDv7); with --ndjson the beginning of each line's")
	f.StringVar(&o.source, "source", emitSource, "where it comes from")
	f.StringVar(&o.subject, "subject", "", "what it is about")
	f.StringVar(&o.time, "time", "", "when it happened, RFC 3339 (default: now)")
	f.StringArrayVar(&o.extensions, "ext", nil, "a CloudEvents extension attribute: name=value (may be repeated)")
}

func runEmit(ctx context.Context, o *emitOptions) error {
	e, err := o.event()
	if err != nil {
		return err
	}
	cfg, err := o.settings()
	if err != nil {
		return err
	}
	// What can't be accepted is refused here already, daemon or not.
	if err := tasks.NewEmitter(nil, cfg.Settings.Server.MaxEvent).Check(e); err != nil {
		return err
	}
	client, err := o.client(cfg)
	if err != nil {
		return err
	}
	if o.dry {
		return o.dryRun(ctx, client, e)
	}
	if o.flags.Flags().Changed("wait") {
		if o.wait <= 0 {
			return usage("--wait %v: a duration above zero, such as --wait=30s", o.wait)
		}
		return o.emitAndWait(ctx, client, e)
	}
	rc, waits, err := o.deliver(ctx, client, e)
	if err != nil {
		return err
	}
	if err := o.accepted(e, rc); err != nil {
		return err
	}
	if waits {
		o.note("no daemon is running: the event waits in %s for evrun serve", cfg.Settings.Store.Path)
	}
	return nil
}

// refused prints what an event was refused for as an object, where objects are wanted; people read it on stderr all the same.
func (o *emitOptions) refused(err error) error {
	list, more, headline := violationsOf(err)
	if len(list) == 0 || !o.env.json() {
		return err
	}
	what := map[string]any{"detail": headline, "violations": list}
	if more > 0 {
		what["more_violations"] = more
	}
	return errors.Join(err, o.printJSON(map[string]any{"refused": what}))
}

// deliver hands e to the daemon, or writes it to the store where there is none (waits is true then). Trying again is safe,
// since the event keeps its id.
func (o *emitOptions) deliver(ctx context.Context, client *api.Client, e *events.Event) (rc api.Receipt, waits bool, err error) {
	deadline := time.Now().Add(deliverFor)
	for {
		rc, err = client.Emit(ctx, e)
		var p *api.Problem
		var refused *api.ConnectError
		if err == nil || errors.As(err, &p) || errors.As(err, &refused) || ctx.Err() != nil {
			return rc, false, err
		}
		if errors.Is(err, api.ErrNoDaemon) {
			rc, err = o.write(ctx, func(em *tasks.Emitter, _ store.Store, _ *config.Config) (*events.Event, error) {
				return e, em.Check(e)
			})
			if err == nil || !errors.Is(err, store.ErrLocked) {
				return rc, true, err
			}
		}
		// A daemon that starts or stops has the store, but not yet or no longer the socket; or the connection broke.
		if time.Now().After(deadline) {
			return rc, false, err
		}
		select {
		case <-time.After(50 * time.Millisecond):
		case <-ctx.Done():
			return rc, false, ctx.Err()
		}
	}
}

// accepted prints the acknowledgement.
func (o *emitOptions) accepted(e *events.Event, rc api.Receipt) error {
	e.Sequence = rc.Sequence
	if o.env.json() {
		extra := ""
		if rc.Duplicate {
			extra = `,"duplicate":true`
		}
		return o.printEvent(e, extra)
	}
	if rc.Duplicate {
		_, err := fmt.Fprintf(o.out, "%s was accepted before, as #%d\n", events.EscapeControl(e.ID), rc.Sequence)
		return err
	}
	_, err := fmt.Fprintf(o.out, "%s accepted as #%d\n", events.EscapeControl(e.ID), rc.Sequence)
	return err
}

func (o *emitOptions) emitAndWait(ctx context.Context, client *api.Client, e *events.Event) error {
	return o.followed(ctx, o.wait, e.Type, func(accepted func(api.Receipt) error, each func(string, json.RawMessage) error) (api.End, error) {
		return client.EmitWait(ctx, e, o.wait, func(rc api.Receipt) error {
			if rc.Duplicate {
				o.note("the event was accepted before, as #%d: it runs nothing", rc.Sequence)
				return errors.Join(accepted(rc), o.accepted(e, rc))
			}
			return accepted(rc)
		}, each)
	})
}

// followed prints what an event causes while publish publishes and follows it.
func (e *env) followed(ctx context.Context, wait time.Duration, typ string,
	publish func(accepted func(api.Receipt) error, each func(string, json.RawMessage) error) (api.End, error)) error {
	p := e.printer()
	sequence := int64(0) // not accepted yet
	end, err := publish(func(rc api.Receipt) error {
		sequence = rc.Sequence
		return nil
	}, func(kind string, body json.RawMessage) error { return p.item(kind, body) })
	switch {
	case err != nil && sequence > 0 && ctx.Err() == nil:
		return fmt.Errorf("the event was accepted as #%d, but: %w", sequence, err)
	case err != nil:
		return err
	case end.Timeout:
		return &exitError{code: exitTimeout, err: fmt.Errorf("not everything was done within %v; it goes on", wait)}
	case end.Dead:
		return &exitError{code: exitFailed, err: errors.New("a run is dead")}
	case !end.Matched:
		return &exitError{code: exitNoHandler, err: fmt.Errorf("no handler matches %s", typ)}
	}
	return nil
}

// event makes the event that the flags describe.
func (o *emitOptions) event() (*events.Event, error) {
	if err := events.CheckType(o.typ); err != nil {
		return nil, usage("%v", err)
	}
	e := &events.Event{Type: o.typ, ID: o.id, Source: o.source, Subject: o.subject}
	if o.flags.Flags().Changed("id") && o.id == "" {
		return nil, usage("--id is empty: leave it out for a new one")
	}
	if o.time != "" {
		t, ok := events.ParseTime(o.time)
		if !ok {
			return nil, usage("--time %q: write it like 2026-12-24T18:00:00Z", o.time)
		}
		e.Time = t
	}
	for _, text := range o.extensions {
		name, value, ok := strings.Cut(text, "=")
		if !ok || !extensionName.MatchString(name) || attributeNames[name] {
			return nil, usage("--ext %q: write name=value, where the name has lower-case letters and digits, and is no attribute of its own", text)
		}
		if e.Extensions == nil {
			e.Extensions = map[string]any{}
		}
		e.Extensions[name] = value
	}
	var err error
	if e.Data, err = o.payload(); err != nil {
		return nil, err
	}
	return e, nil
}

var (
	extensionName  = regexp.MustCompile(`^[a-z0-9]{1,40}$`)
	attributeNames = map[string]bool{
		"specversion": true, "id": true, "source": true, "type": true, "subject": true, "time": true, "datacontenttype": true,
		"dataschema": true, "data": true, "database64": true, "seq": true, "chain": true, "hops": true, "correlationid": true, "causationid": true,
	}
)

// payload reads -d, and puts the fields of -f and -F into it.
func (o *emitOptions) payload() ([]byte, error) {
	var data []byte
	from := "--data"
	switch file, isFile := strings.CutPrefix(o.data, "@"); {
	case o.data == "-":
		from = "standard input"
		var err error
		if data, err = io.ReadAll(o.in); err != nil {
			return nil, fmt.Errorf("read standard input: %w", err)
		}
	case isFile:
		from = file
		var err error
		if data, err = os.ReadFile(file); err != nil {
			return nil, usage("--data: %v", err)
		}
	default:
		data = []byte(o.data)
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff")) // editors put a byte order mark before a text
	if o.flags.Flags().Changed("data") {
		if err := checkJSON(data); err != nil {
			return nil, usage("%s %v", from, err)
		}
	}
	data = bytes.TrimSpace(data)
	if len(o.text) == 0 && len(o.json) == 0 {
		if len(data) == 0 {
			return nil, nil
		}
		return data, nil
	}
	fields := map[string]json.RawMessage{}
	if len(data) > 0 {
		if err := json.Unmarshal(data, &fields); err != nil || fields == nil {
			return nil, usage("%s is not a JSON object, so -f and -F can't add fields to it", from)
		}
	}
	for _, text := range o.text {
		key, value, ok := strings.Cut(text, "=")
		if !ok || key == "" {
			return nil, usage("-f %q: write key=text", text)
		}
		quoted, err := tasks.MarshalData(value)
		if err != nil {
			return nil, err
		}
		fields[key] = quoted
	}
	for _, text := range o.json {
		key, value, ok := strings.Cut(text, ":=")
		if !ok || key == "" {
			return nil, usage("-F %q: write key:=json", text)
		}
		if err := checkJSON([]byte(value)); err != nil {
			return nil, usage("-F %q: the value %v", text, err)
		}
		fields[key] = json.RawMessage(value)
	}
	return tasks.MarshalData(fields)
}

// checkJSON says what is wrong with a JSON text, and where.
func checkJSON(data []byte) error {
	if len(bytes.TrimSpace(data)) == 0 {
		return errors.New("is not valid JSON: it is empty")
	}
	var v json.RawMessage
	err := json.Unmarshal(data, &v)
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		line := 1 + bytes.Count(data[:min(int(syntax.Offset), len(data))], []byte("\n"))
		return fmt.Errorf("is not valid JSON: %w (line %s, byte %d)", err, strconv.Itoa(line), syntax.Offset)
	}
	if err != nil {
		return fmt.Errorf("is not valid JSON: %w", err)
	}
	return events.CheckJSON(data)
}
