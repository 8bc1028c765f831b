package otlp_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"evrun/tasks/trace"
	"evrun/tasks/trace/otlp"
)

func from(set map[string]string) (*otlp.Settings, string) {
	s, faults := otlp.FromEnvironment(func(name string) string { return set[name] })
	var texts []string
	for _, f := range faults {
		texts = append(texts, f.Error()+" ("+f.Hint+")")
	}
	return s, strings.Join(texts, "\n")
}

const endpoint = "OTEL_EXPORTER_OTLP_ENDPOINT"

func TestWhereSpansGo(t *testing.T) {
	for _, c := range []struct {
		set  map[string]string
		url  string // empty: no spans
		says string
	}{
		{nil, "", ""},
		{map[string]string{endpoint: "  "}, "", ""},
		{map[string]string{endpoint: "http://localhost:4318"}, "http://localhost:4318/v1/traces", ""},
		{map[string]string{endpoint: "https://o.example/base/"}, "https://o.example/base/v1/traces", ""},
		{map[string]string{endpoint: "http://a", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://b:1/x"}, "http://b:1/x", ""},
		{map[string]string{"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://b:1"}, "http://b:1/", ""},
		{map[string]string{endpoint: "localhost:4318"}, "", `OTEL_EXPORTER_OTLP_ENDPOINT: "localhost:4318" is not the URL of a collector`},
		{map[string]string{endpoint: "localhost"}, "", `is not the URL of a collector`},
		{map[string]string{endpoint: "ftp://a"}, "", `is not the URL of a collector`},
		{map[string]string{endpoint: "http://"}, "", `is not the URL of a collector`},
		{map[string]string{endpoint: "http://a:b:c%%"}, "", `"…" is not the URL of a collector`},
		{map[string]string{endpoint: "ftp://ada:hunter2@a"}, "", `"ftp://ada:xxxxx@a"`},
		{map[string]string{endpoint: "http://a", "OTEL_SDK_DISABLED": "TRUE"}, "", ""},
		{map[string]string{endpoint: "http://a", "OTEL_SDK_DISABLED": "yes"}, "http://a/v1/traces", `OTEL_SDK_DISABLED: "yes" is neither`},
		{map[string]string{endpoint: "http://a", "OTEL_TRACES_EXPORTER": "none"}, "", ""},
		{map[string]string{endpoint: "http://a", "OTEL_TRACES_EXPORTER": "zipkin"}, "", `has no exporter "zipkin"`},
		{map[string]string{endpoint: "http://a", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"}, "", `gRPC`},
		{map[string]string{endpoint: "http://a", "OTEL_EXPORTER_OTLP_PROTOCOL": "http/protobuf"}, "http://a/v1/traces", `sends JSON`},
		{map[string]string{endpoint: "http://a", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL": "http/json"}, "http://a/v1/traces", ``},
		{map[string]string{endpoint: "http://a", "OTEL_EXPORTER_OTLP_CERTIFICATE": "/nowhere.pem"}, "", `OTEL_EXPORTER_OTLP_CERTIFICATE: it can't be read`},
		{map[string]string{endpoint: "http://a", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": "/nowhere.pem"}, "", `can't be read`},
	} {
		s, says := from(c.set)
		url := ""
		if s != nil {
			url = s.URL
		}
		if url != c.url || !strings.Contains(says, c.says) || (says == "") != (c.says == "") || strings.Contains(says, "hunter2") {
			t.Errorf("%v: %q, %s", c.set, url, says)
		}
	}
}

func TestSettingsOfSpans(t *testing.T) {
	s, says := from(map[string]string{
		endpoint: "http://a", "OTEL_EXPORTER_OTLP_HEADERS": "api-key=se%20cret, x=1 ,", "OTEL_EXPORTER_OTLP_TIMEOUT": "10", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT": "1500",
		"OTEL_EXPORTER_OTLP_COMPRESSION": "gzip", "OTEL_SERVICE_NAME": "orders", "OTEL_RESOURCE_ATTRIBUTES": "service.name=x,deployment.environment.name=a%2Cb",
		"OTEL_BSP_MAX_QUEUE_SIZE": "100", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE": "500", "OTEL_BSP_SCHEDULE_DELAY": "20",
	})
	if says != "" || s.Headers.Get("Api-Key") != "se cret" || s.Headers.Get("X") != "1" || s.Timeout != 1500*time.Millisecond || !s.Gzip || s.Resource["service.name"] != "orders" ||
		s.Resource["deployment.environment.name"] != "a,b" || s.Queue != 100 || s.Batch != 100 || s.Delay != 20*time.Millisecond {
		t.Errorf("%+v: %s", s, says)
	}
	for name, bad := range map[string]string{
		"OTEL_EXPORTER_OTLP_TIMEOUT": "10s", "OTEL_EXPORTER_OTLP_COMPRESSION": "zstd", "OTEL_BSP_MAX_QUEUE_SIZE": "0", "OTEL_BSP_SCHEDULE_DELAY": "-1",
		"OTEL_RESOURCE_ATTRIBUTES": "hunter2", "OTEL_EXPORTER_OTLP_HEADERS": "api-key hunter2", "OTEL_TRACES_SAMPLER": "xray", "OTEL_TRACES_SAMPLER_ARG": "2",
		"OTEL_EXPORTER_OTLP_PROTOCOL": "http/xml",
	} {
		s, says := from(map[string]string{endpoint: "http://a", name: bad})
		if s == nil || !strings.HasPrefix(says, name+": ") || strings.Contains(says, "hunter2") || strings.Contains(says, "\n") {
			t.Errorf("%s=%s: %+v, %s", name, bad, s, says)
		}
	}
	for _, bad := range []string{"host=x", "a=b%0D%0AX: y", "a b=c", "Content-Type=text/plain"} {
		if s, says := from(map[string]string{endpoint: "http://a", "OTEL_EXPORTER_OTLP_HEADERS": bad}); len(s.Headers) != 0 || says == "" {
			t.Errorf("%s: %v, %s", bad, s.Headers, says)
		}
	}
}

func TestSamplersByTheirNames(t *testing.T) {
	for name, want := range map[string]trace.Sampler{
		"": {Ratio: 1}, "always_on": {Ratio: 1, Always: true}, "always_off": {Always: true}, "traceidratio": {Ratio: .25, Always: true},
		"parentbased_always_on": {Ratio: 1}, "parentbased_always_off": {}, "parentbased_traceidratio": {Ratio: .25},
	} {
		if s, says := from(map[string]string{endpoint: "http://a", "OTEL_TRACES_SAMPLER": name, "OTEL_TRACES_SAMPLER_ARG": "0.25"}); s.Sampler != want || says != "" {
			t.Errorf("%s: %+v, %s", name, s.Sampler, says)
		}
	}
	if s, _ := from(map[string]string{endpoint: "http://a", "OTEL_TRACES_SAMPLER": "traceidratio", "OTEL_TRACES_SAMPLER_ARG": "NaN"}); s.Sampler.Ratio != 1 {
		t.Errorf("NaN: %+v", s.Sampler)
	}
}

func TestCertificatesOfACollector(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(path, []byte("not PEM"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s, says := from(map[string]string{endpoint: "https://a", "OTEL_EXPORTER_OTLP_CERTIFICATE": path}); s != nil || !strings.Contains(says, "has no certificate") {
		t.Errorf("%+v, %s", s, says)
	}
	if s, says := from(map[string]string{endpoint: "https://a", "OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE": path}); s != nil || !strings.Contains(says, "don't fit") {
		t.Errorf("%+v, %s", s, says)
	}
}

// Every variable that is read is in the reference.
func TestTheVariablesAreListed(t *testing.T) {
	listed := ""
	for _, v := range otlp.Variables() {
		listed += v.Names
	}
	_, _ = otlp.FromEnvironment(func(name string) string {
		if !strings.Contains(listed, "`"+name+"`") {
			t.Errorf("%s is not listed", name)
		}
		if name == endpoint {
			return "http://a"
		}
		return ""
	})
}
