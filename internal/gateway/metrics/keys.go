package metrics

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/keys"
)

// Keys counts how often each key of a scheme verified a link, and when last. The
// counters are found once for each key set that a source brings, and not on every
// request; all keys of a set have one from the start, so that a key which nobody uses
// shows as 0 and not as a gap.
type Keys struct {
	scheme  string
	source  keys.SetSource // nil: users' own keys
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
		count: KeyMatches.WithLabelValues(scheme, id),
		last:  sync.OnceValue(func() prometheus.Gauge { return KeyLastMatch.WithLabelValues(scheme, id) }),
	}
}

// NewKeys makes the counters of the keys that are there now. A source of nil stands for
// users' own keys.
func NewKeys(scheme string, source keys.SetSource) *Keys {
	m := &Keys{scheme: scheme, source: source}
	m.prepare()
	return m
}

// prepare makes the counters of the keys that are there now.
func (m *Keys) prepare() *knownKeys {
	k := &knownKeys{byID: make(map[string]keyMetrics)}
	if m.source == nil {
		m.lookups = make(map[string]prometheus.Counter)
		for _, result := range []string{definition.LookupKnown, definition.LookupUnknown, definition.LookupUnavailable} {
			m.lookups[result] = UserLookups.WithLabelValues(m.scheme, result)
		}
		k.byID[PerUser] = newKeyMetrics(m.scheme, PerUser)
	} else {
		k.set = m.source.KeySet()
		for _, key := range k.set.All() {
			k.byID[key.ID] = newKeyMetrics(m.scheme, key.ID)
		}
	}
	m.known.Store(k)
	return k
}

// CountLookup counts what became of a lookup of a user's key, if there was one.
func (m *Keys) CountLookup(result string) {
	if c := m.lookups[result]; c != nil {
		c.Inc()
	}
}

// Count counts a link that the key with this id verified.
func (m *Keys) Count(id string, now time.Time) {
	k := m.known.Load()
	if m.source == nil {
		id = PerUser
	} else if k.set != m.source.KeySet() {
		k = m.prepare()
	}
	key, ok := k.byID[id]
	if !ok { // it was removed while the request was under way
		key = newKeyMetrics(m.scheme, id)
	}
	key.count.Inc()
	key.last().Set(float64(now.UnixMilli()) / 1000)
}
