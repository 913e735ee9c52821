package metrics

import (
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/keys"
)

// changing is a source that brings another set at times.
type changing struct{ set *keys.Set }

func (c *changing) KeySet() *keys.Set { return c.set }

func newSet(t *testing.T, ids ...string) *keys.Set {
	t.Helper()
	all := make([]keys.Key, len(ids))
	for i, id := range ids {
		all[i] = keys.Key{ID: id, Secret: keys.NewSecret([]byte("a secret for " + id))}
	}
	set, err := keys.NewSet(all...)
	if err != nil {
		t.Fatal(err)
	}
	return set
}

// TestKeys: counting stands in the way of every request, so it takes no memory; and each
// key of a new set has a counter before it is used.
func TestKeys(t *testing.T) {
	source := &changing{newSet(t, "2026", "2027")}
	shared, users, now := NewKeys("frugal", source), NewKeys("each", nil), time.Now()
	for name, count := range map[string]func(){
		"a key of a set": func() { shared.Count("2027", now) },
		"a user's key":   func() { users.Count("", now) },
		"a lookup":       func() { users.CountLookup(definition.LookupKnown) },
		"no lookup":      func() { users.CountLookup("") },
		"no users":       func() { shared.CountLookup(definition.LookupKnown) },
	} {
		if n := testing.AllocsPerRun(100, count); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
	source.set = newSet(t, "2027", "2028")
	shared.Count("2026", now) // it verified before the set changed
	if _, ok := shared.known.Load().byID["2028"]; !ok {
		t.Error("the new key has no counter")
	}
}
