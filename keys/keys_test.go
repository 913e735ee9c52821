package keys_test

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/keys"
	"github.com/signedlink/caddy-signed-link/keys/keystest"
)

func secret(s string) keys.Secret { return keys.NewSecret([]byte(s)) }

func TestKeyAt(t *testing.T) {
	from, to := time.Unix(1000, 0), time.Unix(2000, 0)
	for i, tc := range []struct {
		key  keys.Key
		now  time.Time
		want keys.State
	}{
		{keys.Key{}, time.Time{}, keys.Valid},
		{keys.Key{}, time.Unix(math.MaxInt32, 0), keys.Valid},
		{keys.Key{NotBefore: from}, from.Add(-1), keys.NotYetValid},
		{keys.Key{NotBefore: from}, from, keys.Valid},
		{keys.Key{NotAfter: to}, to.Add(-1), keys.Valid},
		{keys.Key{NotAfter: to}, to, keys.Expired},
		{keys.Key{NotAfter: to}, to.Add(1), keys.Expired},
		{keys.Key{NotBefore: from, NotAfter: to}, from.Add(-1), keys.NotYetValid},
		{keys.Key{NotBefore: from, NotAfter: to}, from, keys.Valid},
		{keys.Key{NotBefore: from, NotAfter: to}, to, keys.Expired},
		{keys.Key{NotBefore: from}, from.In(time.FixedZone("", -3600)), keys.Valid},
	} {
		if got := tc.key.At(tc.now); got != tc.want {
			t.Errorf("Test %d: expected %s, got %s", i, tc.want, got)
		}
	}
	if got := fmt.Sprint(keys.Valid, keys.NotYetValid, keys.Expired, keys.State(9)); got != "valid not_yet_valid expired State(9)" {
		t.Errorf("states are called %s", got)
	}
}

func TestNewSet(t *testing.T) {
	ok, at := secret("a-secret-of-some-length"), time.Unix(1000, 0)
	for _, tc := range []struct {
		name string
		keys []keys.Key
		err  string
	}{
		{"none", nil, "there is no key"},
		{"one", []keys.Key{{Secret: ok}}, ""},
		{"one with id", []keys.Key{{ID: "!#$%&'()*+-./:<=>?@[]^_`{|}~", Secret: ok}}, ""},
		{"two", []keys.Key{{ID: "a", Secret: ok}, {ID: "A", Secret: ok}}, ""},
		{"empty secret", []keys.Key{{ID: "a"}}, "key 1 has an empty secret"},
		{"second empty", []keys.Key{{ID: "a", Secret: ok}, {ID: "b", Secret: secret("")}}, "key 2 has an empty secret"},
		{"two without id", []keys.Key{{ID: "a", Secret: ok}, {Secret: ok}}, "key 2 has no id"},
		{"same id", []keys.Key{{ID: "a", Secret: ok}, {ID: "b", Secret: ok}, {ID: "a", Secret: ok}}, `keys 1 and 3 have the same id "a"`},
		{"id with a blank", []keys.Key{{ID: "a b", Secret: ok}}, "key 1: its id has a character"},
		{"id with a semicolon", []keys.Key{{ID: "a;b", Secret: ok}}, "its id has a character"},
		{"id with a comma", []keys.Key{{ID: "a,b", Secret: ok}}, "its id has a character"},
		{"id with a line break", []keys.Key{{ID: "a\r\nX-Admin: 1", Secret: ok}}, "its id has a character"},
		{"id with DEL", []keys.Key{{ID: "a\x7f", Secret: ok}}, "its id has a character"},
		{"id beyond ASCII", []keys.Key{{ID: "é", Secret: ok}}, "its id has a character"},
		{"id of 64", []keys.Key{{ID: strings.Repeat("a", 64), Secret: ok}}, ""},
		{"id of 65", []keys.Key{{ID: strings.Repeat("a", 65), Secret: ok}}, "65 bytes"},
		{"never valid", []keys.Key{{Secret: ok, NotBefore: at, NotAfter: at}}, "can never be valid"},
		{"reversed", []keys.Key{{Secret: ok, NotBefore: at.Add(1), NotAfter: at}}, "can never be valid"},
		{"a nanosecond", []keys.Key{{Secret: ok, NotBefore: at, NotAfter: at.Add(1)}}, ""},
	} {
		set, err := keys.NewSet(tc.keys...)
		if tc.err == "" {
			if err != nil || set.Len() != len(tc.keys) {
				t.Errorf("%s: error %v", tc.name, err)
			}
			continue
		}
		if err == nil || !strings.Contains(err.Error(), tc.err) || set != nil {
			t.Errorf("%s: error %v, want %q", tc.name, err, tc.err)
		}
	}
}

// TestSetImmutable: the set keeps its own list, and appending to what it
// gives out does not write into it.
func TestSetImmutable(t *testing.T) {
	given := []keys.Key{{ID: "a", Secret: secret("aaaa")}, {ID: "b", Secret: secret("bbbb")}}
	set, err := keys.NewSet(given...)
	if err != nil {
		t.Fatal(err)
	}
	given[0].ID = "changed"
	if set.All()[0].ID != "a" || set.ByID("a") == nil || set.ByID("changed") != nil {
		t.Error("the set shares the caller's list")
	}
	if all := set.All(); cap(all) != len(all) {
		t.Error("the list can be appended to in place")
	}
	if got, want := set.String(), "key set of 2 a b"; got != want {
		t.Errorf("String is %q, want %q", got, want)
	}
	now := time.Now()
	if n := testing.AllocsPerRun(100, func() {
		if set.KeySet().ByID("b") != &set.All()[1] || set.Current(now) != &set.All()[0] {
			t.Error("ByID or Current copies the key")
		}
	}); n != 0 {
		t.Errorf("the lookups allocate %v times", n)
	}
	var zero keys.Set
	if zero.Len() != 0 || zero.ByID("") != nil || zero.Current(now) != nil || len(zero.All()) != 0 {
		t.Error("the zero Set has a key")
	}
}

func TestCurrentNone(t *testing.T) {
	at := time.Unix(1000, 0)
	set, err := keys.NewSet(keys.Key{ID: "old", Secret: secret("old"), NotAfter: at}, keys.Key{ID: "new", Secret: secret("new"), NotBefore: at.Add(1)})
	if err != nil {
		t.Fatal(err)
	}
	if set.Current(at) != nil {
		t.Error("a key that is not valid is current")
	}
}

func TestSetConformance(t *testing.T) {
	keystest.Sets(t, func(t *testing.T, want []keys.Key) keys.SetSource {
		set, err := keys.NewSet(want...)
		if err != nil {
			t.Fatal(err)
		}
		return set
	})
}
