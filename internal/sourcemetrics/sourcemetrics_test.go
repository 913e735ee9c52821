package sourcemetrics

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

// TestRegister: a source that has done nothing yet shows zeros, so that its first error
// is an increase.
func TestRegister(t *testing.T) {
	registry := prometheus.NewRegistry()
	for range 2 { // as after a reload
		if err := Register(registry, "test"); err != nil {
			t.Fatal(err)
		}
	}
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	begun := make(map[string]bool)
	for _, family := range families {
		for _, m := range family.GetMetric() {
			for _, label := range m.GetLabel() {
				if label.GetName() == "source" && label.GetValue() == "test" {
					begun[family.GetName()] = m.GetCounter().GetValue() == 0 && m.GetHistogram().GetSampleCount() == 0
				}
			}
		}
	}
	for _, name := range []string{"errors_total", "loads_total", "duration_seconds"} {
		if !begun["caddy_signed_link_key_source_"+name] {
			t.Errorf("%s does not begin at 0: %v", name, begun)
		}
	}
}
