package attack_test

import (
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
	"github.com/signedlink/caddy-signed-link/internal/request/headers"
)

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
