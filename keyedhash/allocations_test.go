//go:build !race

package keyedhash

import (
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/link/linktest"
)

// The race detector has pools forget at random, so what is allocated is counted without
// it.

// TestAllocations: computing a signature needs no memory, with a prepared key or another.
func TestAllocations(t *testing.T) {
	key, message := []byte(strings.Repeat("k", 64)), []byte("2695.103007")
	for name := range standard {
		for _, name := range []string{name, "hmac-" + name} {
			a, _ := ParseAlgorithm(name)
			mac, _ := NewMAC(a, Base64URL, 0)
			for what, f := range map[string]func(){
				"MAC.Equal":                  func() { mac.Equal("x", key, message) },
				"Key.Equal":                  equal(mac.Key(key, nil), message),
				"Key.Equal with a beginning": equal(mac.Key(key, key), message),
			} {
				if n := testing.AllocsPerRun(100, f); n != 0 {
					t.Errorf("%s of %s makes %v allocations", what, name, n)
				}
			}
		}
	}
}

func equal(k *Key, message []byte) func() { return func() { k.Equal("x", message) } }

// TestLinkAllocations: reading and verifying a link needs no memory but for what has to be
// decoded and for a path that is put together.
func TestLinkAllocations(t *testing.T) {
	for _, tc := range []struct {
		name   string
		config Config
		target string
		fields map[string]string
		want   float64
	}{
		{"plain", declared("{query.u}|{query.e}", until("{query.e}")), "/?u=jeff&e=1800000000", nil, 0},
		{"token", declared("{link.u}|{link.e}", inToken("{query.t} <u>.<e>.<signature>"), until("{link.e}")), "/", map[string]string{"u": "jeff", "e": "1800000000"}, 0},
		{"token with a life", declared("{link.e}|{link.l}", inToken("{query.t} <signature>_<e>_<l>"), until("{link.e} plus {link.l} hours never inf")), "/", map[string]string{"e": "1800000000", "l": "24"}, 0},
		{"token in base64", declared("{link.u}|{link.e}", inToken("{query.t} unbase64url <u>.<e>.<signature>")), "/", map[string]string{"u": "jeff", "e": "1800000000"}, 1},
		{"segment", declared("{path.1}", signedBy("{path.2}")), "/u/42", nil, 0},
		{"path as it came", declared("{link.u}", inPath("/u/<u>/<signature>")), "/", map[string]string{"u": "jeff"}, 0},
		{"path", declared("{link.u}|{link.e}", inPath("/u/<u>/<e>/<signature> to /u/{link.u}"), until("{link.e}")), "/", map[string]string{"u": "jeff", "e": "1800000000"}, 1},
		{"path with an escape", declared("{link.u}", inPath("/u/<u>/<signature> to /u/{link.u}")), "/", map[string]string{"u": "je ff"}, 2},
	} {
		s := newScheme(t, tc.config, link.Options{})
		key := []byte(testKey)
		target, err := s.Sign(linktest.NewRequest("https://example.org"+tc.target), link.Grant{Fields: tc.fields}, key)
		if err != nil {
			t.Fatalf("%s: %v", tc.name, err)
		}
		r := linktest.NewRequest("https://example.org" + target)
		verify := s.Bind(key)
		var few [4]link.Field
		l := new(link.Link)
		n := testing.AllocsPerRun(100, func() {
			*l = link.Link{Fields: few[:0]}
			if refusal := s.Read(r, l); !refusal.None() || !verify(r, l) {
				t.Fatalf("%s: %s", tc.name, refusal)
			}
		})
		if n != tc.want {
			t.Errorf("%s makes %v allocations, want %v", tc.name, n, tc.want)
		}
	}
}
