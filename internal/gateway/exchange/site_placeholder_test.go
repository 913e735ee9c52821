package exchange_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/httpcaddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
)

func init() {
	caddy.RegisterModule(testAuth{})
	httpcaddyfile.RegisterHandlerDirective("test_auth", func(h httpcaddyfile.Helper) (caddyhttp.MiddlewareHandler, error) {
		h.Next()
		return testAuth{}, nil
	})
	httpcaddyfile.RegisterDirectiveOrder("test_auth", httpcaddyfile.Before, "method")
}

// testAuth says that the user is somebody, as Caddy's own authentication does.
type testAuth struct{}

func (testAuth) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{ID: "http.handlers.test_auth", New: func() caddy.Module { return new(testAuth) }}
}

func (testAuth) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer).Set("http.auth.user.id", "somebody")
	return next.ServeHTTP(w, r)
}

// TestPlaceholdersOfBystanders: what the placeholders say of a request does not depend on
// whether a guard, or a definition that did not match, saw it first.
func TestPlaceholdersOfBystanders(t *testing.T) {
	fixture.SetSecrets(t)
	names := []string{
		"http.signed_link.user", "http.signed_link.verdict", "http.signed_link.scheme", "http.signed_link.key_id",
		"http.signed_link.reason", "http.signed_link.detail", "http.signed_link.claim.mailing", "http.signed_link.claim.user",
		"http.signed_link.claim.unknown", "http.auth.user.id",
	}
	var headers strings.Builder
	for _, name := range names {
		headers.WriteString("header >P-" + strings.ReplaceAll(name, ".", "-") + " {" + name + "}\n")
	}
	const definition = "signed_link recognize akid {\nsecret {env.AKID_SECRET} k1\n}\n"
	sites := map[string]string{
		"alone":                       definition + headers.String() + "test_backend",
		"behind a guard":              "signed_link guard\nroute {\n" + definition + headers.String() + "test_backend\n}",
		"behind one that has no part": "signed_link /elsewhere/* " + fixture.Autologin("")[len("signed_link "):] + definition + headers.String() + "test_backend",
		"before one that has no part": definition + "signed_link /elsewhere/* " + fixture.Autologin("")[len("signed_link "):] + headers.String() + "test_backend",
	}
	for _, query := range []string{"akid=" + fixture.GoodAKID, "akid=" + fixture.BadAKID, "a=1", "akid=" + fixture.GoodAKID + "&akid=1", "akid[]=1"} {
		want := map[string]string{}
		for _, site := range []string{"alone", "behind a guard", "behind one that has no part", "before one that has no part"} {
			s := gatewaytest.LoadSite(t, sites[site])
			s.At(time.Unix(1790000000, 0))
			a := s.Get("/x?"+query, "X-Verified-User: 1")
			if a.Seen == nil {
				t.Fatalf("%s: %s: %d", site, query, a.Code)
			}
			for _, name := range names {
				got := strings.Join(a.Result().Header[http.CanonicalHeaderKey("P-"+strings.ReplaceAll(name, ".", "-"))], "|")
				if site == "alone" {
					want[name] = got
				}
				if got != want[name] {
					t.Errorf("%s: %s: {%s} is %q, want %q", query, site, name, got, want[name])
				}
			}
			if got := a.Seen.AuthUser; got != want["http.auth.user.id"] {
				t.Errorf("%s: %s: REMOTE_USER is %q, want %q", query, site, got, want["http.auth.user.id"])
			}
		}
		if query == "akid="+fixture.GoodAKID && (want["http.signed_link.user"] != "5678" || want["http.signed_link.claim.mailing"] != "1234" || want["http.signed_link.key_id"] != "k1") {
			t.Errorf("the placeholders of a good link are %v", want)
		}
	}
}

// TestPlaceholdersTakenBack: two definitions behind a guard name two users, so that in the
// end nobody is one.
func TestPlaceholdersTakenBack(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.LoadSite(t, `signed_link guard
	route {
		signed_link recognize akid {env.AKID_SECRET}
		`+strings.Replace(fixture.Autologin(""), "signed_link ", "signed_link recognize", 1)+`
		header >User "{http.signed_link.user}|{http.signed_link.claim.user}|{http.auth.user.id}|{http.signed_link.reason}"
		test_backend
	}`)
	a := s.Get("/x?akid=" + fixture.GoodAKID + "&" + fixture.GoodLink)
	if a.Seen == nil {
		t.Fatalf("status %d", a.Code)
	}
	if got := a.Header().Get("User"); got != "|||ambiguous" {
		t.Errorf("user, claim, Caddy's user and reason are %q", got)
	}
}

// TestAuthUserSetBefore: a handler before the definition names a user; the link's counts.
func TestAuthUserSetBefore(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.LoadSite(t, `signed_link guard
	route {
		vars http.auth.user.id somebody
		signed_link recognize akid {env.AKID_SECRET}
		test_backend
	}`)
	if a := s.Get("/x?akid=" + fixture.GoodAKID); a.Seen == nil || a.Seen.AuthUser != "5678" {
		t.Errorf("REMOTE_USER is %+v", a.Seen)
	}
	if a := s.Get("/x?akid=" + fixture.BadAKID); a.Seen == nil || a.Seen.AuthUser != "somebody" {
		t.Errorf("without a good link REMOTE_USER is %+v", a.Seen)
	}
}
