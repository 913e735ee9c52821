package link

import (
	"strings"
	"testing"
)

func TestShown(t *testing.T) {
	for _, word := range []string{"", "akid", "keyed-hash", "http.request.header.X-Verified-User", "file./etc/passwd", "base64url", "unsigned_identity", "hmac-sha256"} {
		if got := Shown(word); got != word {
			t.Errorf("%q is shown as %q", word, got)
		}
	}
	for _, secret := range []string{"q83vEjRWeJCrze8SNFZ4kA==", "0123456789abcdef", "c4n4ryQ7Vd2kB9xWc4LmN8pRt6YzA3sD", strings.Repeat("secret", 11), "abc+defghijkl"} {
		if got := Shown(secret); strings.Contains(got, secret) {
			t.Errorf("%q is shown", secret)
		}
	}
}

// TestTyped: TestShortNames of the root compares the names with Caddy's own.
func TestTyped(t *testing.T) {
	for long, want := range map[string]string{
		"":                                   "",
		"http.request.uri.path.file":         "file",
		"http.request.uri.query.user":        "query.user",
		"http.request.uri.query.a.b":         "http.request.uri.query.a.b", // {query.a.b} is not short for it
		"http.regexp.name.1":                 "re.name.1",
		"http.request.uri.query.a[]":         "http.request.uri.query.a[]",
		"claim.user":                         "claim.user",
		"{http.request.uri}":                 "{uri}",
		"{http.request.host}/{env.A}{":       "{host}/{env.A}{",
		"a{http.request.uri.path.0}b{c}d":    "a{path.0}b{c}d",
		"{{http.request.method}":             "{{method}",
		"http.request.host {http.vars.a} }{": "http.request.host {vars.a} }{",
	} {
		if got := Typed(long); got != want {
			t.Errorf("%q: %q, want %q", long, got, want)
		}
	}
	if got := Shown("{http.request.uri.path.file}"); got != "{file}" {
		t.Errorf("shown as %q", got)
	}
}
