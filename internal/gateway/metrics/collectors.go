// Package metrics counts what the gateway does. Its collectors are made once and
// registered with each configuration's registry, so that counts survive reloads. No
// label is ever made of what a client wrote: names of schemes and key ids of key sets
// are the operator's, and few.
package metrics

import (
	"errors"
	"sync"

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
	// Verifications counts requests that a definition judged: what it made of them, and
	// the reason if they do not verify.
	Verifications = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: subsystem, Name: "verifications_total",
		Help: "Requests judged, by definition, result (verified, refused, anonymous, would_verify, would_refuse) and reason (none if verified).",
	}, []string{"definition", "result", "reason"})

	// CookiesCut counts cookies that PHP would have filed under a protected name.
	CookiesCut = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: subsystem, Name: "cookies_cut_total",
		Help: "Cookies removed because a backend could take them for a protected parameter, by definition.",
	}, []string{"definition"})

	// PathRefusals counts requests whose path is beyond the bounds.
	PathRefusals = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: subsystem, Name: "path_refusals_total",
		Help: "Requests whose path is beyond the bounds, so that nobody can say whether the definition applies, by definition.",
	}, []string{"definition"})

	// WrongSignatures counts links of the right form that no key makes, from wherever they
	// come: its rate is the measure of guessing that is spread over many networks.
	WrongSignatures = prometheus.NewCounterVec(prometheus.CounterOpts{
		Namespace: namespace, Subsystem: subsystem, Name: "wrong_signatures_total",
		Help: "Links of the right form whose signature no key makes, by definition.",
	}, []string{"definition"})

	// Seconds is the handler's own time for requests that its matcher matches, from
	// reading the query to handing on or refusing.
	Seconds = prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Subsystem: subsystem, Name: "duration_seconds",
		Help:    "Time spent on judging a request, without the handlers behind, by definition.",
		Buckets: []float64{1e-6, 2.5e-6, 5e-6, 1e-5, 2.5e-5, 5e-5, 1e-4, 2.5e-4, 1e-3, 5e-3, 2.5e-2, 1e-1},
	}, []string{"definition"})

	// throttles is how many networks have failures that are not forgiven yet.
	throttles = &gauges{
		counts: make(map[*func() int]string),
		desc: prometheus.NewDesc(prometheus.BuildFQName(namespace, subsystem, "throttle_networks"),
			"Client networks with failures that the throttle has not forgiven yet, by definition.", []string{"definition"}, nil),
	}

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
)

// Register adds the collectors to a registry that may have them already.
func Register(registry prometheus.Registerer) error {
	for _, c := range []prometheus.Collector{
		Verifications, CookiesCut, PathRefusals, WrongSignatures, Seconds, throttles,
		KeyMatches, KeyLastMatch, UserLookups,
	} {
		var known prometheus.AlreadyRegisteredError
		if err := registry.Register(c); err != nil && !errors.As(err, &known) {
			return err
		}
	}
	return nil
}

// HoldThrottle makes the throttle of a definition a part of the metrics, until release is
// called. Those of definitions with the same label are added up.
func HoldThrottle(definition string, networks func() int) (release func()) {
	throttles.mu.Lock()
	defer throttles.mu.Unlock()
	throttles.counts[&networks] = definition
	return func() {
		throttles.mu.Lock()
		defer throttles.mu.Unlock()
		delete(throttles.counts, &networks)
	}
}

// gauges are counted when somebody asks.
type gauges struct {
	desc *prometheus.Desc

	mu     sync.Mutex
	counts map[*func() int]string // the definition's label
}

// Describe implements [prometheus.Collector].
func (g *gauges) Describe(ch chan<- *prometheus.Desc) { ch <- g.desc }

// Collect implements [prometheus.Collector].
func (g *gauges) Collect(ch chan<- prometheus.Metric) {
	g.mu.Lock()
	defer g.mu.Unlock()
	sums := make(map[string]int)
	for count, definition := range g.counts {
		sums[definition] += (*count)()
	}
	for definition, sum := range sums {
		ch <- prometheus.MustNewConstMetric(g.desc, prometheus.GaugeValue, float64(sum), definition)
	}
}
