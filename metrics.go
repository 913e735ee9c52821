package signedlink

import (
	"cmp"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/signedlink/caddy-signed-link/internal/gateway/outcome"
	"github.com/signedlink/caddy-signed-link/internal/metrics"
	"github.com/signedlink/caddy-signed-link/keys"
	"github.com/signedlink/caddy-signed-link/link"
)

// noReason is the label of requests that verify.
const noReason = "none"

// meter counts what a definition does. All its counters are found when it is provisioned:
// no request makes a label, and none waits for a lock.
type meter struct {
	verifications   [len(outcome.Results)][]prometheus.Counter // by [reasonIndex]; nil: it cannot happen
	cookiesCut      prometheus.Counter
	pathRefusals    prometheus.Counter
	wrongSignatures prometheus.Counter
	seconds         prometheus.Observer
}

// reasonIndex is the place of a reason, and 0 for none.
func reasonIndex(r link.Reason) int { return slices.Index(link.Reasons, r) + 1 }

// newMeter makes the counters of all that the definition can say. They begin at 0, so
// that the first refusal of a kind is an increase.
func (h *Handler) newMeter() *meter {
	m := &meter{
		cookiesCut:   metrics.CookiesCut.WithLabelValues(h.label),
		pathRefusals: metrics.PathRefusals.WithLabelValues(h.label),
	}
	for r := range m.verifications {
		m.verifications[r] = make([]prometheus.Counter, len(link.Reasons)+1)
	}
	add := func(r outcome.Result, reasons ...link.Reason) {
		for _, reason := range reasons {
			label := cmp.Or(string(reason), noReason)
			m.verifications[r][reasonIndex(reason)] = metrics.Verifications.WithLabelValues(h.label, outcome.Results[r], label)
		}
	}
	if h.Guard {
		add(outcome.Refused, link.Ambiguous) // a target without a path
		return m
	}
	switch h.rules.Mode {
	case outcome.Require:
		add(outcome.Verified, "")
		add(outcome.Refused, link.Reasons...)
		if h.rules.PassMissing {
			add(outcome.Anonymous, link.Missing)
		}
	case outcome.Recognize:
		add(outcome.Verified, "")
		add(outcome.Anonymous, link.Reasons...)
		add(outcome.Refused, link.Malformed, link.Ambiguous) // the bounds of a query, the path rule, two users
	case outcome.Observe:
		add(outcome.WouldVerify, "")
		add(outcome.WouldRefuse, link.Reasons...)
	}
	m.wrongSignatures = metrics.WrongSignatures.WithLabelValues(h.label)
	m.seconds = metrics.Seconds.WithLabelValues(h.label)
	return m
}

// count counts what became of a request that the definition judged. A reason that the
// scheme of another module invented has no counter.
func (m *meter) count(r outcome.Result, v *verdict) {
	if c := m.verifications[r][reasonIndex(v.Reason)]; c != nil {
		c.Inc()
	}
	if v.wrong {
		m.wrongSignatures.Inc()
	}
}

// matches counts how often each key of a scheme verified a link, and when last. The
// counters are found once for each key set that a source brings, and not on every
// request; all keys of a set have one from the start, so that a key which nobody uses
// shows as 0 and not as a gap.
type matches struct {
	known   atomic.Pointer[knownKeys]
	lookups map[string]prometheus.Counter // of users' own keys, by result
}

// knownKeys are the counters of one key set, by key id.
type knownKeys struct {
	set  *keys.Set // nil: users' own keys
	byID map[string]keyMetrics
}

// keyMetrics are the collectors of one key. The time of the last match has no value
// until there is one: 0 would be read as "not for decades" after every restart.
type keyMetrics struct {
	count prometheus.Counter
	last  func() prometheus.Gauge
}

func newKeyMetrics(scheme, id string) keyMetrics {
	return keyMetrics{
		count: metrics.KeyMatches.WithLabelValues(scheme, id),
		last:  sync.OnceValue(func() prometheus.Gauge { return metrics.KeyLastMatch.WithLabelValues(scheme, id) }),
	}
}

// prepare makes the counters of the keys that are there now.
func (m *matches) prepare(s *scheme) *knownKeys {
	k := &knownKeys{byID: make(map[string]keyMetrics)}
	if s.users != nil {
		m.lookups = make(map[string]prometheus.Counter)
		for _, result := range []string{lookupKnown, lookupUnknown, lookupUnavailable} {
			m.lookups[result] = metrics.UserLookups.WithLabelValues(s.name, result)
		}
		k.byID[metrics.PerUser] = newKeyMetrics(s.name, metrics.PerUser)
	} else {
		k.set = s.keys.KeySet()
		for _, key := range k.set.All() {
			k.byID[key.ID] = newKeyMetrics(s.name, key.ID)
		}
	}
	m.known.Store(k)
	return k
}

// countLookup counts what became of a lookup of a user's key, if there was one.
func (m *matches) countLookup(result string) {
	if c := m.lookups[result]; c != nil {
		c.Inc()
	}
}

// count counts a link that the key with this id verified.
func (m *matches) count(s *scheme, id string, now time.Time) {
	k := m.known.Load()
	if s.users != nil {
		id = metrics.PerUser
	} else if k.set != s.keys.KeySet() {
		k = m.prepare(s)
	}
	key, ok := k.byID[id]
	if !ok { // it was removed while the request was under way
		key = newKeyMetrics(s.name, id)
	}
	key.count.Inc()
	key.last().Set(float64(now.UnixMilli()) / 1000)
}
