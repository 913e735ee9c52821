package signedlink_test

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
	"github.com/signedlink/caddy-signed-link/internal/request/headers"
	"github.com/signedlink/caddy-signed-link/query"
)

// FuzzGateway sends any path, query, header and body through a site of each mode. The
// attacker holds jeff's link; nothing panics, the backend never sees another user than
// jeff, no signature leaves the gateway, and what goes on as nobody names nobody.
func FuzzGateway(f *testing.F) {
	for _, name := range []string{"query_corpus.jsonl", "header_corpus.jsonl"} {
		data, err := os.ReadFile(filepath.Join("testdata", "corpora", name))
		if err != nil {
			f.Fatal(err)
		}
		for line := range strings.SplitSeq(strings.TrimSpace(string(data)), "\n") {
			var l struct {
				Target  any
				Headers []any
			}
			if err := json.Unmarshal([]byte(line), &l); err != nil {
				f.Fatal(err)
			}
			target, _ := l.Target.(string)
			target = strings.ReplaceAll(target, "@K:jeff@", fixture.Key("jeff", fixture.AutologinSecret))
			path, q, _ := strings.Cut(target, "?")
			header := ""
			if len(l.Headers) > 0 {
				header, _ = l.Headers[0].(string)
			}
			f.Add(path, q, header, "user=admin")
		}
	}
	f.Add("/rec/x", fixture.GoodLink, "X_Verified_User: admin", "")
	f.Add("/index.php/app/x", fixture.BadLink, "Connection: X-Verified-User", "")
	f.Add("/open", fixture.BadLink, "Remote_User: admin", "")
	f.Add("/app/x", fixture.GoodLink, "Authorization: Basic YWRtaW46eA==", "")
	f.Add("/app/x", fixture.GoodLink, "Connection: close, Content-Type,,\tCookie", "user=mike")
	f.Setenv("AUTOLOGIN_SECRET", fixture.AutologinSecret)
	s, err := gatewaytest.TryLoad(f, "{\n\tadmin off\n\tauto_https off\n\tservers {\n\t\texpected_underscore_headers X_*\n\t}\n\tlog {\n\t\toutput discard\n\t}\n}\nhttp:// {\n"+
		"@app path /app /app/*\n"+fixture.Autologin("@app")+fixture.Autologin("/rec/* recognize")+"test_backend\n}\n")
	if err != nil {
		f.Fatal(err)
	}
	good := fixture.Key("jeff", fixture.AutologinSecret)
	names, err := query.NewNames(backend.Strict, []string{"user", "key"})
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, path, rawQuery, header, body string) {
		u, err := url.ParseRequestURI(path)
		if err != nil || !strings.HasPrefix(path, "/") {
			return
		}
		r := httptest.NewRequest(http.MethodGet, "http://example.org/", strings.NewReader(body))
		if body == "" {
			r.Body, r.ContentLength = http.NoBody, 0
		} else if len(body)%2 == 0 {
			r.Method = http.MethodPost
		}
		r.URL = u
		r.URL.RawQuery = rawQuery
		r.RequestURI = path + "?" + rawQuery
		if name, value, ok := strings.Cut(header, ": "); ok && name != "" {
			r.Header[http.CanonicalHeaderKey(name)] = []string{value}
		}
		w := httptest.NewRecorder()
		s.Server.ServeHTTP(w, r)
		var got gatewaytest.Seen
		if w.Code != http.StatusOK || json.Unmarshal(w.Body.Bytes(), &got) != nil {
			return // refused
		}
		for name, values := range got.Headers {
			if headers.Protected(name) && name != headers.VerifiedUser && name != headers.VerifiedScheme {
				t.Errorf("the backend gets %s", name)
			}
			if headers.IsIdentity(name) {
				t.Errorf("the backend gets %s, by which other gateways name a user", name)
			}
			if name == "Connection" {
				for token := range strings.SplitSeq(strings.Join(values, ","), ",") {
					if !slices.Contains([]string{"close", "keep-alive", "upgrade", "te"}, strings.ToLower(strings.TrimSpace(token))) {
						t.Errorf("Connection names %q", token)
					}
				}
			}
			if name == headers.VerifiedUser && (len(values) != 1 || values[0] != "jeff" || !strings.Contains(rawQuery, good)) {
				t.Errorf("the backend gets the user %q", values)
			}
		}
		verified := got.Headers.Get(headers.VerifiedUser) != ""
		if verified && got.Headers.Get("Authorization") != "" {
			t.Errorf("a verified request has a second name and password")
		}
		_, seenQuery, _ := strings.Cut(got.URI, "?")
		lower := strings.ToLower(u.Path)
		switch {
		case strings.HasPrefix(lower, "/app/") && !verified && !strings.Contains(lower, "/.") && !strings.Contains(lower, "//"):
			t.Errorf("a protected page goes to nobody")
		case verified || strings.HasPrefix(lower, "/rec/") && !strings.Contains(lower, "/.") && !strings.Contains(lower, "//"):
			for segment := range strings.SplitSeq(seenQuery, "&") {
				i, spelling := names.Classify(segment)
				_, value, _ := strings.Cut(segment, "=")
				if spelling != query.Other && (!verified || names.Name(i) != "user" || query.Unescape(value) != "jeff") {
					t.Errorf("the backend sees %q", segment)
				}
			}
		}
		if got.OrigURI != got.URI {
			t.Errorf("REQUEST_URI is %q beside %q", got.OrigURI, got.URI)
		}
	})
}
