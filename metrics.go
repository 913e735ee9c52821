package signedlink

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/signedlink/caddy-signed-link/internal/metrics"
	"github.com/signedlink/caddy-signed-link/keys"
)

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
