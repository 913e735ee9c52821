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
	{Algorithm: "hmac-sha256", Message: "{query.user}|{query.l[exp]}|{query}", Signature: "{query.l[sig]}", Expires: Time{Value: "{query.l[exp]}"}},
	{Algorithm: "sha256", Message: "{raw_query.user}{secret}", Signature: "{query.s:i$g}"},
}

// FuzzSign: what Sign makes verifies with the key that made it, with no other, and not
// once a parameter of the message says something else.
func FuzzSign(f *testing.F) {
	for i := range signable {
		f.Add(uint8(i), "/autologin", "utm_source=x", "jeff", "0123456789abcdef", int64(1790000000))
	}
	f.Add(uint8(5), "/a", "l[sig]=old&l%5Bexp%5d=1", "jeff", "k", int64(1))
	f.Add(uint8(6), "/a", "s:i$g=old", "jeff", "k", int64(1))
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

// TestSignCarriers: links with their fields in tokens and paths, of a whole URL, of the
// beginning of one, and of fields alone.
func TestSignFields(t *testing.T) {
	now := time.Unix(1790000000, 0)
	token := Config{
		Algorithm: "hmac-sha256", Message: "v1:{link.code}:{link.exp}", Truncate: 16,
		Tokens: []Token{{"{query.t}", nil, "v1:<code>:<exp>:<signature>"}}, Expires: Time{Value: "{link.exp}", Format: "hex"},
	}
	base64 := token
	base64.Tokens = []Token{{"{query.t}", []string{"unbase64"}, "v1:<code>:<exp>:<signature>"}}
	path := Config{
		Algorithm: "hmac-sha256", Message: "{link.mail}", Truncate: 16,
		Path: &Path{Pattern: "/u/<mail>/<signature>", To: "/u/{link.mail}"},
	}
	segment := Config{Algorithm: "hmac-sha256", Message: "{path.1}", Truncate: 16, Signature: "{path.2}"}
	life := Config{
		Algorithm: "md5", Message: "{secret}{query.id}{link.at}{link.life}", Truncate: 16,
		Tokens: []Token{{"{query.cs}", nil, "<signature>_<at>_<life>"}},
		Issued: Time{Value: "{link.at}"}, Expires: Time{Value: "{link.at}", Plus: "{link.life}", Unit: "hours", Never: "inf"},
	}
	days := Config{
		Algorithm: "hmac-sha256", Message: "{query.id}|{query.at}", Truncate: 16, Signature: "{query.sig}",
		Expires: Time{Value: "{query.at}", Plus: "3", Unit: "days"},
	}
	fields := func(pairs ...string) link.Grant {
		g := link.Grant{Now: now}
		for i := 0; i < len(pairs); i += 2 {
			g.SetField(pairs[i], pairs[i+1])
		}
		return g
	}
	until := func(g link.Grant, d time.Duration) link.Grant { g.Expires = now.Add(d); return g }
	const x = "SSSSSSSSSSSSSSSS"
	for _, tc := range []struct {
		config Config
		target string
		grant  link.Grant
		want   string // with x for the signature; an error where it begins with "!"
	}{
		{token, "/", until(fields("code", "7"), time.Hour), "/?t=v1%3A7%3A6ab14990%3A" + x},
		{token, "/?t=v1:8:6ab14190:old", fields(), "/?t=v1%3A8%3A6ab14190%3A" + x},
		{token, "/", fields("code", "7"), "!the link has a field <exp>"},
		{base64, "/?a=1", until(fields("code", "7"), time.Hour), "/?a=1&t="},
		{path, "/u", fields("mail", "a@b.org"), "/u/a@b.org/" + x},
		{path, "/u/a%40b.org/old", fields(), "/u/a@b.org/" + x},
		{path, "/u/a@b.org/old?lang=de", fields("mail", "c d@e.org"), "/u/c%20d@e.org/" + x + "?lang=de"},
		{path, "/u", fields("mail", "a+b@e.org"), "/u/a%2Bb@e.org/" + x}, // a blank to some
		{path, "/u", fields(), "!the link has a field <mail>"},
		{path, "/u", fields("mail", "a/b"), "!no link of this scheme can be made of this URL (malformed/pattern)"},
		{path, "/u", fields("mail", "a%2fb"), "!no link of this scheme can be made of this URL (ambiguous/path)"},
		{segment, "/api/7", fields(), "/api/7/" + x},
		{segment, "/api/7/old", fields(), "/api/7/" + x},
		{segment, "/api", fields(), "!the path of a link has 2 segments before the signature"},
		{life, "/?id=7", until(fields(), 36*time.Hour), "/?id=7&cs=" + x + "_1790000000_36"},
		{life, "/?id=7", fields(), "/?id=7&cs=" + x + "_1790000000_inf"},
		{token, "/", until(fields("code", "7:8"), time.Hour), "!no link of this scheme can be made of this URL"},
		{life, "/?id=7", until(fields(), time.Minute), "!expires: links of this scheme say for how many hours"},
		{days, "/?id=7", fields(), "/?id=7&at=1790000000&sig=" + x},
		{days, "/?id=7", until(fields(), 72*time.Hour), "/?id=7&at=1790000000&sig=" + x},
		{days, "/?id=7", until(fields(), time.Hour), "!expires: each link of this scheme is valid for 3 days"},
	} {
		compiled, err := New(tc.config, link.Options{})
		if err != nil {
			t.Fatal(err)
		}
		r := &link.Request{Method: "GET", Scheme: "https", Host: "example.org"}
		path, raw, _ := strings.Cut(tc.target, "?")
		r.Path = path
		if err := r.Query.Parse(raw); err != nil {
			t.Fatal(err)
		}
		target, err := compiled.Sign(r, tc.grant, []byte("key"))
		if want, fails := strings.CutPrefix(tc.want, "!"); fails {
			if err == nil || !strings.HasPrefix(err.Error(), want) {
				t.Errorf("%s: %q, %v; want %q", tc.target, target, err, want)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", tc.target, err)
			continue
		}
		signed := &link.Request{Method: "GET", Scheme: "https", Host: "example.org"}
		path, raw, _ = strings.Cut(target, "?")
		signed.Path = path
		if err := signed.Query.Parse(raw); err != nil {
			t.Fatal(err)
		}
		var l link.Link
		if refusal := compiled.Read(signed, &l); !refusal.None() || !compiled.Verify(signed, &l, []byte("key")) {
			t.Errorf("%s: %s does not verify: %s", tc.target, target, refusal)
		}
		if shown := strings.Replace(target, l.Signature, x, 1); !strings.HasPrefix(shown, tc.want) {
			t.Errorf("%s: %s, want %s", tc.target, shown, tc.want)
		}
		if why := compiled.Departs(signed); why != "" {
			t.Errorf("%s: it departs from its form: %s", target, why)
		}
	}
}
