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
	"github.com/signedlink/caddy-signed-link/link"
)

const secret = "b7Qf2kV9xWc4LmN8pRt6YzA3sDgH5jKe"

func compiled(t testing.TB, name, key string, c keyedhash.Config) *definition.Definition {
	t.Helper()
	return definitiontest.New(t, backend.Strict, name, key, c)
}

// sum is the HMAC-SHA-256 in hex.
func sum(key, text string) string {
	mac := hmac.New(sha256.New, []byte(key))
	mac.Write([]byte(text))
	return hex.EncodeToString(mac.Sum(nil))
}

// ofPath has links such as /u/a@b.org/SIGNATURE, which become /in/a@b.org.
func ofPath(t testing.TB) *definition.Definition {
	t.Helper()
	return definitiontest.NewOf(t, backend.Strict, "path", secret, "{link.mail}", map[string]link.Rule{"{link.mail}": {Class: link.Email}}, keyedhash.Config{
		Algorithm: "hmac-sha256", Message: "{link.mail}", Path: &keyedhash.Path{Pattern: "/u/<mail>/<signature>", To: "/in/{link.mail}"},
	})
}

// ofRaw is like ofPath, and the mail is signed as it was sent.
func ofRaw(t testing.TB) *definition.Definition {
	t.Helper()
	return definitiontest.NewOf(t, backend.Strict, "raw", secret, "{link.mail}", nil, keyedhash.Config{
		Algorithm: "hmac-sha256", Message: "{scheme}://{host}/{raw_link.mail}?{query}", Path: &keyedhash.Path{Pattern: "/r/<mail>/<signature>", To: "/in/{link.mail}"},
	})
}

// ofSegment has links such as /api/jeff/SIGNATURE.
func ofSegment(t testing.TB) *definition.Definition {
	t.Helper()
	return definitiontest.NewOf(t, backend.Strict, "segment", secret, "{path.1}", nil, keyedhash.Config{
		Algorithm: "hmac-sha256", Message: "{path.1}", Signature: "{path.2}",
	})
}

// ofToken has links such as /t?t=jeff:2000000000:SIGNATURE.
func ofToken(t testing.TB) *definition.Definition {
	t.Helper()
	return definitiontest.NewOf(t, backend.Strict, "token", secret, "{link.id}", nil, keyedhash.Config{
		Algorithm: "hmac-sha256", Message: "{link.id}:{link.exp}", Tokens: []keyedhash.Token{{Parameter: "{query.t}", Pattern: "<id>:<exp>:<signature>"}},
		Expires: keyedhash.Time{Value: "{link.exp}"},
	})
}

// FuzzFind: whatever a link looks like, looking for its nearest miss ends, does not panic,
// and names no signature.
func FuzzFind(f *testing.F) {
	ofHost := compiled(f, "host", secret, keyedhash.Config{Algorithm: "hmac-sha256", Message: "{host}{path}?{query.user}", Signature: "{query.sig}"})
	ofURL := compiled(f, "url", strings.ToUpper(secret), keyedhash.Config{
		Algorithm: "hmac-sha256", Message: "{scheme}://{host}{raw_path}?{query}", Signature: "{query.s}", Encoding: "base64",
	})
	all := []Other{{ofHost, "the first"}, {ofURL, "the second"}, {ofPath(f), "the third"}, {ofSegment(f), "the fourth"}, {ofToken(f), "the fifth"}}
	rights := []string{sum(secret, "example.org/in?jeff"), sum(secret, "a@b.org"), sum(secret, "jeff"), sum(secret, "jeff:2000000000")}
	right := rights[0]
	for _, target := range []string{
		"/in?user=jeff&sig=" + right, "/in?user=jeff&amp;sig=" + right, "/in/?user=JEFF&sig=" + right[:60], "/in?user%3Djeff%26sig%3D" + right,
		"/in?user=jeff&sig=" + strings.ToUpper(right) + ").", "/in?user=jeff&s=x+y/z", "/\xff?\xff=%&&=;+", "/in?user=a%20b&user=c&sig=x+y/z",
		"/u/a@b.org/" + rights[1], "/u/a@b.org/" + rights[1][:40], "/U//A@b.org/" + rights[1] + "/?" + rights[1], "/u/" + rights[1] + "/a@b.org", "/u/" + rights[1] + "/" + rights[1],
		"/api/jeff/" + rights[2], "/api/jeff", "/api//jeff/" + rights[2] + "%3Futm_source=x", "/index.php/api/jeff/" + strings.ToUpper(rights[2]),
		"/t?t=jeff:2000000000:" + rights[3], "/t?t=jeff:2000000000:" + rights[3][:30], "/t?t=" + rights[3] + ":jeff:2000000000", "/t?t=jeff%3a2000000000%253a" + rights[3],
	} {
		f.Add("https", "example.org", target)
	}
	f.Fuzz(func(t *testing.T, scheme, host, target string) {
		if len(target) > 300 {
			return // each of many variants is judged
		}
		for _, d := range all {
			m := Find(d.Definition, all, time.Unix(1790000000, 0), Link{Method: "GET", Scheme: scheme, Host: host, Target: target, ClientIP: "192.0.2.1"})
			for _, right := range rights {
				if m != nil && !strings.Contains(host, right) && strings.Contains(strings.ToLower(m.Text+m.Cure), right) {
					t.Errorf("%q: the nearest miss names the signature: %+v", target, m)
				}
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
	sign := sum
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
		m := Find(d, all, time.Unix(1790000000, 0), Link{Method: "GET", Scheme: "https", Host: "example.org", Target: target, ClientIP: "192.0.2.1"})
		got := ""
		if m != nil {
			got = m.Code
		}
		if got != want {
			t.Errorf("%s: %+v, want %q", target, m, want)
		}
	}
}

// TestFindCarried: the same of links whose signature stands in the path, or in a token.
func TestFindCarried(t *testing.T) {
	mail, raw, jeff, token := sum(secret, "a@b.org"), sum(secret, "https://example.org/a%40b.org?"), sum(secret, "jeff"), sum(secret, "jeff:2000000000")
	path, rawPath, segment, inToken := ofPath(t), ofRaw(t), ofSegment(t), ofToken(t)
	for _, tc := range []struct {
		definition     *definition.Definition
		target, want   string
		text, fragment string
	}{
		{path, "/u/a@b.org/" + mail[:54], "cut", "the signature in the path has 54 of its 64 characters", ""},
		{path, "/u/a@b.org/" + mail[:24], "cut", "the signature in the path has 24 of its 64 characters", ""},
		{path, "/u/a@b.org/" + mail + "x", "trailing", "1 characters too many stand behind the signature in the path", ""},
		{path, "/u/a@b.org/" + mail + "/", "trailing", `"/" follows`, ""},
		{path, "/u/a@b.org/" + mail + ").", "trailing", `")." follows`, ""},
		{path, "/u/a@b.org/" + mail + "%3E", "trailing", `"%3E" follows`, ""},
		{path, "/u/a@b.org/" + strings.ToUpper(mail), "case", "of the signature in the path", ""},
		{path, "/u/A@B.ORG/" + mail, "case", "the letters of <mail>", ""},
		{path, "/U/a@b.org/" + mail, "case", `begins with "/u/"`, ""},
		{path, "/U/A@b.org/" + strings.ToUpper(mail), "case", "lower case", ""},
		{path, "//u/a@b.org/" + mail, "slashes", "doubled", ""},
		{path, "/u//a@b.org/" + mail, "slashes", "doubled", ""},
		{path, "/u/a@b.org//" + mail, "slashes", "doubled", ""},
		{path, "/index.php/u/a@b.org/" + mail, "front_controller", "/index.php", ""},
		{path, "/u/a%2540b.org/" + mail, "double_encoded", "%25", ""},
		{path, "/u/a@b%252Eorg/" + mail, "double_encoded", "%25", ""},
		{path, "/u/a@b.org/" + mail + "%3Futm_source=x", "question_mark", "%3F", ""},
		{path, "/u/a@b.org/" + mail + "&utm_source=x", "question_mark", "&", ""},
		{path, "/u/a@b.org/" + mail[:20] + "=\n" + mail[20:], "quoted_printable", "end of a line", ""},
		{path, "/u/a@b.org/" + mail[:20] + "%0D%0A" + mail[20:], "wrapped", "line break", ""},
		{path, "/u/a@b.org/" + mail[:20] + " " + mail[20:], "wrapped", "blank", ""},
		{path, "/u/a&#64;b.org/" + mail, "html_escaped", "entity", ""},
		{path, "/u/a&", "html_escaped", "entity", "64;b.org/" + mail},
		{path, "/u/a@b.org/" + mail + "/?utm_source=x", "slash", "without the slash", ""},
		{path, "/index.php/u/a@b.org//" + mail, "front_controller+slashes", "", ""},
		{path, "/u/a@b.org/" + mail + "?utm_source=x&fbclid=y", "valid", "", ""},
		{path, "/u/a%40b%2Eorg/" + mail, "valid", "", ""},
		{path, "/u/c@b.org/" + mail, "", "", ""},
		{path, "/u/" + mail, "", "", ""},
		{path, "/u/" + mail + "/a@b.org", "", "", ""},
		{path, "/u/ab.org/" + sum(secret, "ab.org"), "refused", "is right", ""},
		{rawPath, "/r/a@b.org/" + raw, "encoding", "another way", ""},
		{rawPath, "/r/a%40b.org/" + raw + "?utm_source=x&fbclid=y", "tracking", "utm_source", ""},
		{segment, "/api/jeff/" + jeff[:50], "cut", "the signature in the path has 50 of its 64", ""},
		{segment, "/api/jeff/" + jeff + "/", "trailing", "", ""},
		{segment, "/api//jeff/" + jeff, "slashes", "", ""},
		{segment, "/api/JEFF/" + jeff, "case", "", ""},
		{segment, "/index.php/api/jeff/" + jeff, "front_controller", "", ""},
		{inToken, "/t?t=jeff:2000000000:" + token[:50], "cut", `"t" has 66 of its 80 characters`, ""},
		{inToken, "/t?t=jeff:2000000000:" + strings.ToUpper(token), "case", `"t"`, ""},
		{inToken, "/t?t=jeff%253A2000000000%253A" + token, "double_encoded", "%25", ""},
		{inToken, "/t?t=jeff:2000000000:" + token + "%2E", "trailing", "1 characters", ""},
		{inToken, "/t?t=mike:2000000000:" + token, "", "", ""},
	} {
		all := []Other{{tc.definition, "here (Caddyfile:1)"}}
		s := Link{Method: "GET", Scheme: "https", Host: "example.org", Target: tc.target, ClientIP: "192.0.2.1", Fragment: tc.fragment}
		now := time.Unix(1790000000, 0)
		if r, err := s.View(); err == nil {
			if v := tc.definition.Judge(t.Context(), r, nil, now); v.None() {
				if tc.want != "valid" {
					t.Errorf("%s is valid", tc.target)
				}
				continue
			}
		}
		m := Find(tc.definition, all, now, s)
		if m == nil {
			m = new(Miss)
		}
		if m.Code != tc.want || !strings.Contains(m.Text, tc.text) {
			t.Errorf("%s: %+v, want %q, %q", tc.target, m, tc.want, tc.text)
		}
	}
	s := Link{Method: "GET", Scheme: "http", Host: "www.example.org", Target: "/r/a%40b.org/" + raw}
	if m := Find(rawPath, nil, time.Unix(1790000000, 0), s); m == nil || m.Code != "scheme+host" {
		t.Errorf("http and www: %+v", m)
	}
}
