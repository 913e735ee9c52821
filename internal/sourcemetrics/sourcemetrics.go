// Package sourcemetrics counts what key sources do. Its collectors are made once and
// registered with each configuration's registry, so that counts survive reloads.
package sourcemetrics

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	namespace = "caddy"
	subsystem = "signed_link"
)

// The collectors, by kind of source.
var (
	// Errors counts failures of key sources: a file that could not be read again,
	// a database that did not answer. The last good keys stay in force meanwhile, or
	// links get keys_unavailable.
	Errors = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: subsystem, Name: "key_source_errors_total",
		Help: "Failures of key sources, by kind of source.",
	}, []string{"source"})

	// Loads counts successful readings of key files.
	Loads = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: subsystem, Name: "key_source_loads_total",
		Help: "Successful readings of key sources, by kind of source.",
	}, []string{"source"})

	// Seconds is how long lookups in key sources take that are not answered from
	// memory.
	Seconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Subsystem: subsystem, Name: "key_source_duration_seconds",
		Help:    "Duration of lookups in key sources, by kind of source.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
	}, []string{"source"})
)

// Register adds the collectors to a registry that may have them already, and has those of a
// kind of source begin at 0: a counter whose first value is already 1 never increases, and
// the first error would go unseen.
func Register(registry prometheus.Registerer, source string) error {
	for _, c := range []prometheus.Collector{Errors, Loads, Seconds} {
		var known prometheus.AlreadyRegisteredError
		if err := registry.Register(c); err != nil && !errors.As(err, &known) {
			return err
		}
	}
	Errors.WithLabelValues(source)
	Loads.WithLabelValues(source)
	Seconds.WithLabelValues(source)
	return nil
}
