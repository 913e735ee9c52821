package keyedhash

import (
	"strings"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/query"
)

// signable are configurations of every construction that the engine knows.
var signable = []Config{
	{Algorithm: "md5", Message: "{query.user}{secret}", Signature: "{query.sig}"},
	{Algorithm: "sha1", Message: "{secret}|{query.user}|{query.exp}", Signature: "{query.sig}", Expires: Time{Value: "{query.exp}"}, Encoding: "base64"},
	{Algorithm: "hmac-sha256", Message: "{query}", Signature: "{query.sig}", Expires: Time{Value: "{query.exp}", Format: "unix_ms"}},
	{Algorithm: "hmac-sha384", Message: "{method} {host}{path}?{sorted_query}", Signature: "{query.sig}", Encoding: "base64url", Truncate: 20},
	{Algorithm: "hmac-sha512", Message: "{raw_path}\n{raw_query.user}\n{query.at}", Signature: "{query.sig}", Issued: Time{Value: "{query.at}", Format: "rfc3339"}},
}

// FuzzSign: what Sign makes verifies with the key that made it, with no other, and not
// once a parameter of the message says something else.
func FuzzSign(f *testing.F) {
	for i := range signable {
		f.Add(uint8(i), "/autologin", "utm_source=x", "jeff", "0123456789abcdef", int64(1790000000))
	}
	f.Add(uint8(2), "/a/b%20c", "sig=old&exp=1&&z=%zz", "a&b=c+d%", "k", int64(1))
	f.Fuzz(func(t *testing.T, which uint8, path, raw, user, key string, now int64) {
		s, err := New(signable[int(which)%len(signable)], link.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if now < 0 || now > 9_000_000_000 {
			return
		}
		r := &link.Request{Method: "GET", Scheme: "https", Host: "example.org", Path: "/" + path}
		if r.Query.Parse(query.Set(raw, "user", user)) != nil || len(key) == 0 || r.Query.Repeated(backend.Strict, func(string) bool { return false }) != "" {
			return
		}
		at := time.Unix(now, 0)
		grant := link.Grant{Now: at}
		if s.expires.is() {
			grant.Expires = at.Add(time.Hour)
		}
		target, err := s.Sign(r, grant, []byte(key))
		if err != nil {
			return // a path that hides a delimiter
		}
		signed := &link.Request{Method: "GET", Scheme: "https", Host: "example.org", Path: r.Path}
		if signed.Query.Parse(target[len(r.Path)+1:]) != nil {
			return
		}
		var l link.Link
		if refusal := s.Read(signed, &l); !refusal.None() {
			t.Fatalf("%s: %s", target, refusal)
		}
		if !s.Verify(signed, &l, []byte(key)) {
			t.Fatalf("%s does not verify", target)
		}
		if refusal := (link.Policy{}).Check(&l, at); !refusal.None() {
			t.Fatalf("%s: %s", target, refusal)
		}
		if s.Verify(signed, &l, []byte(key+"x")) {
			t.Fatalf("%s verifies with another key", target)
		}
		other := &link.Request{Method: "GET", Scheme: "https", Host: "example.org", Path: r.Path}
		if other.Query.Parse(query.Set(signed.Query.Raw, "user", user+"x")) == nil && s.Verify(other, &l, []byte(key)) {
			t.Fatalf("%s verifies for another user", target)
		}
	})
}

// TestSignSaysWhatIsMissing: the errors of Sign are for the people at the command line.
func TestSignSaysWhatIsMissing(t *testing.T) {
	for _, tc := range []struct {
		config int
		query  string
		grant  link.Grant
		want   string
	}{
		{0, "", link.Grant{}, `the parameter "user" is signed, and the URL has none`},
		{0, "user=jeff", link.Grant{Expires: time.Unix(1, 0)}, "expires: a link of this scheme does not say until when it is valid"},
		{1, "user=jeff", link.Grant{}, `the parameter "exp" is signed, and the URL has none`},
		{1, "user=jeff", link.Grant{Expires: time.Unix(-5, 0)}, "expires: a link cannot carry the time 1969-12-31T23:59:55Z"},
	} {
		s, err := New(signable[tc.config], link.Options{})
		if err != nil {
			t.Fatal(err)
		}
		r := &link.Request{Method: "GET", Path: "/"}
		if err := r.Query.Parse(tc.query); err != nil {
			t.Fatal(err)
		}
		if _, err := s.Sign(r, tc.grant, []byte("key")); err == nil || !strings.HasPrefix(err.Error(), tc.want) {
			t.Errorf("%d %q: error %v, want %q", tc.config, tc.query, err, tc.want)
		}
	}
}
