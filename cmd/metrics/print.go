package metrics

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"math"
	"slices"
	"strconv"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"evrun/events"
)

// sample is a line of a scrape in JSON.
type sample struct {
	Name    string            `json:"name"`
	Type    string            `json:"type"`
	Labels  map[string]string `json:"labels,omitempty"`
	Value   any               `json:"value,omitempty"` // a number, or a text: "NaN", "+Inf"
	Count   *uint64           `json:"count,omitempty"` // of a histogram or a summary, and the rest
	Sum     any               `json:"sum,omitempty"`
	Buckets map[string]uint64 `json:"buckets,omitempty"` // how many were at most so large
}

// WriteJSON writes a scrape as one object a line.
func WriteJSON(w io.Writer, text []byte) error {
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(bytes.NewReader(text))
	if err != nil {
		return fmt.Errorf("the daemon's metrics: %w", err)
	}
	for _, name := range slices.Sorted(maps.Keys(families)) {
		for _, m := range families[name].Metric {
			if err := events.WriteJSON(w, sampleOf(families[name], m)); err != nil {
				return err
			}
		}
	}
	return nil
}

func sampleOf(f *dto.MetricFamily, m *dto.Metric) sample {
	s := sample{Name: f.GetName()}
	for _, l := range m.Label {
		if s.Labels == nil {
			s.Labels = map[string]string{}
		}
		s.Labels[l.GetName()] = l.GetValue()
	}
	switch h := m.GetHistogram(); f.GetType() {
	case dto.MetricType_COUNTER:
		s.Type, s.Value = "counter", number(m.GetCounter().GetValue())
	case dto.MetricType_HISTOGRAM:
		count := h.GetSampleCount()
		s.Type, s.Count, s.Sum, s.Buckets = "histogram", &count, number(h.GetSampleSum()), map[string]uint64{}
		for _, b := range h.Bucket {
			s.Buckets[strconv.FormatFloat(b.GetUpperBound(), 'g', -1, 64)] = b.GetCumulativeCount()
		}
	case dto.MetricType_SUMMARY:
		count := m.GetSummary().GetSampleCount()
		s.Type, s.Count, s.Sum = "summary", &count, number(m.GetSummary().GetSampleSum())
	default:
		s.Type, s.Value = "gauge", number(m.GetGauge().GetValue())
	}
	return s
}

// number is a value in JSON, which has no infinity.
func number(v float64) any {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return strconv.FormatFloat(v, 'g', -1, 64)
	}
	return v
}
