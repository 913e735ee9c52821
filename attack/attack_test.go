package attack_test

import (
	"encoding/hex"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
	"github.com/signedlink/caddy-signed-link/internal/request/headers"
)

// Each test here is an attack on the promise, by its name in the literature. The
// attacker holds jeff's genuine link and wants to be somebody else.

// refusedAs is the site of the verifiable URL whose error page says why.
func refusedAs(t *testing.T, first string, options ...string) *gatewaytest.Site {
	t.Helper()
	fixture.SetSecrets(t)
	return gatewaytest.LoadSite(t, fixture.Autologin(first, options...)+`test_backend
	handle_errors {
		respond "{http.signed_link.reason}/{http.signed_link.detail}" {err.status_code}
	}`)
}

// TestAttackParameterPollution: a second parameter that the backend takes for the
// verified one (CVE-2022-2385; PHP takes the last, Java the first), in every spelling
// that a backend folds, whether a signature is there or not.
func TestAttackParameterPollution(t *testing.T) {
	spellings := []struct{ segment, detail string }{
		{"user=admin", "duplicate"},
		{"user=jeff", "duplicate"},
		{"user", "duplicate"},
		{"us%65r=admin", "lookalike"},
		{"%75ser=admin", "lookalike"},
		{"+user=admin", "lookalike"},
		{"%20user=admin", "lookalike"},
		{"user%00=admin", "lookalike"},
		{"user%00x=admin", "lookalike"},
		{"user%00[]=admin", "array"},
		{"user[]=admin", "array"},
		{"user%5B%5D=admin", "array"},
		{"user[0]=admin", "array"},
		{"user[x]y=admin", "array"},
		{"+user[]=admin", "array"},
		{"?user=admin", "lookalike"},
		{"USER=admin", "lookalike"},
		{"x=1;user=admin", "lookalike"},
		{";user=admin", "lookalike"},
		{"amp;user=admin", "html_escaped"},
		{"%u0075ser=admin", "lookalike"},
		{"%EF%BD%95ser=admin", "lookalike"},
		{"user%E2%80%8B=admin", "lookalike"},
		{"%09user=admin", "lookalike"},
		{"user]=admin", "lookalike"},
		{"%5Duser=admin", "lookalike"},
		{"user-=admin", "lookalike"},
		{"key[]=x", "array"},
		{"KEY=x", "lookalike"},
	}
	require, recognize := refusedAs(t, ""), refusedAs(t, "recognize")
	for _, tc := range spellings {
		for _, query := range []string{fixture.GoodLink + "&" + tc.segment, tc.segment + "&" + fixture.GoodLink} {
			if a := require.Get("/x?" + query); a.Seen != nil || a.Body.String() != "ambiguous/"+tc.detail {
				t.Errorf("%s: got %d %s, want ambiguous/%s", query, a.Code, a.Body, tc.detail)
			}
			a := recognize.Get("/x?" + query + "&a=1")
			if a.Seen == nil || a.Header1(t, "X-Verified-User") != "" {
				t.Errorf("recognize %s: got %d %s", query, a.Code, a.Body)
			} else if a.Seen.URI != "/x?a=1" || a.Seen.OrigURI != "/x?a=1" {
				t.Errorf("recognize %s: the backend sees %q, REQUEST_URI %q", query, a.Seen.URI, a.Seen.OrigURI)
			}
		}
		if tc.detail == "duplicate" {
			continue
		}
		if a := require.Get("/x?" + tc.segment); a.Seen != nil || a.Body.String() != "ambiguous/"+tc.detail {
			t.Errorf("without a signature, %s: got %d %s", tc.segment, a.Code, a.Body)
		}
	}
}

// TestAttackPHPNameFolding: `user.id`, `user id` and `user[id` are user_id to PHP.
func TestAttackPHPNameFolding(t *testing.T) {
	fixture.SetSecrets(t)
	for _, backend := range []string{"php", "strict"} {
		s := gatewaytest.LoadSite(t, `signed_link keyed_hash {env.AUTOLOGIN_SECRET} {
			algorithm md5
			message {query.user_id}{secret}
			signature {query.key}
			backend `+backend+`
		}
		test_backend`)
		link := "user_id=jeff&key=" + fixture.Key("jeff", fixture.AutologinSecret)
		if a := s.Get("/x?" + link); a.Seen == nil {
			t.Fatalf("the good link: %d", a.Code)
		}
		for _, alias := range []string{"user.id", "user%2Eid", "user+id", "user%20id", "user[id", "user%5Bid", "+user.id", "user_id%00"} {
			if a := s.Get("/x?" + link + "&" + alias + "=admin"); a.Code != http.StatusBadRequest {
				t.Errorf("%s: %s: %d", backend, alias, a.Code)
			}
		}
		// Java binders, which PHP's profile need not fear
		want := map[string]int{"php": http.StatusOK, "strict": http.StatusBadRequest}[backend]
		if a := s.Get("/x?" + link + "&user-id=admin"); a.Code != want {
			t.Errorf("%s: user-id: %d, want %d", backend, a.Code, want)
		}
	}
}

// TestAttackDroppedPair: pairs that Go's parser drops and backends keep
// (CVE-2022-2880): a broken escape, a semicolon.
func TestAttackDroppedPair(t *testing.T) {
	s := refusedAs(t, "")
	for query, want := range map[string]string{
		"user=admin%&" + fixture.GoodLink:    "ambiguous/escape",
		"user=admin%zz&" + fixture.GoodLink:  "ambiguous/escape",
		"user=admin;&" + fixture.GoodLink:    "ambiguous/semicolon",
		"user=admin;x=1&" + fixture.GoodLink: "ambiguous/semicolon",
		fixture.GoodLink + "&user=admin%":    "ambiguous/duplicate",
		"user=admin;":                        "ambiguous/semicolon",
		"user=admin%":                        "ambiguous/escape",
	} {
		if a := s.Get("/x?" + query); a.Seen != nil || a.Body.String() != want {
			t.Errorf("%s: got %d %s, want %s", query, a.Code, a.Body, want)
		}
	}
}

// TestAttackTooManyParameters: PHP and Tomcat stop reading after 1000, Go after
// 10000 (CVE-2026-39825): what stands behind is read by one side only.
func TestAttackTooManyParameters(t *testing.T) {
	for _, mode := range []string{"require", "recognize"} {
		s := refusedAs(t, mode)
		for _, query := range []string{
			"user=admin&" + strings.Repeat("a&", 999) + fixture.GoodLink,
			strings.Repeat("=&", 1001) + fixture.GoodLink,
			"a=" + strings.Repeat("x", 64<<10) + "&" + fixture.GoodLink,
		} {
			if a := s.Get("/x?" + query); a.Seen != nil || a.Code != http.StatusBadRequest {
				t.Errorf("%s: %.20s…: %d", mode, query, a.Code)
			}
		}
		if a := s.Get("/x?" + strings.Repeat("&", 20000) + fixture.GoodLink); a.Seen == nil {
			t.Errorf("%s: empty segments are no parameters: %d %s", mode, a.Code, a.Body)
		}
	}
}

// TestAttackTruncatedTarget: Caddy cuts a FastCGI parameter off at 64 KiB, so behind a
// path of that length REQUEST_URI ends where the attacker likes: in the middle of
// `user=jeffrey`, for whom a link was signed, and an application that reads REQUEST_URI
// itself sees jeff. Path and query are bounded together, whatever the server admits.
func TestAttackTruncatedTarget(t *testing.T) {
	for _, mode := range []string{"require", "recognize"} {
		s := refusedAs(t, mode)
		path := "/x/" + strings.Repeat("a", 64<<10)
		if a := s.Get(path[:65_000] + "?" + fixture.GoodLink); a.Seen != nil || a.Code != http.StatusBadRequest {
			t.Errorf("%s: a path of 65,000 bytes: %d", mode, a.Code)
		}
		if a := s.Get(path[:30_000] + "?" + fixture.GoodLink); a.Seen == nil || a.Header1(t, "X-Verified-User") != "jeff" {
			t.Errorf("%s: a path of 30,000 bytes: %d", mode, a.Code)
		}
	}
}

// TestAttackControlBytes: HTTP/2 and HTTP/3 carry blanks, control bytes and '#' in
// :path; a blank begins another parameter for PHP, '#' ends the query for others.
func TestAttackControlBytes(t *testing.T) {
	s := refusedAs(t, "")
	for _, query := range []string{fixture.GoodLink + "& user=admin", fixture.GoodLink + "&a=#&user=admin", fixture.GoodLink + "&a=\x7f", fixture.GoodLink + "&\tuser=admin"} {
		r := gatewaytest.Request(t, "GET", "/x", "")
		r.URL.RawQuery, r.RequestURI = query, "/x?"+query
		if a := s.Do(r); a.Seen != nil || a.Body.String() != "ambiguous/control" {
			t.Errorf("%q: got %d %s", query, a.Code, a.Body)
		}
	}
}

// TestAttackCookieShadow: $_REQUEST prefers a cookie where request_order holds C. The
// cookie is cut, nobody is refused for one, and the other cookies stay as they are.
func TestAttackCookieShadow(t *testing.T) {
	for _, mode := range []string{"require", "recognize"} {
		s := refusedAs(t, mode)
		a := s.Get("/x?"+fixture.GoodLink, "Cookie: a=1; user=admin;  b=%zz; user[]=x; us.er=1; user[%00]=x", "Cookie: key=x;user[x%00]=y; us%65r=z")
		if a.Seen == nil {
			t.Fatalf("refused: %s", a.Body)
		}
		if got := a.Seen.Headers["Cookie"]; len(got) != 1 || got[0] != "a=1;  b=%zz; us.er=1" {
			t.Errorf("%s: the backend gets the cookies %q", mode, got)
		}
	}
	a := refusedAs(t, "observe").Get("/x?"+fixture.GoodLink, "Cookie: user=admin")
	if got := a.Seen.Headers["Cookie"]; len(got) != 1 || got[0] != "user=admin" {
		t.Errorf("observe changes cookies: %q", got)
	}
}

// TestAttackCookieShadowOfWholeQuery: where the message covers every parameter, a cookie
// shadows each of them, and not only those that the definition names.
func TestAttackCookieShadowOfWholeQuery(t *testing.T) {
	t.Setenv("KEY", fixture.HMACKey)
	for message, signed := range map[string]string{"{sorted_query}": "a=1&b=2&list[]=3&page=7&user=jeff", "{query}": "user=jeff&page=7&list[]=3&a=1;b=2"} {
		last := map[string]string{"{sorted_query}": "a=1&b=2", "{query}": "a=1;b=2"}[message]
		for _, backend := range []string{"php", "servlet", "strict"} {
			s := gatewaytest.LoadSite(t, `signed_link keyed_hash {env.KEY} {
				algorithm hmac-sha256
				message `+message+`
				signature {query.sig}
				user {query.user}
				ignore utm_*
				backend `+backend+`
			}
			test_backend`)
			const cookies = "x=1; page=9; pag%65=8; list=4; list[]=5; b=3;sig=0; user=admin; utm_source=mail; Page=1"
			a := s.Get("/x?utm_source=news&user=jeff&page=7&list[]=3&"+last+"&sig="+fixture.Sum256(fixture.HMACKey, signed), "Cookie: "+cookies, "Cookie: page=2")
			if a.Seen == nil {
				t.Fatalf("%s, %s: %d %s", message, backend, a.Code, a.Body)
			}
			want := []string{"x=1; utm_source=mail; Page=1"}
			if backend == "servlet" {
				want = []string{cookies, "page=2"}
			}
			if got := a.Seen.Headers["Cookie"]; !slices.Equal(got, want) {
				t.Errorf("%s, %s: the backend gets the cookies %q, want %q", message, backend, got, want)
			}
		}
	}
}

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

// TestAttackMethodOverride: `_method` and X-HTTP-Method-Override turn a mailed GET
// into a DELETE.
func TestAttackMethodOverride(t *testing.T) {
	s := refusedAs(t, "")
	for _, tc := range []struct{ query, header string }{
		{"&_method=DELETE", ""},
		{"&%5Fmethod=DELETE", ""},
		{"&_method[]=DELETE", ""},
		{"&_METHOD=DELETE", ""},
		{"&.METHOD=DELETE", ""},
		{"&+_METHOD=DELETE", ""},
		{"&[METHOD=DELETE", ""},
		{"&X-HTTP-Method-Override=DELETE", ""},
		{"", "X-HTTP-Method-Override: DELETE"},
		{"", "X-HTTP-Method: DELETE"},
		{"", "X-Method-Override: DELETE"},
	} {
		var headers []string
		if tc.header != "" {
			headers = append(headers, tc.header)
		}
		if a := s.Get("/x?"+fixture.GoodLink+tc.query, headers...); a.Seen != nil || a.Body.String() != "method/override" {
			t.Errorf("%+v: got %d %s", tc, a.Code, a.Body)
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

// TestAttackPathConfusion: the matcher and the backend read the path differently
// (CVE-2020-5902, CVE-2020-11989, CVE-2018-14371): the definition applies where either
// of them sees a path of its own, and not elsewhere.
func TestAttackPathConfusion(t *testing.T) {
	fixture.SetSecrets(t)
	for _, tc := range []struct {
		backend, matcher, path string
		applies                bool
	}{
		{"servlet", "/app /app/*", "/app;x/", true},
		{"servlet", "/app /app/*", "/app;x", true},
		{"servlet", "/app /app/*", "/;x/app/", true},
		{"servlet", "/app /app/*", "/;/app/", true},
		{"servlet", "/app /app/*", "/x/..;/app/", true},
		{"servlet", "/app /app/*", "/x/%2e%2e;/app/", true},
		{"servlet", "/app /app/*", "/.;/app/", true},
		{"servlet", "/app /app/*", "/other/x;jsessionid=1", false},
		{"servlet", "/app /app/*", "/app/x;jsessionid=1", true},
		{"servlet", "/app /app/*", "/index.php/app/1", false},
		{"php", "/app /app/*", "/index.php/app/1", true},
		{"php", "/app /app/*", "/app;x/", false},
		{"php", "/autologin.php", "/autologin.php/", true},
		{"php", "/autologin.php", "/autologin.php/x", true},
		{"php", "/autologin.php", "/AutoLogin.PHP/x", true},
		{"php", "/autologin.php", "/a%75tologin.php/", true},
		{"php", "/autologin.php", "/autologin.php", true},
		{"php", "/app /app/*", "/app%2f..", true},
		{"php", "/app /app/*", "/app/%2e%2e", true},
		{"php", "/app /app/*", "/app/../x", true},
		// as sent, the page is another one, and the link is judged all the same
		{"servlet", "/app /app/*", "/app/..;/other/", true},
		{"php", "/app /app/*", "/x/../app/y", true},
		{"php", "/app /app/*", "/index.php/app/../x", true},
		{"php", "/app /app/*", "/x/../y", false},
		{"php", "/app /app/*", "/index.php/app%00/x", true},
		{"php", "/app /app/*", "/app%00x", true},
		{"php", "/app /app/*", "/app/x%00y", true},
		{"php", "/app /app/*", "/x/app%00", false},
		{"strict", "/autologin.php", "/autologin.php%00.gif", true},
		{"servlet", "/app /app/*", "/app%00x", false},
		{"php", "/app /app/*", "/app/./x", true},
		// Apache, to which %2F is a letter when it resolves dots
		{"php", "/app /app/*", "/app/%2F/%2E.", true},
		{"strict", "/app /app/*", "/%2e/app/%2F/%2E.", true},
		{"php", "/app /app/*", "/x%2F../app/y", true},
		{"strict", "/app /app/*", "/x%2Fapp/y", false},
		{"strict", "/app /app/*", "/x%2F../y", false},
		// Jetty and others, to whom `//` has an empty segment in it
		{"servlet", "/app /app/*", "/app//..", true},
		{"php", "/app /app/*", "/app//../x", true},
		{"strict", "/app /app/*", "/x//../../app/y", true},
		{"strict", "/app /app/*", "/x//../y", false},
		{"strict", "/app /app/*", "/x//app/y", false},
		{"servlet", "/app /app/*", "/app/../x", false},
		{"strict", "/app /app/*", "/index.php/app/1", true},
		{"strict", "/app /app/*", "/app;x/", true},
		{"strict", "/app /app/*", "/index.php;x/app/1", true},
		{"strict", "/app /app/*", "/caf%C3%A9/100%25", false},
		{"strict", "/app /app/*", "/app/caf%C3%A9;jsessionid=1", true},
		{"strict", "/app /app/*", "/images//logo.png", false},
	} {
		t.Run(tc.backend+" "+tc.matcher+" "+tc.path, func(t *testing.T) {
			s := gatewaytest.LoadSite(t, "@app path "+tc.matcher+"\n"+fixture.Autologin("@app", "backend "+tc.backend)+`test_backend
			handle_errors {
				respond "{http.signed_link.reason}/{http.signed_link.detail}" {err.status_code}
			}`)
			a := s.Get(tc.path+"?"+fixture.GoodLink, "X-Verified-User: evil")
			switch {
			case a.Seen == nil:
				t.Errorf("a genuine link is refused: %d %s", a.Code, a.Body)
			case tc.applies && a.Header1(t, "X-Verified-User") != "jeff":
				t.Errorf("a genuine link is not verified")
			case !tc.applies && a.Seen.Headers["X-Verified-User"] != nil:
				t.Errorf("a link of another page is judged")
			}
			for target, want := range map[string]string{
				tc.path + "?user=admin": "malformed/no_signature", tc.path + "?" + fixture.BadLink: "bad_signature/", tc.path: "missing/",
			} {
				if a := s.Get(target, "X-Verified-User: evil"); tc.applies && (a.Seen != nil || a.Body.String() != want && !strings.HasPrefix(want, "malformed")) {
					t.Errorf("%s: got %d %s", target, a.Code, a.Body)
				} else if !tc.applies && a.Seen == nil {
					t.Errorf("%s is refused: %d %s", target, a.Code, a.Body)
				}
			}
		})
	}
	t.Run("observe refuses nothing", func(t *testing.T) {
		s := gatewaytest.LoadSite(t, fixture.Autologin("/app/* observe")+"test_backend")
		if a := s.Get("/app;x/?" + fixture.GoodLink); a.Seen == nil {
			t.Errorf("refused: %d", a.Code)
		}
	})
	t.Run("matchers of placeholders are judged on the other path", func(t *testing.T) {
		s := gatewaytest.LoadSite(t, "@app expression {path}.startsWith('/app/')\n"+fixture.Autologin("@app")+"test_backend")
		if a := s.Get("/;/app/x"); a.Code != http.StatusUnauthorized {
			t.Errorf("%d", a.Code)
		}
		if a := s.Get("/;/other/x"); a.Seen == nil {
			t.Errorf("an honest path is refused: %d", a.Code)
		}
	})
}

// TestAttackOpaqueTarget: Go makes a URL without a path of `GET http:X./app/`, which no
// path matcher matches, and a proxy sends on `GET X./app/`, which php -S serves from /app.
func TestAttackOpaqueTarget(t *testing.T) {
	s := refusedAs(t, "/app/*")
	for _, target := range []string{"http:X./app/?user=admin", "a:X./%2fapp/", "http:app/x"} {
		if a := s.Get(target, "X-Verified-User: admin"); a.Seen != nil || a.Body.String() != "ambiguous/path" {
			t.Errorf("%s: %d %s", target, a.Code, a.Body)
		}
	}
	for _, target := range []string{"http://example.org/open?a=1", "http://example.org?a=1"} {
		if a := s.Get(target); a.Seen == nil {
			t.Errorf("an honest target is refused, %s: %d %s", target, a.Code, a.Body)
		}
	}
	guarded := gatewaytest.LoadSite(t, "signed_link guard\nhandle /app/* {\n"+fixture.Autologin("")+"test_backend app\n}\ntest_backend\nhandle_errors {\ntest_backend errors\n}")
	a := guarded.Get("http:X./app/?user=admin", "X-Verified-User: admin")
	if a.Seen == nil || a.Seen.Backend != "errors" || strings.Contains(a.Seen.URI+a.Seen.OrigURI, "user") || a.Header1(t, "X-Verified-User") != "" {
		t.Errorf("behind a guard: %d %s", a.Code, a.Body)
	}
}

// TestAttackPanic: bytes of which Unicode's lower case has another length, in front of a
// script in the path.
func TestAttackPanic(t *testing.T) {
	s := refusedAs(t, "/app/*")
	for _, path := range []string{"/\xff.php/", "/\xff\xff\xff.PHP/app/", "/%FF.php/x", "/\u0130\u0130.php/app/x", "/\u2126.php/", "/.php/", "/.php"} {
		s.Get(path + "?" + fixture.GoodLink)
	}
	if a := s.Get("/\u0130\u0130.php/app/x?" + fixture.BadLink); a.Body.String() != "bad_signature/" {
		t.Errorf("%d %s", a.Code, a.Body)
	}
}

// TestAttackNobodysParameters: what recognize lets on as nobody names nobody, whatever
// stands beside the identity: a signed parameter and a semicolon, a '#', a control.
func TestAttackNobodysParameters(t *testing.T) {
	t.Setenv("TOKEN", "s3cret-of-42")
	s := gatewaytest.LoadSite(t, `signed_link recognize sial {
		user_keys inline {
			42 {env.TOKEN}
		}
		action {path} prefix /do/
		params title
		param action one_of watch
	}
	test_backend`)
	for query, want := range map[string]string{
		"title=7;user=admin":          "",
		"title=7&a=1":                 "?title=7&a=1",
		"a=1;title=7;us%65r=x":        "",
		"a=1;b=2&title=7":             "?a=1;b=2&title=7",
		"user#&a=1":                   "",
		"a=1&\x01user=admin":          "",
		"a=1& user=admin":             "",
		"title=7&user[]=admin;x&sig=": "?title=7",
	} {
		r := gatewaytest.Request(t, "GET", "/do/watch", "")
		r.URL.RawQuery, r.RequestURI = query, "/do/watch?"+query
		if a := s.Do(r); a.Seen == nil || a.Seen.URI != "/do/watch"+want || a.Seen.OrigURI != a.Seen.URI {
			t.Errorf("%q: %d %s, want %q", query, a.Code, a.Body, want)
		}
	}
}

// TestAttackErrorRoute: handle_errors that proxies to the application must not hand
// it what was just refused: neither the client's headers, nor protected parameters in
// the URL that Caddy restores, nor the body.
func TestAttackErrorRoute(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.LoadSite(t, fixture.Autologin("/app/*")+`
	signed_link /app/* keyed_hash {env.AUTOLOGIN_SECRET} {
		name other
		algorithm md5
		message {query.account}{secret}
		signature {query.sig}
		request_header X-Account {query.account}
	}
	test_backend
	handle_errors {
		test_backend errors
	}`)
	for _, query := range []string{fixture.BadLink, fixture.GoodLink + "&us%65r[]=admin", "user=admin", fixture.GoodLink + "&account=x&sig=0"} {
		r := gatewaytest.Request(t, "POST", "/app/x?"+query+"&a=1&account=acme", "user=admin",
			"X-Verified-User: admin", "X_Account: admin", "X-Account: admin", "Cookie: user=admin; b=1", "Content-Type: application/x-www-form-urlencoded")
		a := s.Do(r)
		if a.Seen == nil || a.Seen.Backend != "errors" {
			t.Fatalf("%s: %d %s", query, a.Code, a.Body)
		}
		for what, uri := range map[string]string{
			"URL": a.Seen.URI, "RequestURI": a.Seen.RequestURI, "REQUEST_URI": a.Seen.OrigURI, "{orig_uri}": a.Seen.OrigText,
			"the original RequestURI": a.Seen.OrigTarget,
		} {
			if uri != "/app/x?a=1" {
				t.Errorf("%s: %s is %q", query, what, uri)
			}
		}
		if a.Seen.Body != "" || a.Seen.AuthUser != "" {
			t.Errorf("%s: body %q, user %q", query, a.Seen.Body, a.Seen.AuthUser)
		}
		for _, name := range []string{"X-Verified-User", "X-Account", "X_account", "Content-Type"} {
			if got := a.Seen.Headers[name]; got != nil {
				t.Errorf("%s: %s is %q", query, name, got)
			}
		}
		if got := a.Seen.Headers["Cookie"]; len(got) != 1 || got[0] != "b=1" {
			t.Errorf("%s: cookies %q", query, got)
		}
	}
	r := gatewaytest.Request(t, "GET", "/app/x", "")
	r.URL.RawQuery = "a=\x01&user=admin"
	if a := s.Do(r); a.Seen == nil || a.Seen.URI != "/app/x" || a.Seen.OrigURI != "/app/x" {
		t.Errorf("a query that cannot be read is dropped whole: %s", a.Body)
	}
}

// TestAttackErrorBeforeRoutes: Caddy refuses a method of 33 letters before all routes
// and before its own alias filter; the guard stands before the error routes, too.
func TestAttackErrorBeforeRoutes(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.LoadSite(t, fixture.Autologin("/app/*")+"test_backend\nhandle_errors {\n\ttest_backend errors\n}")
	r := gatewaytest.Request(t, strings.Repeat("A", 33), "/app/x?user=admin&a=1", "user=admin", "X-Verified-User: admin", "Connection: X-Verified-User")
	r.Header["X_verified_user"] = []string{"admin"}
	a := s.Do(r)
	if a.Seen == nil || a.Seen.Backend != "errors" {
		t.Fatalf("%d %s", a.Code, a.Body)
	}
	for name := range a.Seen.Headers {
		if headers.Protected(name) {
			t.Errorf("the error route gets %s", name)
		}
	}
	if a.Seen.URI != "/app/x?a=1" || a.Seen.OrigURI != "/app/x?a=1" || a.Seen.OrigText != "/app/x?a=1" || a.Seen.Body != "" {
		t.Errorf("the error route gets %+v", a.Seen)
	}
	// where a message covers every parameter, any may be one that nobody signed
	t.Setenv("KEY", fixture.HMACKey)
	covers := "signed_link /all/* keyed_hash {env.KEY} {\nalgorithm hmac-sha256\nmessage {sorted_query}\nsignature {query.sig}\nuser {query.user}\n}\n"
	s = gatewaytest.LoadSite(t, fixture.Autologin("/app/*")+covers+"test_backend\nhandle_errors {\n\ttest_backend errors\n}")
	for method, target := range map[string]string{strings.Repeat("A", 33): "/all/x?a=1", "GET": "/app/x?a=1"} {
		if a := s.Do(gatewaytest.Request(t, method, target, "")); a.Seen == nil || a.Seen.Backend != "errors" || strings.Contains(a.Seen.URI+a.Seen.OrigURI+a.Seen.OrigText, "?") {
			t.Errorf("%s: the error route gets %s", target, a.Body)
		}
	}
	// an error of another handler, on a route that no definition matches, is no
	// reason to take parameters away
	s = gatewaytest.LoadSite(t, fixture.Autologin("/app/*")+"error /open 404\nhandle_errors {\n\ttest_backend errors\n}")
	if a := s.Get("/open?user=jeff&a=1"); a.Seen == nil || a.Seen.URI != "/open?user=jeff&a=1" {
		t.Errorf("an honest error page gets %s", a.Body)
	}
}

// TestAttackRewrittenError: a request for an open page that fails there must not come to a
// protected one with parameters that nobody judged, because the error routes ask that page.
func TestAttackRewrittenError(t *testing.T) {
	fixture.SetSecrets(t)
	for _, errors := range []string{
		"rewrite * /app/error\ntest_backend errors",
		"handle {\nuri strip_prefix /open\ntest_backend errors\n}",
		"route {\n@x path /open*\nrewrite @x /app{uri}\ntest_backend errors\n}",
		"handle_path /open/* {\ntest_backend errors\n}",
		"try_files /app/error\ntest_backend errors",
		"uri replace open app\nhandle {\ntest_backend errors\n}",
		"uri path_regexp ^/open /app\ntest_backend errors",
	} {
		s := gatewaytest.LoadSite(t, fixture.Autologin("/app/*")+"error /open* 404\nhandle_errors {\n"+errors+"\n}")
		for _, target := range []string{"/open/app/x?user=admin&a=1", "/open/app/x?a=1&user", "/open/app/x?us%65r[]=admin&a=1&key=x", "/open/app/x?a=1;user=admin&a=1"} {
			a := s.Do(gatewaytest.Request(t, "POST", target, "user=admin"))
			if a.Seen == nil || a.Seen.Backend != "errors" || a.Seen.Body != "" ||
				strings.Contains(a.Seen.URI+a.Seen.OrigURI+a.Seen.OrigText, "admin") || strings.HasSuffix(a.Seen.URI, "user") || !strings.HasSuffix(a.Seen.URI, "?a=1") {
				t.Errorf("%s: %s: %d %s", errors, target, a.Code, a.Body)
			}
		}
	}
}

// TestAttackRewrittenErrorOfAnother: a link that one definition verified says nothing of what
// another one protects, to whose page the error routes lead.
func TestAttackRewrittenErrorOfAnother(t *testing.T) {
	fixture.SetSecrets(t)
	errors := "handle_errors {\nrewrite * /app/error\ntest_backend errors\n}\n"
	for _, mode := range []string{"", "recognize", "observe"} {
		s := gatewaytest.LoadSite(t, fixture.Autologin("/app/*")+"signed_link /shop/* "+mode+" akid {env.AKID_SECRET}\nerror /shop* 404\n"+errors)
		for _, target := range []string{"/shop/?user=admin&akid=" + fixture.GoodAKID + "&a=1", "/shop/?a=1&us%65r=admin", "/shop/?a=1&akid=" + fixture.GoodAKID + "&user[]=admin"} {
			a := s.Do(gatewaytest.Request(t, "GET", target, "", "Cookie: user=admin"))
			if a.Seen == nil || a.Seen.Backend != "errors" || strings.Contains(a.Seen.URI+a.Seen.OrigURI+a.Seen.OrigText, "admin") || a.Header1(t, "Cookie") != "" {
				t.Errorf("%s, %s: %d %s", mode, target, a.Code, a.Body)
			}
		}
	}
	// what was verified stays, with its user
	s := gatewaytest.LoadSite(t, fixture.Autologin("/app/*")+"signed_link /shop/* akid {env.AKID_SECRET} {\nstrip none\n}\nerror /shop* 404\n"+errors)
	if a := s.Get("/shop/?akid=" + fixture.GoodAKID + "&a=1"); a.Seen == nil || a.Seen.URI != "/app/error?akid="+fixture.GoodAKID+"&a=1" || a.Header1(t, "X-Verified-User") == "" {
		t.Errorf("a verified link: %d %s", a.Code, a.Body)
	}
	s = gatewaytest.LoadSite(t, fixture.Autologin("/app/*")+"error /app/broken 500\n"+errors)
	if a := s.Get("/app/broken?" + fixture.GoodLink + "&a=1"); a.Seen == nil || !strings.Contains(a.Seen.URI, "user=jeff") {
		t.Errorf("a verified link that fails: %d %s", a.Code, a.Body)
	}
}

// TestAttackRewrittenErrorOfAnotherSite: the error routes of a server are one list, with the
// sites' hosts before each.
func TestAttackRewrittenErrorOfAnotherSite(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.Load(t, `{
		admin off
		auto_https off
	}
	http://a.test {
		`+fixture.Autologin("/app/*")+`
		test_backend
	}
	http://b.test {
		signed_link guard
		error /open* 404
		test_backend
		handle_errors {
			invoke e
		}
	}
	&(e) {
		rewrite * /app/error
		test_backend errors
	}`)
	r := gatewaytest.Request(t, "GET", "/open?user=admin&a=1", "")
	r.Host = "b.test"
	if a := s.Do(r); a.Seen == nil || a.Seen.URI != "/app/error?a=1" {
		t.Errorf("%d %s", a.Code, a.Body)
	}
}

// TestAttackSecondDefinitionsHeader: a refusal by the first definition must not let a
// forged output header of the second into the error route.
func TestAttackSecondDefinitionsHeader(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.LoadSite(t, fixture.Autologin("/app/*")+`
	signed_link /other/* akid {env.AKID_SECRET} {
		request_header X-Member {claim.user}
	}
	test_backend
	handle_errors {
		test_backend errors
	}`)
	for _, target := range []string{"/app/x", "/open", "/other/x?akid=" + fixture.GoodAKID} {
		a := s.Get(target, "X-Member: admin", "X.Member: admin")
		if got := a.Header1(t, "X-Member"); got == "admin" {
			t.Errorf("%s: X-Member is the client's", target)
		}
	}
}

// TestAttackIgnoredParameter: what one scheme of a definition ignores is no parameter that
// another signs, for the holder of a link of the first could write any value into it, and
// the backend believes both.
func TestAttackIgnoredParameter(t *testing.T) {
	fixture.SetSecrets(t)
	t.Setenv("KEY", fixture.HMACKey)
	for ignore, good := range map[string]bool{"promo": false, "pro*": false, "key": false, "utm_*": true, "promos": true} {
		_, err := gatewaytest.TryLoad(t, gatewaytest.SiteFile(`signed_link {
			scheme keyed_hash {env.AUTOLOGIN_SECRET} {
				algorithm md5
				message {query.promo}{secret}
				signature {query.key}
				user {query.promo}
				name one
			}
			scheme keyed_hash {env.KEY} {
				algorithm hmac-sha256
				message {sorted_query}
				signature {query.sig}
				user {query.user}
				ignore `+ignore+`
				name two
			}
		}
		test_backend`))
		if (err == nil) != good || err != nil && !strings.Contains(err.Error(), "carries part of a link of one") {
			t.Errorf("ignore %s: error %v", ignore, err)
		}
	}
}

// TestAttackPlaceholderInjection: a client that writes a placeholder gets its text
// back, not its value (GHSA-j8px-rmrx-76h9).
func TestAttackPlaceholderInjection(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.LoadSite(t, fixture.Autologin("")+"test_backend")
	const user = "{env.AUTOLOGIN_SECRET}"
	a := s.Get("/x?user=%7Benv.AUTOLOGIN_SECRET%7D&key=" + fixture.Key(user, fixture.AutologinSecret))
	if a.Seen == nil || a.Header1(t, "X-Verified-User") != user || a.Seen.AuthUser != user {
		t.Errorf("got %d %s", a.Code, a.Body)
	}
}

// TestAttackExpiryOracle: a link with a wrong signature never says that it expired, so
// nobody learns which links once existed.
func TestAttackExpiryOracle(t *testing.T) {
	t.Setenv("S", "0123456789abcdef")
	s := gatewaytest.LoadSite(t, `signed_link keyed_hash {env.S} {
		algorithm hmac-sha256
		message {query.user}|{query.exp}
		signature {query.sig}
		expires {query.exp}
	}
	test_backend
	handle_errors {
		respond "{http.signed_link.reason}" {err.status_code}
	}`)
	s.At(time.Unix(1790000000, 0))
	for _, exp := range []string{"1", "nonsense", "9999999999"} {
		if a := s.Get("/x?user=jeff&exp=" + exp + "&sig=00"); a.Body.String() != "bad_signature" {
			t.Errorf("exp=%s: %s", exp, a.Body)
		}
	}
}

// TestAttackRewrittenQuery: a rewrite before a nested definition copies the client's
// bytes into a signed parameter; what the backend would see is not what was verified.
func TestAttackRewrittenQuery(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.LoadSite(t, `signed_link guard
	route {
		rewrite /x /x?user={query.u}&key={query.key}&a=1
		rewrite /y /y?user={query.user}&key={query.key}&a=1
		`+fixture.Autologin("")+`
		test_backend
	}
	handle_errors {
		respond "{http.signed_link.reason}/{http.signed_link.detail}" {err.status_code}
	}`)
	if a := s.Get("/x?" + fixture.GoodLink + "&u=admin"); a.Seen != nil || a.Body.String() != "ambiguous/rewritten" {
		t.Errorf("got %d %s", a.Code, a.Body)
	}
	if a := s.Get("/y?" + fixture.GoodLink); a.Seen == nil || a.Seen.URI != "/y?user=jeff&a=1" || a.Seen.OrigURI != "/y?user=jeff" {
		t.Errorf("an honest rewrite: %d %s", a.Code, a.Body)
	}
}

// TestAttackRewrittenBefore: the same where the operator put the directive behind
// `rewrite`, so that no signed_link saw the query before.
func TestAttackRewrittenBefore(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.Load(t, "{\n\tadmin off\n\tauto_https off\n\torder signed_link after rewrite\n}\nhttp:// {\n"+`
		rewrite /x /x?user={query.u}&key={query.key}&a=1
		rewrite /y /y?user={query.user}&key={query.key}&a=1
		`+fixture.Autologin("")+`
		test_backend
		handle_errors {
			respond "{http.signed_link.reason}/{http.signed_link.detail}" {err.status_code}
		}
	}`)
	if a := s.Get("/x?" + fixture.GoodLink + "&u=admin"); a.Seen != nil || a.Body.String() != "ambiguous/rewritten" {
		t.Errorf("got %d %s", a.Code, a.Body)
	}
	if a := s.Get("/y?" + fixture.GoodLink); a.Seen == nil || a.Seen.URI != "/y?user=jeff&a=1" {
		t.Errorf("an honest rewrite: %d %s", a.Code, a.Body)
	}
}

// TestAttackPathOfAction: another path that the backend takes for the signed action.
func TestAttackPathOfAction(t *testing.T) {
	t.Setenv("TOKEN", "s3cret-of-42")
	s := gatewaytest.LoadSite(t, `signed_link sial {
		user_keys inline {
			42 {env.TOKEN}
		}
		action {path} prefix /do/
	}
	test_backend`)
	query := "?user=42&sig=" + fixture.Sum1("42delete"+"s3cret-of-42")
	if a := s.Get("/do/delete" + query); a.Seen == nil {
		t.Fatalf("the good link: %d", a.Code)
	}
	for _, path := range []string{
		"/do/del%65te", "/do/x/../delete", "/do//delete", "/do/delete/", "/do/delete;x", "/do/delete%00", "/do/Delete",
		"//do/delete", "/do/./delete", "/do/%2e/delete", "/do/delete%2F", "/x/do/delete", "/do/",
	} {
		if a := s.Get(path + query); a.Seen != nil {
			t.Errorf("%s reaches the backend", path)
		}
	}
}

// TestAttackDecodedPath: two paths that different routes answer have one decoded form.
func TestAttackDecodedPath(t *testing.T) {
	t.Setenv("S", "0123456789abcdef")
	s := gatewaytest.LoadSite(t, `signed_link keyed_hash {env.S} {
		algorithm hmac-sha256
		message {path}|{query.user}
		signature {query.sig}
		param user alnum
	}
	test_backend`)
	query := "?user=jeff&sig=" + fixture.Sum256("0123456789abcdef", "/a/b c|jeff")
	if a := s.Get("/a/b%20c" + query); a.Seen == nil {
		t.Fatalf("the good link: %d", a.Code)
	}
	for _, path := range []string{"/a%2Fb%20c", "/a%2fb%20c"} {
		if a := s.Get(path + query); a.Code != http.StatusBadRequest {
			t.Errorf("%s: %d", path, a.Code)
		}
	}
}

// TestAttackDoubleEncoding: a value is decoded once, for the message and for the header.
// `%2561dmin` is `%61dmin` to the backend, and must not be admin to the gateway; nor may
// a plus sign and a blank change places.
func TestAttackDoubleEncoding(t *testing.T) {
	s := refusedAs(t, "", "strip none")
	for query, want := range map[string]string{
		"user=%2561dmin&key=" + fixture.Key("admin", fixture.AutologinSecret):   "",
		"user=%2561dmin&key=" + fixture.Key("%61dmin", fixture.AutologinSecret): "%61dmin",
		"user=a%2Bb&key=" + fixture.Key("a+b", fixture.AutologinSecret):         "a+b",
		"user=a%2Bb&key=" + fixture.Key("a b", fixture.AutologinSecret):         "",
		"user=a+b&key=" + fixture.Key("a b", fixture.AutologinSecret):           "a b",
		"user=a+b&key=" + fixture.Key("a+b", fixture.AutologinSecret):           "",
	} {
		a := s.Get("/x?" + query)
		switch {
		case want == "" && a.Seen != nil:
			t.Errorf("%s verifies", query)
		case want != "" && (a.Seen == nil || a.Header1(t, "X-Verified-User") != want):
			t.Errorf("%s: %d %s", query, a.Code, a.Body)
		case want != "" && a.Seen.URI != "/x?"+query:
			t.Errorf("%s leaves the gateway as %s", query, a.Seen.URI)
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

// TestAttackSecretInConfig: what Caddy shows of its configuration, by its API, in the
// autosave file and in its trace log, holds placeholders and no secrets.
func TestAttackSecretInConfig(t *testing.T) {
	t.Setenv("AKID_SECRET", "canary-secret-0123456789")
	s := gatewaytest.LoadSite(t, "signed_link akid {env.AKID_SECRET}\ntest_backend")
	for _, h := range s.Handlers() {
		shown, err := json.Marshal(h)
		if err != nil {
			t.Fatal(err)
		}
		for _, text := range []string{string(shown), fmt.Sprintf("%v", h), fmt.Sprintf("%+v", h), fmt.Sprintf("%#v", h)} {
			if strings.Contains(text, "canary") || strings.Contains(text, hex.EncodeToString([]byte("canary"))) {
				t.Errorf("the handler shows its secret: %s", text)
			}
		}
	}
}

// TestAttackLogs: no secret and no signature in any line of ours at DEBUG, whatever
// became of the request, and no secret in a line of Caddy's.
func TestAttackLogs(t *testing.T) {
	fixture.SetSecrets(t)
	t.Setenv("CANARY", "canary-secret-0123456789")
	t.Setenv("TOKEN", "canary-token-0123456789")
	file := filepath.Join(t.TempDir(), "log")
	s := gatewaytest.Load(t, "{\n\tadmin off\n\tauto_https off\n\tdebug\n\tlog {\n\t\toutput file "+file+"\n\t\tlevel DEBUG\n\t}\n}\nhttp:// {\n\tlog\n"+
		fixture.Autologin("/app/*")+`
		signed_link /c/* keyed_hash {env.CANARY} {
			algorithm md5
			message {query.user}{secret}
			signature {query.key}
		}
		signed_link /do/* sial {
			user_keys inline {
				42 {env.TOKEN}
			}
			action {path} prefix /do/
		}
		test_backend
	}`)
	canary := fixture.Key("jeff", "canary-secret-0123456789")
	expected := fixture.Key("mike", "canary-secret-0123456789")
	action := fixture.Sum1("42delete" + "canary-token-0123456789")
	for _, target := range []string{
		"/c/x?user=jeff&key=" + canary, "/c/x?user=mike&key=" + canary, "/c/x?user=jeff&user=x&key=" + canary,
		"/do/delete?user=42&sig=" + action, "/do/delete?user=43&sig=" + action, "/c/x", "/c;x/?key=" + canary,
	} {
		s.Get(target)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	own := 0
	for line := range strings.SplitSeq(string(data), "\n") {
		if strings.Contains(line, "canary-") || strings.Contains(line, fixture.AutologinSecret) {
			t.Errorf("a secret: %s", line)
		}
		if strings.Contains(line, expected) {
			t.Errorf("the signature that would have been right: %s", line)
		}
		if strings.Contains(line, `"logger":"http.handlers.signed_link"`) {
			own++
			if strings.Contains(line, canary) || strings.Contains(line, action) {
				t.Errorf("a signature: %s", line)
			}
		}
	}
	if own < 7 {
		t.Errorf("%d lines of ours, want one for each request", own)
	}
}

// TestAttackSecondQuery: CodeIgniter 3 takes `/?/app/login?user=mike` for the page
// /app/login with the parameter user. To everybody else the query has one parameter with a
// long name.
func TestAttackSecondQuery(t *testing.T) {
	for _, backend := range []string{"php", "strict", "servlet"} {
		require, recognize := refusedAs(t, "", "backend "+backend), refusedAs(t, "recognize", "backend "+backend)
		for _, query := range []string{
			"/app/login?user=mike", "/app/login?user=mike&" + fixture.GoodLink, "/app/x&" + fixture.GoodLink + "&z?user=mike",
			"/app?a=1&us%65r=mike", "/app?a=1&key=x", "/app?+user=mike", "/app?x;user=mike",
		} {
			a := require.Get("/?" + query)
			if backend != "servlet" && (a.Seen != nil || a.Body.String() != "ambiguous/lookalike") {
				t.Errorf("%s: %s: %d %s", backend, query, a.Code, a.Body)
			}
			a = recognize.Get("/?" + query)
			if backend != "servlet" && (a.Seen == nil || a.Seen.URI != "/" || a.Seen.OrigURI != "/" || a.Header1(t, "X-Verified-User") != "") {
				t.Errorf("%s, recognize: %s: %d %s", backend, query, a.Code, a.Body)
			}
		}
		for _, query := range []string{"/app/login?other=1", "to=/app?user=mike", "/app/login"} { // honest
			if a := recognize.Get("/?" + query); a.Seen == nil || a.Seen.URI != "/?"+query {
				t.Errorf("%s, recognize: %s: %d %s", backend, query, a.Code, a.Body)
			}
		}
		if a := require.Get("/?" + fixture.GoodLink + "&to=/app?user=mike"); a.Seen == nil {
			t.Errorf("%s: a question mark in a value: %d %s", backend, a.Code, a.Body)
		}
	}
}

// TestAttackUnsteadyValues: where the decoded values of all parameters are signed, or their
// order is lost, a client may write another query for the same message. A semicolon begins
// another parameter where arg_separator.input says so, and Tomcat drops a pair with a
// broken escape.
func TestAttackUnsteadyValues(t *testing.T) {
	t.Setenv("KEY", fixture.HMACKey)
	const refusals = `
	test_backend
	handle_errors {
		respond "{http.signed_link.reason}/{http.signed_link.detail}" {err.status_code}
	}`
	form := `signed_link sial {
		user_keys inline {
			42 {env.KEY}
		}
		action {query.do}
		params * as form
		param user digits max 10
		param action one_of delete
		ignore utm_*
		BACKEND
	}` + refusals
	bare := strings.Replace(strings.Replace(form, "params * as form", "params *", 1), "ignore", "allow unsigned_names ambiguous_message\n\t\tignore", 1)
	sorted := `signed_link keyed_hash {env.KEY} {
		algorithm hmac-sha256
		message {sorted_query}
		signature {query.sig}
		user {query.user}
		ignore utm_*
		BACKEND
	}` + refusals
	raw := strings.Replace(sorted, "{sorted_query}", "{query}", 1)
	asForm := func(pair string) string {
		return "user=42&do=delete&sig=" + fixture.Sum1("42delete"+pair+fixture.HMACKey)
	}
	asWords := func(value string) string {
		return "user=42&do=delete&sig=" + fixture.Sum1("42delete"+value+fixture.HMACKey)
	}
	whole := func(message string) string { return "user=jeff&sig=" + fixture.Sum256(fixture.HMACKey, message) }
	for _, backend := range []string{"", "backend php", "backend servlet"} {
		for _, tc := range []struct{ site, query, want string }{
			// what was signed passes, and the same in another spelling does not
			{form, asForm("note=1%3Border%3D2") + "&note=1%3Border%3D2", ""},
			{form, asForm("note=1%3Border%3D2") + "&note=1;order=2", "ambiguous/semicolon"},
			{form, asForm("note=1%3Border%3D2") + "&note=1;order%3D2", "ambiguous/semicolon"},
			{form, asForm("no%3Bte=1") + "&no;te=1", "ambiguous/semicolon"},
			{form, asForm("note=5%25zz") + "&note=5%25zz", ""},
			{form, asForm("note=5%25zz") + "&note=5%zz", "ambiguous/escape"},
			{form, asForm("note=5%25") + "&note=5%", "ambiguous/escape"},
			{form, asForm("no%25te=5") + "&no%te=5", "ambiguous/escape"},
			{bare, asWords("1;order=2") + "&note=1%3Border%3D2", ""},
			{bare, asWords("1;order=2") + "&note=1;order=2", "ambiguous/semicolon"},
			{bare, asWords("5%zz") + "&note=5%25zz", ""},
			{bare, asWords("5%zz") + "&note=5%zz", "ambiguous/escape"},
			// the order of the two b is not signed
			{sorted, whole("a=1%3Bb=2&b=3&user=jeff") + "&b=3&a=1%3Bb=2", ""},
			{sorted, whole("a=1;b=2&b=3&user=jeff") + "&b=3&a=1;b=2", "ambiguous/semicolon"},
			{sorted, whole("a=5%zz&user=jeff") + "&a=5%zz", "ambiguous/escape"},
			{raw, whole("user=jeff&a=1;b=2") + "&a=1;b=2", ""},
			// behind what is ignored stands what nobody signed
			{form, asForm("note=1") + "&note=1&utm_x=1;order=2", "ambiguous/semicolon"},
			{sorted, whole("user=jeff") + "&utm_x=1;order=2", "ambiguous/semicolon"},
			{raw, whole("user=jeff") + "&utm_x=1;order=2", "ambiguous/semicolon"},
			{raw, whole("user=jeff") + "&utm_x=50%off", ""},
			{sorted, whole("user=jeff") + "&utm_x=50%off", ""},
		} {
			s := gatewaytest.LoadSite(t, strings.Replace(tc.site, "BACKEND", backend, 1))
			switch a := s.Get("/x?" + tc.query); {
			case tc.want == "" && a.Seen == nil, tc.want != "" && (a.Seen != nil || a.Body.String() != tc.want):
				t.Errorf("%s %s: %d %s, want %q", backend, tc.query, a.Code, a.Body, tc.want)
			}
		}
	}
}

// TestAttackTruncatedCookie: Caddy cuts HTTP_COOKIE off at 65,481 bytes, and `userX=1` may
// end as `user`. Cookies that do not fit go whole; nobody is refused for them.
func TestAttackTruncatedCookie(t *testing.T) {
	const most = 65_481
	for _, tc := range []struct {
		name  string
		lines []string
		want  []string
	}{
		{"all fits", []string{"a=" + strings.Repeat("x", most-2)}, []string{"a=" + strings.Repeat("x", most-2)}},
		{"cut within a name", []string{"a=" + strings.Repeat("x", most-2-6) + "; userX=1"}, []string{"a=" + strings.Repeat("x", most-2-6)}},
		{"cut behind a name", []string{"a=" + strings.Repeat("x", most-2-5) + ";user=1;b=2"}, []string{"a=" + strings.Repeat("x", most-2-5) + ";b=2"}},
		{"the next one does not fit", []string{"a=" + strings.Repeat("x", most-2-5) + ";b=234"}, []string{"a=" + strings.Repeat("x", most-2-5)}},
		{"one line too many", []string{"a=" + strings.Repeat("x", most-2-5), "userX=1"}, []string{"a=" + strings.Repeat("x", most-2-5)}},
		{"a comma too many", []string{"a=" + strings.Repeat("x", most-2-1), "b=1"}, []string{"a=" + strings.Repeat("x", most-2-1)}},
		{"one of a second line", []string{"a=1", "b=" + strings.Repeat("x", most-7-3) + "; userX=1"}, []string{"a=1", "b=" + strings.Repeat("x", most-7-3)}},
		{"none fits", []string{"userX" + strings.Repeat("x", most)}, nil},
	} {
		for _, mode := range []string{"require", "recognize"} {
			s := refusedAs(t, mode)
			r := gatewaytest.Request(t, "GET", "/x?"+fixture.GoodLink, "")
			r.Header["Cookie"] = slices.Clone(tc.lines)
			a := s.Do(r)
			if a.Seen == nil {
				t.Errorf("%s, %s: refused: %s", mode, tc.name, a.Body)
				continue
			}
			if got := a.Seen.Headers["Cookie"]; !slices.Equal(got, tc.want) {
				t.Errorf("%s, %s: %d lines, %d bytes arrive", mode, tc.name, len(got), len(strings.Join(got, ", ")))
			}
		}
	}
	// nobody's, and where no PHP can stand behind
	long := "a=" + strings.Repeat("x", most-2-6) + "; userX=1"
	if a := refusedAs(t, "recognize").Get("/x?"+fixture.BadLink, "Cookie: "+long); a.Seen == nil || a.Seen.Headers.Get("Cookie") != long[:most-6] {
		t.Error("a cookie of nobody's request is not bounded")
	}
	if a := refusedAs(t, "", "backend servlet").Get("/x?"+fixture.GoodLink, "Cookie: "+long); a.Seen == nil || a.Seen.Headers.Get("Cookie") != long {
		t.Error("cookies before a servlet container changed")
	}
}

// TestAttackUndeclaredBody: a body behind a length of 0 is none, and does not go on.
func TestAttackUndeclaredBody(t *testing.T) {
	s := refusedAs(t, "", "methods GET POST")
	for _, method := range []string{"GET", "POST"} {
		r := gatewaytest.Request(t, method, "/x?"+fixture.GoodLink, "user=admin", "Content-Type: application/x-www-form-urlencoded")
		r.ContentLength = 0
		if a := s.Do(r); a.Seen == nil || a.Seen.Body != "" || a.Header1(t, "X-Verified-User") != "jeff" {
			t.Errorf("%s: got %d %s", method, a.Code, a.Body)
		}
	}
}
