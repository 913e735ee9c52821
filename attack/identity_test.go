package attack_test

import (
	"context"
	"encoding/json"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
	"github.com/signedlink/caddy-signed-link/internal/request/headers"
)

// testSpellings adds the headers that a test put into the context of its request: Caddy
// itself drops the spellings of a name that the operator did not allow, and the guard is
// tested as if all were.
type testSpellings struct{}

type spellingsKey struct{}

func (testSpellings) CaddyModule() caddy.ModuleInfo {
	// It poses as a module that only looks: the walk refuses strangers before a guard.
	return caddy.ModuleInfo{ID: "http.handlers.appsec", New: func() caddy.Module { return new(testSpellings) }}
}

func (testSpellings) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	more, _ := r.Context().Value(spellingsKey{}).(http.Header)
	maps.Copy(r.Header, more)
	return next.ServeHTTP(w, r)
}

// testCopy is a handler that gives a copy of the request to the next one, as some of
// other modules do.
type testCopy struct{}

func (testCopy) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.coraza", New: func() caddy.Module { return new(testCopy) }}
}

func (testCopy) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	return next.ServeHTTP(w, r.Clone(r.Context()))
}

func init() {
	caddy.RegisterModule(testSpellings{})
	httpcaddyfile.RegisterHandlerDirective("test_spellings", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		h.Next()
		return testSpellings{}, nil
	})
	httpcaddyfile.RegisterDirectiveOrder("test_spellings", httpcaddyfile.Before, "root")
	caddy.RegisterModule(testCopy{})
	httpcaddyfile.RegisterHandlerDirective("test_copy", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		h.Next()
		return testCopy{}, nil
	})
	httpcaddyfile.RegisterDirectiveOrder("test_copy", httpcaddyfile.Before, "root")
}

// believed returns the headers of a kind that real software believes, as it spells them.
func believed(t *testing.T, kind string) []string {
	t.Helper()
	data, err := os.ReadFile(fixture.Path("internal", "request", "headers", "testdata", "believed.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for line := range strings.Lines(string(data)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), kind+" "); ok {
			names = append(names, name)
		}
	}
	if len(names) == 0 {
		t.Fatalf("no header of the kind %s", kind)
	}
	return names
}

// trustingSite is a site whose server trusts proxies on 127.0.0.1.
func trustingSite(directives string) string {
	return "{\n\tadmin off\n\tauto_https off\n\tservers {\n\t\ttrusted_proxies static 127.0.0.1/32\n\t}\n}\nhttp:// {\n" + directives + "\n}\n"
}

// withAll adds headers in the spellings under which PHP, CGI and others file them.
func withAll(r *http.Request, names []string) *http.Request {
	more := make(http.Header)
	for _, name := range names {
		for _, spelled := range []string{
			http.CanonicalHeaderKey(name), name, strings.ReplaceAll(name, "-", "_"), strings.ReplaceAll(name, "_", "."), strings.ToUpper(name),
		} {
			more[spelled] = []string{"admin"}
		}
	}
	return withHeaders(r, more)
}

// withHeaders adds headers, spelled as they are.
func withHeaders(r *http.Request, more http.Header) *http.Request {
	maps.Copy(r.Header, more)
	return r.WithContext(context.WithValue(r.Context(), spellingsKey{}, more))
}

// TestAttackOtherGatewaysIdentity: applications believe Remote-User and its family without
// being told to (tt-rss, FreshRSS, Kanboard, Heimdall: holes B2). Whoever sent it, it goes
// in every mode, on every route, in every spelling, and from error routes.
func TestAttackOtherGatewaysIdentity(t *testing.T) {
	fixture.SetSecrets(t)
	names := believed(t, "identity")
	for _, directive := range []string{
		"signed_link guard\n", fixture.Autologin("/app/*"), fixture.Autologin("/app/* recognize"), fixture.Autologin("/app/* observe"), fixture.Autologin("/app/*", "missing pass"),
	} {
		s := gatewaytest.Load(t, trustingSite("test_spellings\n"+directive+"error /boom 502\ntest_backend\nhandle_errors {\ntest_backend errors\n}"))
		for _, target := range []string{"/app/x?" + fixture.GoodLink, "/app/x?" + fixture.BadLink, "/app/x", "/open", "/boom", "/app;x/", "http:X./app"} {
			for _, addr := range []string{"127.0.0.1:1", "192.0.2.1:1"} {
				r := gatewaytest.Request(t, "GET", target, "")
				r.RemoteAddr = addr
				a := s.Do(withAll(r, names))
				if a.Seen == nil {
					t.Fatalf("%s: %d %s", target, a.Code, a.Body)
				}
				for name := range a.Seen.Headers {
					if headers.IsIdentity(name) {
						t.Errorf("%.30s %s: %s of %s arrives", directive, target, name, addr)
					}
				}
			}
		}
	}
}

// TestIdentityOfThisSite: what a handler of the configuration sets behind the first guard
// is its word, past later guards, definitions and the guard of error routes.
func TestIdentityOfThisSite(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.LoadSite(t, `signed_link guard
	route {
		request_header Remote-User carol
		signed_link guard
		`+fixture.Autologin("/app/* recognize")+`
		signed_link /b* akid {env.AKID_SECRET}
		error /boom 502
		test_backend
	}
	handle_errors {
		signed_link guard
		test_backend errors
	}`)
	for _, target := range []string{"/open", "/app/x", "/app/x?" + fixture.GoodLink, "/b?akid=" + fixture.BadAKID, "/boom"} {
		a := s.Get(target, "Remote-User: admin", "X-Remote-User: admin")
		if a.Seen == nil || a.Header1(t, "Remote-User") != "carol" || a.Header1(t, "X-Remote-User") != "" {
			t.Errorf("%s: %d %s", target, a.Code, a.Body)
		}
	}
}

// TestAttackReturnedHeaders: a handler before the guard copied the request, so that the
// guard cleaned the copy. The error route has the original.
func TestAttackReturnedHeaders(t *testing.T) {
	fixture.SetSecrets(t)
	for _, directive := range []string{"signed_link guard\n", fixture.Autologin("/boom recognize"), fixture.Autologin("/app")} {
		s := gatewaytest.LoadSite(t, "test_copy\n"+directive+"error /boom 502\ntest_backend\nhandle_errors {\nrequest_header X-Set by-the-site\nsigned_link guard\ntest_backend errors\n}")
		a := s.Get("/boom?"+fixture.GoodLink, "Remote-User: admin", "X-Verified-User: admin")
		if a.Seen == nil || a.Seen.Backend != "errors" || a.Header1(t, "Remote-User") != "" || a.Header1(t, "X-Verified-User") == "admin" {
			t.Errorf("%s: %d %s", directive, a.Code, a.Body)
		}
	}
	s := gatewaytest.LoadSite(t, "test_copy\nsigned_link guard\nerror 502\nhandle_errors {\nroute {\nsigned_link guard\nrequest_header Remote-User carol\nsigned_link guard\ntest_backend errors\n}\n}")
	if a := s.Get("/", "Remote-User: admin"); a.Seen == nil || a.Header1(t, "Remote-User") != "carol" {
		t.Errorf("what the error route sets is gone: %s", a.Body)
	}
}

// TestForwardAuth: what Caddy's own forward_auth copies from the answer of another gateway
// arrives, and what the client wrote under the same names does not, nor reaches that
// gateway. With a genuine link a request can name two people, which lint tells.
func TestForwardAuth(t *testing.T) {
	fixture.SetSecrets(t)
	auth := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Header.Get("Remote-User") != "" || r.Header.Get("X-Verified-User") != "" {
			t.Errorf("the gateway gets %q", r.Header)
		}
		if r.Header.Get("X-Forwarded-Uri") == "/carol" {
			w.Header().Set("Remote-User", "carol")
		}
	}))
	defer auth.Close()
	s := gatewaytest.LoadSite(t, `signed_link guard
	route {
		forward_auth `+auth.Listener.Addr().String()+` {
			uri /
			copy_headers Remote-User Remote-Groups
		}
		`+fixture.Autologin("/app/* recognize")+`
		error /boom* 502
		test_backend
	}
	handle_errors {
		test_backend errors
	}`)
	for target, want := range map[string]string{"/carol": "carol", "/open": "", "/app/x?" + fixture.GoodLink: "", "/boom": ""} {
		a := s.Get(target, "Remote-User: admin", "Remote-Groups: admins", "Remote-Email: a@b", "X-Verified-User: admin", "X-Forwarded-Uri: /carol")
		if a.Seen == nil || a.Header1(t, "Remote-User") != want || a.Header1(t, "Remote-Groups") != "" || a.Header1(t, "Remote-Email") != "" {
			t.Errorf("%s: %d %s", target, a.Code, a.Body)
		}
	}
}

// TestIdentityOfThisSiteBehindCopy: the error route has what this site set on the request
// that the guard cleaned, although a definition saw a copy of it.
func TestIdentityOfThisSiteBehindCopy(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.LoadSite(t, `signed_link guard
	route {
		request_header Remote-User carol
		test_copy
		`+fixture.Autologin("/app/* recognize")+`
		error 502
	}
	handle_errors {
		test_backend errors
	}`)
	for _, target := range []string{"/open", "/app/x", "/app/x?" + fixture.GoodLink} {
		if a := s.Get(target, "Remote-User: admin"); a.Seen == nil || a.Header1(t, "Remote-User") != "carol" {
			t.Errorf("%s: %s", target, a.Body)
		}
	}
}

// TestAttackErrorBeforeRoutesIdentity: the same headers, with a request that Caddy refuses
// before all routes.
func TestAttackErrorBeforeRoutesIdentity(t *testing.T) {
	fixture.SetSecrets(t)
	always := gatewaytest.LoadSite(t, fixture.Autologin("/app/*")+fixture.Autologin("/other", "authorization cut always", "name other")+"test_backend\nhandle_errors {\n\ttest_backend errors\n}")
	kept := gatewaytest.LoadSite(t, fixture.Autologin("/app/*")+"test_backend\nhandle_errors {\n\ttest_backend errors\n}")
	for s, want := range map[*gatewaytest.Site]string{always: "", kept: "Basic YWRtaW46eA=="} {
		r := gatewaytest.Request(t, strings.Repeat("A", 33), "/open", "", "Authorization: Basic YWRtaW46eA==")
		a := s.Do(withAll(r, []string{"Remote-User", "X-Auth-Request-User"}))
		if a.Seen == nil || a.Seen.Backend != "errors" {
			t.Fatalf("%d %s", a.Code, a.Body)
		}
		for name := range a.Seen.Headers {
			if headers.IsIdentity(name) {
				t.Errorf("the error route gets %s", name)
			}
		}
		if got := a.Header1(t, "Authorization"); got != want {
			t.Errorf("Authorization is %q, want %q", got, want)
		}
	}
}

// TestAttackAccept: a guard accepts what the gateway in front says, of trusted peers only,
// once, and in the spelling that it named.
func TestAttackAccept(t *testing.T) {
	fixture.SetSecrets(t)
	const guard = "signed_link guard {\naccept Remote-User remote-groups SM_USER X-Authentik-Username\n}\n"
	const trusted, stranger = "127.0.0.1:1", "192.0.2.1:1"
	for _, tc := range []struct {
		name, addr string
		header     http.Header
		seen       string // names that arrive
	}{
		{"of the gateway in front", trusted, http.Header{"Remote-User": {"bob"}, "Remote-Groups": {"a,b"}}, "Remote-Groups Remote-User"},
		{"of anybody", stranger, http.Header{"Remote-User": {"bob"}, "Remote-Groups": {"a,b"}}, ""},
		{"not named", trusted, http.Header{"Remote-Email": {"b@c"}, "X-Authentik-Groups": {"x"}, "X-Authentik-Username": {"bob"}}, "X-Authentik-Username"},
		{"the client's own beside it", trusted, http.Header{"Remote-User": {"bob"}, "Remote_user": {"admin"}, "Remote.user": {"admin"}}, "Remote-User"},
		{"the client's own before it", trusted, http.Header{"Remote-User": {"admin", "bob"}}, ""},
		{"as it is spelled", trusted, http.Header{"Sm_user": {"bob"}, "Sm-User": {"admin"}}, "Sm_user"},
	} {
		for _, directives := range []string{guard, guard + fixture.Autologin("/app/*"), guard + "route {\nsigned_link guard\n" + fixture.Autologin("/app/* recognize") + "test_backend\n}\n"} {
			s := gatewaytest.Load(t, trustingSite("test_spellings\n"+directives+"test_backend"))
			r := gatewaytest.Request(t, "GET", "/open", "")
			r.RemoteAddr = tc.addr
			a := s.Do(withHeaders(r, tc.header))
			var got []string
			for name := range a.Seen.Headers {
				if headers.IsIdentity(name) {
					got = append(got, name)
				}
			}
			slices.Sort(got)
			if strings.Join(got, " ") != tc.seen {
				t.Errorf("%s: %q arrives, want %q", tc.name, got, tc.seen)
			}
		}
	}
	// A definition that stands before it has cleaned the request already.
	_, err := gatewaytest.TryLoad(t, trustingSite("route {\n"+fixture.Autologin("/app/*")+guard+"test_backend\n}"))
	if err == nil || !strings.Contains(err.Error(), "has deleted already (Caddyfile:") {
		t.Errorf("a guard with accept behind a definition: %v", err)
	}
}

// TestAttackAcceptOutput: what a definition of the configuration sets is nobody else's
// word, in whichever order the two stand.
func TestAttackAcceptOutput(t *testing.T) {
	fixture.SetSecrets(t)
	const guard = "signed_link guard {\naccept Remote-User\n}\n"
	definition := fixture.Autologin("/app/*", "request_header remote-user {user}")
	for _, directives := range []string{"route {\n" + guard + definition + "}", "route {\n" + definition + guard + "}"} {
		_, err := gatewaytest.TryLoad(t, trustingSite(directives))
		if err == nil || !strings.Contains(err.Error(), "accept Remote-User: the definition at Caddyfile:") || strings.Count(err.Error(), "Caddyfile:") < 2 {
			t.Errorf("%v", err)
		}
	}
	if _, err := gatewaytest.TryLoad(t, trustingSite(guard+fixture.Autologin("/app/*", "request_header Remote-Email {user}"))); err != nil {
		t.Errorf("another header: %v", err)
	}
}

// TestAcceptErrors: an accept that could not hold is refused when the configuration loads.
func TestAcceptErrors(t *testing.T) {
	fixture.SetSecrets(t)
	for accept, want := range map[string]string{
		"X-Verified-User":         "is what this gateway says",
		"X-Verified-Account":      "is what this gateway says",
		"X_verified.foo":          "is what this gateway says",
		"X-Original-Url":          "is no identity header",
		"Authorization":           "is no identity header",
		"X-Forwarded-For":         "is no identity header",
		"X-Something":             "is no identity header that the guard deletes; those are Remote-User*, Remote-Group*",
		"X-Authentik-*":           "write each header in full",
		"Remote-User*":            "write each header in full",
		"Remote-Üser":             "write each header in full",
		"$WSRU Remote.User":       "",
		"Remote-User remote_user": "Remote-User and remote_user are one header to the backend",
	} {
		if _, err := gatewaytest.TryLoad(t, trustingSite("signed_link guard {\naccept "+accept+"\n}")); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("accept %s: %v", accept, err)
		}
	}
	if _, err := gatewaytest.TryLoad(t, gatewaytest.SiteFile("signed_link guard {\naccept Remote-User\n}")); err == nil || !strings.Contains(err.Error(), "trusted_proxies static") {
		t.Errorf("without trusted proxies: %v", err)
	}
	config := `{"apps":{"http":{"servers":{"s":{"routes":[{"handle":[{"handler":"signed_link","accept":["Remote-User"],"schemes":[{"scheme":{"kind":"akid"},` +
		`"keys":{"source":"inline","secrets":[{"secret":"{env.AKID_SECRET}"}]}}]}]}]}}}}}`
	if _, err := gatewaytest.TryLoadJSON(t, []byte(config)); err == nil || !strings.Contains(err.Error(), "signed_link guard { accept Remote-User }") {
		t.Errorf("accept of a definition: %v", err)
	}
	for _, option := range []string{`"authorization":"keep"`, `"cookies":{"cut_all":true}`} {
		config := `{"apps":{"http":{"servers":{"s":{"routes":[{"handle":[{"handler":"signed_link","guard":true,` + option + `}]}]}}}}}`
		if _, err := gatewaytest.TryLoadJSON(t, []byte(config)); err == nil || !strings.Contains(err.Error(), "it verifies no link") {
			t.Errorf("a guard with %s: %v", option, err)
		}
	}
}

// TestAttackIdentityOutput: an identity header of others that a definition sets is the
// gateway's own on every guard, and not only on the first: what stands between cannot be
// told from a client's any more.
func TestAttackIdentityOutput(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.LoadSite(t, `test_spellings
	signed_link guard
	route {
		request_header /set* Remote-User carol
		`+fixture.Autologin("/app/* recognize", "request_header Remote-User {user}")+`
		signed_link guard
		test_backend
	}`)
	for target, want := range map[string]string{
		"/app/x?" + fixture.GoodLink: "jeff", "/app/x?" + fixture.BadLink: "", "/app/x": "", "/open": "", "/set": "",
	} {
		r := gatewaytest.Request(t, "GET", target, "")
		a := s.Do(withAll(r, []string{"Remote-User", "Remote-Users"}))
		if a.Header1(t, "Remote-User") != want {
			t.Errorf("%s: Remote-User is %q, want %q", target, a.Header1(t, "Remote-User"), want)
		}
		for name := range a.Seen.Headers {
			if headers.IsIdentity(name) && name != "Remote-User" {
				t.Errorf("%s: %s arrives", target, name)
			}
		}
	}
}

// TestAttackWhichHeaderTheApplicationReads: FreshRSS, Heimdall, Kanboard and others log in
// whoever REMOTE_USER, X-WebAuth-User or Remote-User names. With a link that is its user,
// without one nobody, whatever the client writes.
func TestAttackWhichHeaderTheApplicationReads(t *testing.T) {
	t.Setenv("LINK_SECRET", "4b7a1f0c9e2d8a6b5c3f7e1d0a9b8c7d")
	s := gatewaytest.LoadSite(t, `test_spellings
	signed_link recognize keyed_hash {env.LINK_SECRET} {
		backend php
		algorithm hmac-sha256
		message {query.user}
		signature {query.sig}
		param user token
		request_header X-WebAuth-User {user}
		allow no_expiry
	}
	test_backend`)
	const link = "/index.php?user=alice&sig=5d7a2cf54c1a65ae72a1ac0e05c51c483dcbec47a05f2405ce4cd42e63cadc3a"
	for _, target := range []string{link, "/index.php"} {
		want := ""
		if target == link {
			want = "alice"
		}
		for _, name := range []string{
			"X-Nothing", "X-WebAuth-User", "X_WebAuth_User", "x.webauth.user", "X-WEBAUTH-USER", "X-Verified-User", "Remote-User", "X-Remote-User",
			"X-Forwarded-User", "X-Authenticated-User", "X-Auth-Username", "REMOTE_USER", "Auth-User", "PHP-Auth-User",
		} {
			a := s.Do(withHeaders(gatewaytest.Request(t, "GET", target, "", name+": admin"), http.Header{name: {"admin"}}))
			if a.Seen == nil || a.Header1(t, "X-WebAuth-User") != want || a.Seen.AuthUser != want {
				t.Fatalf("%s, %s: %d %s", target, name, a.Code, a.Body)
			}
			delete(a.Seen.Headers, "X-Nothing")
			if strings.Contains(strings.ToLower(marshal(t, a.Seen)), "admin") {
				t.Errorf("%s, %s: %s", target, name, a.Body)
			}
		}
		a := s.Get(target, "Authorization: Basic YWRtaW46eA==")
		if a.Seen.AuthUser != want || (a.Header1(t, "Authorization") == "") != (want != "") {
			t.Errorf("%s: basic authentication of the client: %s", target, a.Body)
		}
	}
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

// TestIdentityLog: that an identity header was deleted is said once for each name of the
// table, without the value and in no spelling of the client's.
func TestIdentityLog(t *testing.T) {
	fixture.SetSecrets(t)
	file := filepath.Join(t.TempDir(), "log")
	s := gatewaytest.Load(t, "{\n\tadmin off\n\tauto_https off\n\tlog {\n\t\toutput file "+file+"\n\t}\n}\nhttp:// {\ntest_spellings\n"+
		fixture.Autologin("/app/* recognize", "request_header X-Webauth-User {user}")+"signed_link guard\ntest_backend\n}")
	for i := range 3 {
		r := gatewaytest.Request(t, "GET", "/open", "", "X-Verified-User: canary")
		r = withAll(r, []string{"Remote-User", "X-Authentik-Canary" + strings.Repeat("x", i), "X-WebAuth-User"})
		for _, values := range r.Header {
			values[0] = "canary"
		}
		s.Do(r)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"Remote-User*", "X-Authentik-*", "X-Webauth-*"} {
		if n := strings.Count(string(data), `"header":"`+name+`"`); n != 1 {
			t.Errorf("%s is told %d times\n%s", name, n, data)
		}
	}
	if n := strings.Count(string(data), "deleted an identity header"); n != 3 {
		t.Errorf("%d lines", n)
	}
	if strings.Contains(strings.ToLower(string(data)), "canary") {
		t.Errorf("a value or a spelling of the client's: %s", data)
	}
}

// TestAttackForwardedAlias: Caddy's proxies write X-Forwarded-Host, and the client writes
// X_Forwarded_Host beside it, which PHP takes for the same.
func TestAttackForwardedAlias(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.Load(t, trustingSite("test_spellings\nsigned_link guard\ntest_backend"))
	for _, addr := range []string{"127.0.0.1:1", "192.0.2.1:1"} {
		r := gatewaytest.Request(t, "GET", "/", "", "X-Forwarded-Host: a", "X-Forwarded-For: 192.0.2.9", "X-Forwarded-Proto: https")
		r.RemoteAddr = addr
		r = withHeaders(r, http.Header{"X_forwarded_host": {"evil"}, "X.forwarded.for": {"evil"}, "X-Forwarded_proto": {"evil"}})
		if a := s.Do(r); strings.Contains(a.Body.String(), "evil") || a.Header1(t, "X-Forwarded-Host") != "a" {
			t.Errorf("%s: %s", addr, a.Body)
		}
	}
}

// TestAttackAuthorization: PHP makes PHP_AUTH_USER of Authorization, and Cacti and tt-rss
// believe it before REMOTE_USER: `curl -u admin:x` with jeff's link is admin (holes B2).
func TestAttackAuthorization(t *testing.T) {
	fixture.SetSecrets(t)
	names := believed(t, "credentials")
	for _, tc := range []struct {
		mode, option                string
		good, bad, none, other, err bool // whether Authorization stays
	}{
		{"require", "", false, false, false, true, false},
		{"require", "authorization cut", false, false, false, true, false},
		{"require", "authorization cut always", false, false, false, true, false},
		{"require", "authorization keep", true, true, true, true, true},
		{"recognize", "", false, true, true, true, false},
		{"recognize", "authorization cut always", false, false, false, true, false},
		{"recognize", "authorization keep", true, true, true, true, true},
		{"observe", "", true, true, true, true, true},
		{"observe", "authorization cut always", true, true, true, true, true},
	} {
		s := gatewaytest.LoadSite(t, "test_spellings\n"+fixture.Autologin("/app/* "+tc.mode, tc.option)+"error /app/boom 502\ntest_backend\nhandle_errors {\ntest_backend errors\n}")
		for target, want := range map[string]bool{
			"/app/x?" + fixture.GoodLink: tc.good, "/app/x?" + fixture.BadLink: tc.bad, "/app/x": tc.none, "/open?" + fixture.GoodLink: tc.other, "/app/boom?" + fixture.GoodLink: tc.err,
		} {
			r := gatewaytest.Request(t, "GET", target, "")
			a := s.Do(withAll(r, names))
			got := 0
			for name := range a.Seen.Headers {
				if row := headers.Lookup(name); row != nil && row.Kind == headers.Credentials {
					got++
				}
			}
			if (got > 0) != want {
				t.Errorf("%s, %s, %s: %d of the headers stay, want them: %t", tc.mode, tc.option, target, got, want)
			}
		}
	}
}

// TestAttackAuthorizationOfErrorRoute: a refusal by a definition that keeps Authorization
// hands none to the error route where another one never lets it through.
func TestAttackAuthorizationOfErrorRoute(t *testing.T) {
	fixture.SetSecrets(t)
	for other, want := range map[string]string{"authorization cut": "Basic x", "authorization cut always": "", "mode observe\nauthorization cut always": "Basic x"} {
		s := gatewaytest.LoadSite(t, fixture.Autologin("/app/*", "authorization keep")+fixture.Autologin("/other", "name other", other)+"test_backend\nhandle_errors {\ntest_backend errors\n}")
		a := s.Get("/app/x?"+fixture.BadLink, "Authorization: Basic x")
		if a.Seen == nil || a.Seen.Backend != "errors" || a.Header1(t, "Authorization") != want {
			t.Errorf("%s: %d %s", other, a.Code, a.Body)
		}
	}
}

// TestAttackBasicAuthOverLink: behind basic_auth the link's user is the user of the
// request, for the access log and for PHP's REMOTE_USER (holes A7).
func TestAttackBasicAuthOverLink(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.LoadSite(t, `signed_link guard
	route {
		basic_auth {
			staging $2a$04$EUVW1QBiPTozo8j4E5l.A.5DHvKK0qlsCTe5LtcNQdovQD2TRRAXO
		}
		signed_link /none recognize akid {env.AKID_SECRET} {
			user none
		}
		`+fixture.Autologin("/app/* recognize")+`
		signed_link /app/* recognize akid {env.AKID_SECRET} {
			name second
			allow shared_users
		}
		test_backend
	}`)
	const staging = "Authorization: Basic c3RhZ2luZzpzdGFnaW5n"
	for target, want := range map[string]string{
		"/app/x?" + fixture.GoodLink: "jeff", "/app/x?" + fixture.BadLink: "staging", "/open": "staging", "/none?akid=" + fixture.GoodAKID: "staging",
		"/app/x?" + fixture.GoodLink + "&akid=" + fixture.GoodAKID: "", // two users
	} {
		if a := s.Get(target, staging); a.Seen == nil || a.Seen.AuthUser != want {
			t.Errorf("%s: %d %s, want %q", target, a.Code, a.Body, want)
		}
	}
	if a := s.Get("/app/x?" + fixture.GoodLink); a.Code != http.StatusUnauthorized {
		t.Errorf("without a password: %d", a.Code)
	}
	// the same without a guard before both
	s = gatewaytest.Load(t, "{\n\tadmin off\n\tauto_https off\n\torder signed_link after basic_auth\n}\nhttp:// {\n"+`
	basic_auth {
		staging $2a$04$EUVW1QBiPTozo8j4E5l.A.5DHvKK0qlsCTe5LtcNQdovQD2TRRAXO
	}
	`+fixture.Autologin("/app/* recognize")+"test_backend\n}\n")
	for target, want := range map[string]string{"/app/x?" + fixture.GoodLink: "jeff", "/app/x?" + fixture.BadLink: "staging", "/open": "staging"} {
		if a := s.Get(target, staging); a.Seen == nil || a.Seen.AuthUser != want {
			t.Errorf("without a guard, %s: %d %s, want %q", target, a.Code, a.Body, want)
		}
	}
}

// TestCutsAuthorization: what a handler that asks for a password may expect behind a
// definition.
func TestCutsAuthorization(t *testing.T) {
	fixture.SetSecrets(t)
	for directive, want := range map[string]bool{
		"signed_link guard": false, fixture.Autologin(""): true, fixture.Autologin("recognize", "authorization cut always"): true,
		fixture.Autologin("", "authorization keep"): false, fixture.Autologin("observe", "authorization cut always"): false,
	} {
		if got := gatewaytest.LoadSite(t, directive).Handlers()[0].CutsAuthorization(); got != want {
			t.Errorf("%s: %t", directive, got)
		}
	}
}

// TestAttackConnectionElsewhere: whatever Connection names, a proxy deletes: on every
// route, in every mode, and from the request of a form (holes D1: Content-Type gone, PHP
// reads text/plain as a form).
func TestAttackConnectionElsewhere(t *testing.T) {
	fixture.SetSecrets(t)
	for _, directive := range []string{
		"signed_link guard\n", fixture.Autologin("/app/*", "methods GET POST"), fixture.Autologin("/app/* recognize"), fixture.Autologin("/app/* observe"),
	} {
		s := gatewaytest.LoadSite(t, directive+"error /boom 502\ntest_backend\nhandle_errors {\ntest_backend errors\n}")
		for _, target := range []string{"/app/x?" + fixture.GoodLink, "/app/x?" + fixture.BadLink, "/app/x", "/open", "/boom"} {
			for _, method := range []string{"GET", "POST"} {
				body := map[string]string{"POST": "user=mike"}[method]
				a := s.Do(gatewaytest.Request(t, method, target, body, "Connection: close, Content-Type", "Connection: cookie,, TE ,X-Set,Authorization", "Content-Type: text/plain"))
				if got := a.Header1(t, "Connection"); got != "close, TE" {
					t.Errorf("%.25s %s %s: the proxy gets %q", directive, method, target, got)
				}
			}
		}
	}
}
