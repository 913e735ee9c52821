package trail_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/signedlink/caddy-signed-link/examples/extending/trail"
	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/link/linktest"
)

func TestMain(m *testing.M) { gatewaytest.Main(m) }

const secret = "kX3v9QzT7mB2wL5nR8pYc4HsD6gJ1fAe"

func sign(user string) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(user))
	return hex.EncodeToString(mac.Sum(nil))
}

// TestScheme has linktest look for the mistakes that schemes are known for.
func TestScheme(t *testing.T) {
	scheme, err := new(trail.Scheme).NewScheme(link.Options{})
	if err != nil {
		t.Fatal(err)
	}
	vector := func(id, path, user string) linktest.Vector {
		v := linktest.Vector{Scheme: "trail", ID: id, Secret: secret, Expect: linktest.Invalid, URL: "https://example.org" + path}
		if user != "" {
			v.Expect, v.User = linktest.Valid, user
		}
		return v
	}
	linktest.Run(t, linktest.Suite{Scheme: scheme, Vectors: []linktest.Vector{
		vector("genuine", "/t/jeff/"+sign("jeff"), "jeff"),
		vector("another user", "/t/mike/"+sign("jeff"), ""),
		vector("a signed dot segment", "/t/../"+sign(".."), ""),
		vector("a signed slash", "/t/a%2fb/"+sign("a/b"), ""),
		vector("the page itself", "/u/jeff", ""),
	}})
}

// TestSite: the backend gets the page, and nobody else comes there.
func TestSite(t *testing.T) {
	t.Setenv("LINK_SECRET", secret)
	s := gatewaytest.LoadSite(t, "signed_link /t/* trail {env.LINK_SECRET}\ntest_backend")
	answer := s.Get("/t/jeff/" + sign("jeff"))
	if answer.Seen == nil || answer.Seen.URI != "/u/jeff" || answer.Seen.Headers.Get("X-Verified-User") != "jeff" {
		t.Errorf("status %d, the backend saw %+v", answer.Code, answer.Seen)
	}
	for _, target := range []string{"/t/mike/" + sign("jeff"), "/u/jeff", "/U/jeff/", "//u/jeff", "/t/../u/jeff"} {
		if answer := s.Get(target); answer.Seen != nil {
			t.Errorf("%s: the backend was asked for %s", target, answer.Seen.URI)
		}
	}
}
