package tilde_test

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"testing"

	"github.com/signedlink/caddy-signed-link/examples/extending/tilde"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/link/linktest"
)

// TestScheme has linktest look for the mistakes that schemes are known for.
func TestScheme(t *testing.T) {
	scheme, err := new(tilde.Scheme).NewScheme(link.Options{})
	if err != nil {
		t.Fatal(err)
	}
	const secret = "the signer's own secret"
	vector := func(id, signed, user, expect string) linktest.Vector {
		mac := hmac.New(sha256.New, []byte(secret))
		mac.Write([]byte(signed))
		v := linktest.Vector{
			Scheme: "tilde", ID: id, Secret: secret, Expect: expect,
			URL: "https://example.org/in?t=" + user + "~" + hex.EncodeToString(mac.Sum(nil)),
		}
		if expect == linktest.Valid {
			v.User = user
		}
		return v
	}
	linktest.Run(t, linktest.Suite{Scheme: scheme, Vectors: []linktest.Vector{
		vector("genuine", "jeff", "jeff", linktest.Valid),
		vector("with a tilde", "a~b", "a~b", linktest.Valid),
		vector("another user", "jeff", "mike", linktest.Invalid),
	}})
}
