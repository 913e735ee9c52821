package attack_test

import (
	"net/http"
	"net/url"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
	"github.com/signedlink/caddy-signed-link/internal/request/headers"
)

// TestAttackHeaderAlias: X_Verified_User and X.Verified.User are HTTP_X_VERIFIED_USER
// to PHP (CVE-2015-0219, CVE-2024-45614, CVE-2025-64484, GHSA-f59h-q822-g45g,
// GHSA-49wc-4hcv-v58q), even where the operator allows such names.
func TestAttackHeaderAlias(t *testing.T) {
	fixture.SetSecrets(t)
	for _, mode := range []string{"require", "recognize", "observe"} {
		s := gatewaytest.Load(t, "{\n\tadmin off\n\tauto_https off\n\tservers {\n\t\texpected_underscore_headers X_* X-Verified_*\n"+
			"\t\texpected_dot_headers X.*\n\t}\n}\nhttp:// {\n"+fixture.Autologin("/app/* "+mode)+"test_backend\n}\n")
		for _, target := range []string{"/app/x?" + fixture.GoodLink, "/app/x?" + fixture.BadLink, "/app/x", "/open"} {
			r := gatewaytest.Request(t, "GET", target, "", "X-Verified-User: admin", "X-Verified-User: root")
			for _, name := range []string{
				"X_Verified_User", "X.Verified.User", "X-Verified_User", "x_verified-user", "X!Verified!User", "X-Verified-Foo", "X_VERIFIED_",
			} {
				r.Header[name] = []string{"admin"}
			}
			a := s.Do(r)
			if a.Seen == nil {
				continue // refused
			}
			want := ""
			if target == "/app/x?"+fixture.GoodLink && mode != "observe" {
				want = "jeff"
			}
			if got := a.Header1(t, "X-Verified-User"); got != want {
				t.Errorf("%s %s: X-Verified-User is %q, want %q", mode, target, got, want)
			}
			for name := range a.Seen.Headers {
				if headers.Protected(name) && name != "X-Verified-User" && name != "X-Verified-Scheme" {
					t.Errorf("%s %s: the backend gets %s", mode, target, name)
				}
			}
		}
	}
}

// TestAttackConnectionNomination: the client names our header in Connection, and the
// proxy deletes it as hop-by-hop (CVE-2024-45410, CVE-2025-48865).
func TestAttackConnectionNomination(t *testing.T) {
	s := refusedAs(t, "", "request_header X-Account {query.user}")
	for line, want := range map[string]string{
		"X-Verified-User":                         "",
		"close, x-verified-user":                  "close",
		"keep-alive , X_Verified_User,X-Account,": "keep-alive",
		"X-Verified-Scheme, TE":                   "TE",
		"close":                                   "close",
	} {
		a := s.Get("/x?"+fixture.GoodLink, "Connection: "+line, "Connection: X-Verified-User")
		if got := strings.Join(a.Seen.Headers["Connection"], "|"); got != want {
			t.Errorf("Connection: %s: the proxy gets %q, want %q", line, got, want)
		}
		if a.Header1(t, "X-Verified-User") != "jeff" || a.Header1(t, "X-Account") != "jeff" {
			t.Errorf("Connection: %s: identity lost", line)
		}
	}
}

// TestAttackTrailer: announced trailers become headers at Apache with MergeTrailers.
func TestAttackTrailer(t *testing.T) {
	s := refusedAs(t, "/app/*")
	r := gatewaytest.Request(t, "POST", "/open", "x")
	r.Trailer = http.Header{"X-Verified-User": {"admin"}, "X_verified_user": {"admin"}}
	r.Header["Trailer"] = []string{"X-Verified-User"}
	a := s.Do(r)
	if a.Seen == nil || len(a.Seen.Trailer) != 0 || len(a.Seen.Headers["Trailer"]) != 0 {
		t.Errorf("the backend gets the trailers: %s", a.Body)
	}
}

// TestAttackRerouting: headers by which frameworks take another URL or prefix for the
// request's (CVE-2018-14773; Laravel's X-Forwarded-Prefix), on every route.
func TestAttackRerouting(t *testing.T) {
	for _, mode := range []string{"require", "recognize", "observe"} {
		s := refusedAs(t, "/app/* "+mode)
		r := gatewaytest.Request(t, "GET", "/open", "", "X-Forwarded-Host: a")
		rows := append(headers.Each(headers.Rerouting), headers.Each(headers.Transport)...)
		for _, row := range rows {
			name := row.Name
			r.Header[http.CanonicalHeaderKey(name)] = []string{"/app/x?user=admin"}
			r.Header[strings.ReplaceAll(http.CanonicalHeaderKey(name), "-", "_")] = []string{"/app/x?user=admin"}
		}
		a := s.Do(r)
		for name := range a.Seen.Headers {
			if row := headers.Lookup(name); row != nil && (row.Kind == headers.Rerouting || row.Kind == headers.Transport) {
				t.Errorf("%s: the backend gets %s", mode, name)
			}
		}
	}
}

// TestForwardedHeadersOfTrustedProxies: what a proxy says that the operator trusts
// stays, but for what would change the route.
func TestForwardedHeadersOfTrustedProxies(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.Load(t, "{\n\tadmin off\n\tauto_https off\n\tservers {\n\t\ttrusted_proxies static 127.0.0.1/32\n\t}\n}\nhttp:// {\n"+fixture.Autologin("/app/*")+"test_backend\n}\n")
	for addr, want := range map[string]string{"127.0.0.1:1": "8443", "192.0.2.1:1": ""} {
		r := gatewaytest.Request(t, "GET", "/open", "", "X-Forwarded-Port: 8443", "X-Forwarded-Prefix: /x")
		r.RemoteAddr = addr
		a := s.Do(r)
		if got := a.Header1(t, "X-Forwarded-Port"); got != want {
			t.Errorf("%s: X-Forwarded-Port is %q, want %q", addr, got, want)
		}
		if got := a.Header1(t, "X-Forwarded-Prefix"); got != "" {
			t.Errorf("%s: X-Forwarded-Prefix is %q", addr, got)
		}
	}
}

// TestAttackUpgrade: a request with an identity must not become a tunnel, and no
// request one for HTTP/2, in which others would pass the guard unseen (h2c smuggling).
func TestAttackUpgrade(t *testing.T) {
	s := refusedAs(t, "/app/*")
	for _, tc := range []struct {
		target, upgrade string
		stays           bool
	}{
		{"/app/x?" + fixture.GoodLink, "h2c", false},
		{"/app/x?" + fixture.GoodLink, "websocket", false},
		{"/open", "h2c", false},
		{"/open", "websocket, h2c", false},
		{"/open", "WebSocket", true},
	} {
		a := s.Get(tc.target, "Connection: Upgrade, HTTP2-Settings", "Upgrade: "+tc.upgrade, "HTTP2-Settings: AAMAAABk")
		for _, name := range []string{"Connection", "Upgrade"} {
			if got := a.Seen.Headers[name]; (got != nil) != tc.stays {
				t.Errorf("%s, Upgrade: %s: %s is %q", tc.target, tc.upgrade, name, got)
			}
		}
	}
}

// TestAttackUnicodeIdentity: names that look alike, or that a backend normalises to one
// (Django's CVE-2019-19844), are different bytes to the message and none of them goes
// into a header unless the operator says how the backend reads it; then byte for byte.
func TestAttackUnicodeIdentity(t *testing.T) {
	ascii, text := refusedAs(t, ""), refusedAs(t, "", "user {query.user} utf8")
	for _, user := range []string{"josé", "jose\u0301", "ｊｅｆｆ", "jeﬀ", "mike\u200b"} {
		link := "/x?user=" + url.QueryEscape(user) + "&key=" + fixture.Key(user, fixture.AutologinSecret)
		if a := ascii.Get(link); a.Seen != nil || a.Body.String() != "malformed/charset" {
			t.Errorf("%q: %d %s", user, a.Code, a.Body)
		}
		if a := text.Get(link); a.Seen == nil || a.Header1(t, "X-Verified-User") != user {
			t.Errorf("%q, utf8: %d %s", user, a.Code, a.Body)
		}
	}
	if a := text.Get("/x?user=jose%CC%81&key=" + fixture.Key("josé", fixture.AutologinSecret)); a.Seen != nil {
		t.Error("the decomposed form verifies with the signature of the composed one")
	}
}

// TestAttackForwardedFor: a link that is bound to an address is bound to Caddy's client
// IP; X-Forwarded-For of just anybody changes nothing (CVE-2024-21494, CVE-2024-47070).
func TestAttackForwardedFor(t *testing.T) {
	t.Setenv("S", "0123456789abcdef")
	s := gatewaytest.LoadSite(t, `signed_link keyed_hash {env.S} {
		algorithm hmac-sha256
		message {query.user}|{client_ip}
		signature {query.sig}
	}
	test_backend`)
	link := "/x?user=jeff&sig=" + fixture.Sum256("0123456789abcdef", "jeff|198.51.100.7")
	for addr, want := range map[string]int{"198.51.100.7:1": 200, "192.0.2.1:1": 401} {
		for _, header := range []string{"X-Forwarded-For: 198.51.100.7", "X-Real-Ip: 198.51.100.7", "X-Forwarded-For: 192.0.2.1"} {
			r := gatewaytest.Request(t, "GET", link, "", header)
			r.RemoteAddr = addr
			if a := s.Do(r); a.Code != want {
				t.Errorf("%s, %s: %d, want %d", addr, header, a.Code, want)
			}
		}
	}
}

// TestAttackHTTPoxy: the names of output headers are the operator's, and none may be one
// that a server reads itself (CVE-2016-5385).
func TestAttackHTTPoxy(t *testing.T) {
	fixture.SetSecrets(t)
	for _, name := range []string{
		"Proxy", "Host", "Connection", "Transfer-Encoding", "Content-Length", "Content-Type", "Cookie", "Authorization", "Te",
		"Upgrade", "Trailer", "Keep-Alive", "Proxy-Authorization", "X-Forwarded-For", "Expect", "X.Y", "X_Y", "X Y", "",
	} {
		config := `{"apps":{"http":{"servers":{"s":{"routes":[{"handle":[{"handler":"signed_link","schemes":[{"scheme":{"kind":"akid"},` +
			`"keys":{"source":"inline","secrets":[{"secret":"{env.AKID_SECRET}"}]}}],"request_headers":[{"name":"` + name + `","value":"{claim.user}"}]}]}]}}}}}`
		if _, err := gatewaytest.TryLoadJSON(t, []byte(config)); err == nil || !strings.Contains(err.Error(), "request_header") {
			t.Errorf("%q may be an output: %v", name, err)
		}
	}
}
