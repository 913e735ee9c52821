// Package metrics holds the collectors of the module. They are made once and
// registered with each configuration's registry, so that counts survive reloads. No
// label is ever made of what a client wrote: names of schemes, key ids of key sets and
// kinds of sources are the operator's, and few.
package metrics

import (
	"errors"

	"github.com/prometheus/client_golang/prometheus"
)

const (
	namespace = "caddy"
	subsystem = "signed_link"
)

// PerUser is the key id under which all matches of users' own keys are counted.
const PerUser = "(user)"

// The collectors.
var (
	// KeyMatches counts the links that each key verified: a key whose count no longer
	// grows is safe to retire.
	KeyMatches = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: subsystem, Name: "key_matches_total",
		Help: "Links that a key verified, by scheme and key id.",
	}, []string{"scheme", "key_id"})

	// KeyLastMatch is when each key last verified a link.
	KeyLastMatch = prometheus.NewGaugeVec(prometheus.GaugeOpts{
		Namespace: namespace, Subsystem: subsystem, Name: "key_last_match_timestamp_seconds",
		Help: "When a key last verified a link, by scheme and key id, in seconds since 1970.",
	}, []string{"scheme", "key_id"})

	// UserLookups counts how lookups of users' own keys ended. Only here and in the log
	// is a user who does not exist told from a wrong signature.
	UserLookups = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: subsystem, Name: "user_lookups_total",
		Help: "Lookups of users' own keys, by scheme and result: known, unknown or unavailable.",
	}, []string{"scheme", "result"})

	// SourceErrors counts failures of key sources: a file that could not be read again,
	// a database that did not answer. The last good keys stay in force meanwhile, or
	// links get keys_unavailable.
	SourceErrors = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: subsystem, Name: "key_source_errors_total",
		Help: "Failures of key sources, by kind of source.",
	}, []string{"source"})

	// SourceLoads counts successful readings of key files.
	SourceLoads = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: subsystem, Name: "key_source_loads_total",
		Help: "Successful readings of key sources, by kind of source.",
	}, []string{"source"})

	// SourceSeconds is how long lookups in key sources take that are not answered from
	// memory.
	SourceSeconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Subsystem: subsystem, Name: "key_source_duration_seconds",
		Help:    "Duration of lookups in key sources, by kind of source.",
		Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
	}, []string{"source"})
)

// Register adds the collectors to a registry that may have them already.
func Register(registry prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{KeyMatches, KeyLastMatch, UserLookups, SourceErrors, SourceLoads, SourceSeconds} {
		var known prometheus.AlreadyRegisteredError
		if err := registry.Register(c); err != nil && !errors.As(err, &known) {
			return err
		}
	}
	return nil
}
