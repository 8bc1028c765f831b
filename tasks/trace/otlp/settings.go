package otlp

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"time"

	"evrun/tasks/expression"
	"evrun/tasks/fault"
	"evrun/tasks/trace"
)

// Settings say where spans go. The zero value of a field is its default, but for URL.
type Settings struct {
	URL      string // of the collector, with the path
	Headers  http.Header
	Timeout  time.Duration // of a request; default 10s
	Gzip     bool
	TLS      *tls.Config
	Resource map[string]string // attributes, beside those of evrun itself; they win
	Sampler  trace.Sampler
	Queue    int           // spans that may wait; default 32768
	Batch    int           // spans in a request; default 512
	Delay    time.Duration // how long spans wait for others; default 5s
}

// Fault is what is wrong with an environment variable. None keeps evrun from starting.
type Fault struct{ Variable, Message, Hint string }

func (f Fault) Error() string { return f.Variable + ": " + f.Message }

// The variables that are read. Those for traces alone win over those for all signals.
const (
	varDisabled    = "OTEL_SDK_DISABLED"
	varExporter    = "OTEL_TRACES_EXPORTER"
	varPrefix      = "OTEL_EXPORTER_OTLP_"
	varTraces      = "OTEL_EXPORTER_OTLP_TRACES_"
	varServiceName = "OTEL_SERVICE_NAME"
	varResource    = "OTEL_RESOURCE_ATTRIBUTES"
	varSampler     = "OTEL_TRACES_SAMPLER"
	varSamplerArg  = "OTEL_TRACES_SAMPLER_ARG"
	varQueue       = "OTEL_BSP_MAX_QUEUE_SIZE"
	varBatch       = "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"
	varDelay       = "OTEL_BSP_SCHEDULE_DELAY"
)

// Variable is an environment variable, for the reference.
type Variable struct{ Names, Default, Doc string }

// Variables are all variables that FromEnvironment reads.
func Variables() []Variable {
	both := func(name string) string { return "`" + varPrefix + name + "`, `" + varTraces + name + "`" }
	one := func(name string) string { return "`" + name + "`" }
	return []Variable{
		{both("ENDPOINT"), "", "Where spans go, by OTLP/HTTP in JSON: the first is the collector's base URL, such as `http://localhost:4318`, to which `/v1/traces` is added; the second is used as it is. Without one of them, there are no spans"},
		{both("HEADERS"), "", "Headers of the requests, `name=value,name=value`, with percent-encoded values: an API key"},
		{both("TIMEOUT"), "10000", "How long a request may take, in milliseconds"},
		{both("COMPRESSION"), "none", "`gzip` or `none`"},
		{both("PROTOCOL"), "http/json", "`http/json`. With `http/protobuf` evrun warns, and sends JSON to the same place; with `grpc` it sends nothing, because it has a different port"},
		{both("CERTIFICATE"), "", "A PEM file with the certificates of the authorities that the collector's is trusted by"},
		{both("CLIENT_CERTIFICATE") + "; " + both("CLIENT_KEY"), "", "PEM files with the certificate and the key that evrun shows to the collector"},
		{one(varServiceName), "evrun", "The resource attribute `service.name`"},
		{one(varResource), "", "Resource attributes, `name=value,name=value`, with percent-encoded values"},
		{one(varSampler), "parentbased_always_on", "`always_on`, `always_off`, `traceidratio`, `parentbased_always_on`, `parentbased_always_off`, `parentbased_traceidratio`: which traces have spans. With `parentbased_…`, an event's own `traceparent` decides, if it has one"},
		{one(varSamplerArg), "1", "The part of the traces that `traceidratio` takes, from 0 to 1"},
		{one(varQueue), strconv.Itoa(defaultQueue), "How many spans may wait to be sent. More are dropped, and counted"},
		{one(varBatch), strconv.Itoa(defaultBatch), "How many spans a request has at most"},
		{one(varDelay), "5000", "How long spans wait for others, in milliseconds"},
		{one(varExporter), "otlp", "`none`: no spans, whatever the endpoint"},
		{one(varDisabled), "false", "`true`: no spans, whatever the endpoint"},
	}
}

// The defaults.
const (
	defaultTimeout = 10 * time.Second
	defaultQueue   = 32 << 10
	defaultBatch   = 512
	defaultDelay   = 5 * time.Second
)

// environment reads the variables.
type environment struct {
	getenv func(string) string
	faults []Fault
}

// FromEnvironment reads the variables of OpenTelemetry that are about traces. The result is nil if no spans are wanted, or if they can't be sent because of a
// fault. Other faults leave a variable at its default.
func FromEnvironment(getenv func(string) string) (*Settings, []Fault) {
	e := &environment{getenv: getenv}
	s := e.settings()
	return s, e.faults
}

func (e *environment) get(name string) string { return strings.TrimSpace(e.getenv(name)) }

// either returns the value of the variable for traces or else that for all signals, and the name of the one that has it.
func (e *environment) either(name string) (value, variable string) {
	if v := e.get(varTraces + name); v != "" {
		return v, varTraces + name
	}
	return e.get(varPrefix + name), varPrefix + name
}

func (e *environment) fault(variable, hint, format string, args ...any) {
	e.faults = append(e.faults, Fault{variable, fmt.Sprintf(format, args...), hint})
}

func (e *environment) settings() *Settings {
	if v := e.get(varDisabled); strings.EqualFold(v, "true") {
		return nil
	} else if v != "" && !strings.EqualFold(v, "false") {
		e.fault(varDisabled, "true or false", "%s is neither true nor false", fault.Quote(v))
	}
	endpoint, _ := e.either("ENDPOINT")
	if endpoint == "" {
		return nil
	}
	switch v := e.get(varExporter); v {
	case "", "otlp":
	case "none":
		return nil
	default:
		e.fault(varExporter, "otlp or none", "evrun has no exporter %s, so there are no spans", fault.Quote(v))
		return nil
	}
	s := &Settings{URL: e.url(), Sampler: e.sampler()}
	sends := s.URL != "" && e.protocol()
	s.Headers = http.Header{}
	headers, variable := e.either("HEADERS")
	for name, value := range e.pairs(variable, headers) {
		if !headerName(name) || strings.ContainsFunc(value, func(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }) {
			e.fault(variable, "name=value,name=value", "a name or a value can't be in a header")
			continue
		}
		s.Headers.Set(name, value)
	}
	s.Timeout = e.milliseconds("TIMEOUT")
	switch v, variable := e.either("COMPRESSION"); v {
	case "", "none":
	case "gzip":
		s.Gzip = true
	default:
		e.fault(variable, "gzip or none", "evrun can't compress with %s", fault.Quote(v))
	}
	if s.TLS = e.tls(); s.TLS == nil {
		sends = false
	}
	s.Resource = e.pairs(varResource, e.get(varResource))
	if name := e.get(varServiceName); name != "" {
		s.Resource[serviceName] = name
	}
	s.Queue, s.Batch = e.number(varQueue, 1_000_000), e.number(varBatch, 100_000)
	s.Delay = time.Duration(e.number(varDelay, 3_600_000)) * time.Millisecond
	s.Batch = min(cmp.Or(s.Batch, defaultBatch), cmp.Or(s.Queue, defaultQueue))
	if !sends {
		return nil
	}
	return s
}

// url returns the collector's; empty: it is not valid.
func (e *environment) url() string {
	text, variable := e.either("ENDPOINT")
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.Opaque != "" {
		e.fault(variable, "a URL such as http://localhost:4318", "%s is not the URL of a collector, so there are no spans", fault.Quote(safe(text)))
		return ""
	}
	if variable == varPrefix+"ENDPOINT" {
		u.Path = strings.TrimSuffix(u.Path, "/") + "/v1/traces"
	} else if u.Path == "" {
		u.Path = "/"
	}
	return u.String()
}

// Place is the URL, without a password.
func (s *Settings) Place() string { return safe(s.URL) }

// safe is a URL without a password.
func safe(text string) string {
	u, err := url.Parse(text)
	if err != nil {
		return "…"
	}
	return u.Redacted()
}

// protocol reports whether the collector is asked for one that evrun speaks, or that is close enough.
func (e *environment) protocol() bool {
	switch v, variable := e.either("PROTOCOL"); v {
	case "", "http/json":
	case "http/protobuf":
		e.fault(variable, "http/json", "evrun sends JSON; collectors take it at the same place")
	case "grpc":
		e.fault(variable, "http/json, and the endpoint of the collector's HTTP receiver (port 4318)", "evrun does not speak gRPC, so there are no spans")
		return false
	default:
		e.fault(variable, "http/json", "evrun does not know %s, and sends JSON", fault.Quote(v))
	}
	return true
}

func (e *environment) sampler() trace.Sampler {
	ratio := 1.0
	if v := e.get(varSamplerArg); v != "" {
		var err error
		if ratio, err = strconv.ParseFloat(v, 64); err != nil || !(ratio >= 0 && ratio <= 1) {
			e.fault(varSamplerArg, "such as 0.1", "%s is not a number from 0 to 1, so all traces have spans", fault.Quote(v))
			ratio = 1
		}
	}
	v := e.get(varSampler)
	name, parentBased := strings.CutPrefix(v, "parentbased_")
	switch name {
	case "always_on":
		ratio = 1
	case "always_off":
		ratio = 0
	case "traceidratio":
	default:
		if v != "" {
			e.fault(varSampler, "always_on, always_off or traceidratio, or one of them after parentbased_", "evrun has no sampler %s, and takes parentbased_always_on", fault.Quote(v))
		}
		return trace.Sampler{Ratio: 1}
	}
	return trace.Sampler{Ratio: ratio, Always: !parentBased}
}

// pairs reads name=value,name=value, with percent-encoded values. If a part is not valid, it returns none.
func (e *environment) pairs(variable, text string) map[string]string {
	m := map[string]string{}
	for part := range strings.SplitSeq(text, ",") {
		if strings.TrimSpace(part) == "" {
			continue
		}
		name, value, ok := strings.Cut(part, "=")
		value, err := url.PathUnescape(strings.TrimSpace(value))
		if name = strings.TrimSpace(name); !ok || name == "" || err != nil {
			e.fault(variable, "name=value,name=value, with percent-encoded values", "it is not a list of names and values, and is left out") // it may have a secret
			return map[string]string{}
		}
		m[name] = value
	}
	return m
}

// headerName reports whether a header can have this name, and evrun does not set it.
func headerName(name string) bool {
	switch http.CanonicalHeaderKey(name) {
	case "Content-Type", "Content-Encoding", "Content-Length", "Host", "Transfer-Encoding", "Connection":
		return false
	}
	return name != "" && expression.IsHeaderName(name)
}

func (e *environment) milliseconds(name string) time.Duration {
	_, variable := e.either(name)
	return time.Duration(e.number(variable, 3_600_000)) * time.Millisecond
}

// number reads a positive number; 0: the default.
func (e *environment) number(variable string, most int) int {
	v := e.get(variable)
	if v == "" {
		return 0
	}
	n, err := strconv.Atoi(v)
	if err != nil || n < 1 || n > most {
		e.fault(variable, "leave it out for the default", "%s is not a number from 1 to %d", fault.Quote(v), most)
		return 0
	}
	return n
}

// tls returns how the collector is trusted; nil: a file can't be used.
func (e *environment) tls() *tls.Config {
	c := &tls.Config{MinVersion: tls.VersionTLS12}
	ok := true
	read := func(name string) []byte {
		path, variable := e.either(name)
		if path == "" {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			ok = false
			e.fault(variable, "a PEM file", "it can't be read, so there are no spans: %v", err)
		}
		return text
	}
	if text := read("CERTIFICATE"); text != nil {
		c.RootCAs = x509.NewCertPool()
		if !c.RootCAs.AppendCertsFromPEM(text) {
			ok = false
			_, variable := e.either("CERTIFICATE")
			e.fault(variable, "a PEM file", "it has no certificate, so there are no spans")
		}
	}
	cert, key := read("CLIENT_CERTIFICATE"), read("CLIENT_KEY")
	if cert != nil || key != nil {
		pair, err := tls.X509KeyPair(cert, key)
		if err != nil && ok {
			ok = false
			_, variable := e.either("CLIENT_CERTIFICATE")
			e.fault(variable, "PEM files of a certificate and of its key", "they don't fit, so there are no spans: %v", err)
		}
		c.Certificates = []tls.Certificate{pair}
	}
	if !ok {
		return nil
	}
	return c
}
