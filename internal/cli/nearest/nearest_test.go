package nearest

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/internal/gateway/definition/definitiontest"
	"github.com/signedlink/caddy-signed-link/keyedhash"
)

const secret = "b7Qf2kV9xWc4LmN8pRt6YzA3sDgH5jKe"

func compiled(t testing.TB, name, key string, c keyedhash.Config) *definition.Definition {
	t.Helper()
	return definitiontest.New(t, backend.Strict, name, key, c)
}

// FuzzFind: whatever a link looks like, looking for its nearest miss ends, does not panic,
// and names no signature.
func FuzzFind(f *testing.F) {
	ofHost := compiled(f, "host", secret, keyedhash.Config{Algorithm: "hmac-sha256", Message: "{host}{path}?{query.user}", Signature: "{query.sig}"})
	ofURL := compiled(f, "url", strings.ToUpper(secret), keyedhash.Config{
		Algorithm: "hmac-sha256", Message: "{scheme}://{host}{raw_path}?{query}", Signature: "{query.s}", Encoding: "base64",
	})
	all := []Other{{ofHost, "the first"}, {ofURL, "the second"}}
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte("example.org/in?jeff"))
	right := hex.EncodeToString(mac.Sum(nil))
	for _, target := range []string{
		"/in?user=jeff&sig=" + right, "/in?user=jeff&amp;sig=" + right, "/in/?user=JEFF&sig=" + right[:60], "/in?user%3Djeff%26sig%3D" + right,
		"/in?user=jeff&sig=" + strings.ToUpper(right) + ").", "/in?user=jeff&s=x+y/z", "/\xff?\xff=%&&=;+", "/in?user=a%20b&user=c&sig=x+y/z",
	} {
		f.Add("https", "example.org", target)
	}
	f.Fuzz(func(t *testing.T, scheme, host, target string) {
		if len(target) > 300 {
			return // each of many variants is judged
		}
		for _, d := range all {
			m := Find(d.Definition, all, time.Unix(1790000000, 0), Link{"GET", scheme, host, target, "192.0.2.1"})
			if m != nil && strings.Contains(strings.ToLower(m.Text+m.Cure), right) {
				t.Errorf("%q: the nearest miss names the signature: %+v", target, m)
			}
		}
	})
}

// TestFind: a link that was damaged in one way, or in two, and the way back.
func TestFind(t *testing.T) {
	d := compiled(t, "host", secret, keyedhash.Config{Algorithm: "hmac-sha256", Message: "{host}{path}?{query.user}", Signature: "{query.sig}"})
	other := compiled(t, "other", strings.Repeat("another ", 4), keyedhash.Config{
		Algorithm: "hmac-sha256", Message: "{host}{path}?{query.user}", Signature: "{query.sig}",
	})
	all := []Other{{d, "host (Caddyfile:1)"}, {other, "other (Caddyfile:9)"}}
	sign := func(key, text string) string {
		mac := hmac.New(sha256.New, []byte(key))
		mac.Write([]byte(text))
		return hex.EncodeToString(mac.Sum(nil))
	}
	right := sign(secret, "example.org/in?jeff")
	for target, want := range map[string]string{
		"/in?user=jeff&amp;sig=" + right:                                                  "html_escaped",
		"/in/?user=jeff&sig=" + right:                                                     "slash",
		"/in?user=jeff&sig=" + right[:60]:                                                 "cut",
		"/in/?user=jeff&sig=" + right[:60]:                                                "slash+cut",
		"/in?user=jeff&sig=" + strings.ToUpper(right):                                     "case",
		"/in?user=jeff&sig=" + sign(secret+"\n", "example.org/in?jeff"):                   "secret",
		"/in?user=jeff&sig=" + sign(strings.Repeat("another ", 4), "example.org/in?jeff"): "other_key",
		"/in?user=mike&sig=" + right:                                                      "",
	} {
		m := Find(d, all, time.Unix(1790000000, 0), Link{"GET", "https", "example.org", target, "192.0.2.1"})
		got := ""
		if m != nil {
			got = m.Code
		}
		if got != want {
			t.Errorf("%s: %+v, want %q", target, m, want)
		}
	}
}
