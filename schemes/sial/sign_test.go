package sial

import (
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/query"
	"github.com/signedlink/caddy-signed-link/schemes/keyedhash"
)

// TestSignRandom: action links that are made verify, with no other user's secret, and not
// for another action.
func TestSignRandom(t *testing.T) {
	s := newScheme(t, Scheme{
		Options: keyedhash.Options{Message: "{user}|{action}|{params}|{secret}"},
		Action:  "{path}", Prefix: "/do/", Params: []string{"comment", "*"}, AsForm: true,
	}, link.Options{UserKeys: true})
	random := rand.New(rand.NewPCG(3, 4))
	word := func() string { return strconv.FormatUint(random.Uint64(), 36) }
	for range 1000 {
		user, action := word(), word()
		raw := query.Set(query.Set("user="+user, "comment", word()+" &=+é%"), "b"+word(), word())
		r := &link.Request{Method: "GET", Path: "/do/" + action}
		if err := r.Query.Parse(raw); err != nil {
			t.Fatal(err)
		}
		key := []byte(word())
		target, err := s.(link.Signer).Sign(r, link.Grant{User: user}, key)
		if err != nil {
			t.Fatalf("%s: %v", raw, err)
		}
		read := func(path string) (*link.Request, *link.Link) {
			signed := &link.Request{Method: "GET", Path: path}
			if err := signed.Query.Parse(target[strings.IndexByte(target, '?')+1:]); err != nil {
				t.Fatal(err)
			}
			l := &link.Link{User: user}
			if refusal := s.Read(signed, l); !refusal.None() {
				t.Fatalf("%s: %s", target, refusal)
			}
			return signed, l
		}
		signed, l := read("/do/" + action)
		if l.Claims.Get("user") != user || l.Claims.Get("action") != action {
			t.Fatalf("%s: claims %v", target, l.Claims)
		}
		if !s.Verify(signed, l, key) || s.Verify(signed, l, append(key, 'x')) {
			t.Fatalf("%s does not verify, or with every key", target)
		}
		if signed, l = read("/do/" + action + "x"); s.Verify(signed, l, key) {
			t.Fatalf("%s verifies for another action", target)
		}
	}
}
