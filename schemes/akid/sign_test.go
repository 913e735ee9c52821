package akid

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/link"
)

// TestSignRandom: AKIDs that are made verify, with the claims that they were made of, and
// with no other key.
func TestSignRandom(t *testing.T) {
	s := newScheme(t, Scheme{}, link.Options{})
	random := rand.New(rand.NewPCG(1, 2))
	for range 2000 {
		mailing, user := "", strconv.FormatUint(random.Uint64()>>random.IntN(60), 10)
		if random.IntN(3) > 0 {
			mailing = strings.Map(func(c rune) rune {
				return rune("abcXYZ019_-"[int(c)*random.IntN(11)%11])
			}, strings.Repeat("\x01", 1+random.IntN(20)))
		}
		key := []byte(strconv.FormatUint(random.Uint64(), 36))
		r := &link.Request{Method: "GET", Path: "/"}
		if err := r.Query.Parse("a=1&akid=old"); err != nil {
			t.Fatal(err)
		}
		target, err := s.(link.Signer).Sign(r, link.Grant{Claims: link.Claims{{Name: "user", Value: user}, {Name: "mailing", Value: mailing}}}, key)
		if err != nil {
			t.Fatalf("%q %q: %v", mailing, user, err)
		}
		signed := &link.Request{Method: "GET", Path: "/"}
		if err := signed.Query.Parse(strings.TrimPrefix(target, "/?")); err != nil {
			t.Fatal(err)
		}
		var l link.Link
		if refusal := s.Read(signed, &l); !refusal.None() || l.Claims.Get("user") != user || l.Claims.Get("mailing") != mailing {
			t.Fatalf("%s: %s %v", target, refusal, l.Claims)
		}
		if !s.Verify(signed, &l, key) || s.Verify(signed, &l, append(key, 'x')) {
			t.Fatalf("%s does not verify, or with every key", target)
		}
	}
	for _, claims := range []link.Claims{nil, {{Name: "user", Value: "jeff"}}, {{Name: "user", Value: "7"}, {Name: "mailing", Value: "a b"}}, {{Name: "user", Value: "-1"}}} {
		if target, err := s.(link.Signer).Sign(&link.Request{Path: "/"}, link.Grant{Claims: claims}, []byte("key")); err == nil {
			t.Errorf("%v: %s was made, which is no AKID", claims, target)
		}
	}
}
