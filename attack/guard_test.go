package attack_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
)

// TestAttackHeaderBetween: a definition or guard that leaves the headers to the one right
// before it does so only where nothing can stand between the two. What any handler there
// makes of the client's bytes goes, as ever.
func TestAttackHeaderBetween(t *testing.T) {
	fixture.SetSecrets(t)
	first, second := fixture.Autologin("/app/*", "name first"), fixture.Autologin("/b/*", "name second")
	const sets = "request_header X_Verified_User {query.who}\n"
	for name, tc := range map[string]struct {
		directives string
		behind     []bool // of each handler of signed_link, whether it leaves the headers to the one before
		arrives    bool   // the header stands behind all of them
	}{
		"right behind":          {"route {\n" + first + second + "test_backend\n}", []bool{false, true}, false},
		"behind a guard":        {"route {\nsigned_link guard\n" + second + "test_backend\n}", []bool{false, true}, false},
		"a handler between":     {"route {\n" + first + sets + second + "test_backend\n}", []bool{false, false}, false},
		"sometimes one between": {"route {\n" + first + "@m path /open*\nrequest_header @m X_Verified_User {query.who}\n" + second + "test_backend\n}", []bool{false, false}, false},
		"a group between":       {"route {\n" + first + "handle /open* {\n" + sets + "}\n" + second + "test_backend\n}", []bool{false, false}, false},
		"deeper, behind one":    {"route {\n" + first + "route {\n" + sets + second + "test_backend\n}\n}", []bool{false, false}, false},
		"nested":                {"route {\n" + first + "route {\n" + second + "test_backend\n}\n}", []bool{false, false}, false},
		"before both":           {"route {\nsigned_link guard\n" + sets + first + second + "test_backend\n}", []bool{false, false, true}, false},
		"behind both":           {"route {\n" + first + second + sets + "test_backend\n}", []bool{false, true}, true},
	} {
		t.Run(name, func(t *testing.T) {
			s, err := gatewaytest.TryLoad(t, gatewaytest.SiteFile(tc.directives))
			if err != nil {
				t.Fatal(err)
			}
			handlers := s.Handlers()
			if len(handlers) != len(tc.behind) {
				t.Fatalf("%d handlers of signed_link", len(handlers))
			}
			for i, h := range handlers {
				if got := h.Gate().Standing().Behind; got != tc.behind[i] {
					t.Errorf("handler %d: it leaves the headers to the one before: %t", i, got)
				}
			}
			a := s.Get("/open?who=admin", "X-Verified-User: admin", "Remote-User: admin")
			if a.Seen == nil {
				t.Fatalf("status %d", a.Code)
			}
			arrives := false
			for name, values := range a.Seen.Headers {
				if strings.Contains(strings.Join(values, " "), "admin") {
					if arrives = true; !tc.arrives {
						t.Errorf("the backend sees %s: %s", name, values)
					}
				}
			}
			if arrives != tc.arrives {
				t.Errorf("a header of the operator's own, behind all definitions: %t", arrives)
			}
		})
	}
}

// TestAttackBehindAnother: what a definition must know of the headers it finds out by itself,
// also where another one right before it has cleaned them.
func TestAttackBehindAnother(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.LoadSite(t, "route {\n"+fixture.Autologin("/b/*", "name first")+fixture.Autologin("/app/*", "name second")+"test_backend\n}")
	if !s.Handlers()[1].Gate().Standing().Behind {
		t.Fatal("the second stands elsewhere")
	}
	if a := s.Get("/app/x?"+fixture.GoodLink, "X-HTTP-Method-Override: DELETE"); a.Code != http.StatusMethodNotAllowed {
		t.Errorf("another method: status %d", a.Code)
	}
	a := s.Get("/app/x?"+fixture.GoodLink, "Authorization: Basic YWRtaW46eA==", "X_Verified_User: admin")
	if a.Seen == nil || a.Header1(t, "X-Verified-User") != "jeff" {
		t.Fatalf("status %d", a.Code)
	}
	for name, values := range a.Seen.Headers {
		if text := strings.Join(values, " "); strings.Contains(text, "admin") || strings.Contains(text, "YWRtaW46eA==") {
			t.Errorf("the backend sees %s: %s", name, values)
		}
	}
}

// TestOneGuard: of many definitions one looks at the headers of a request that none matches.
func TestOneGuard(t *testing.T) {
	fixture.SetSecrets(t)
	var b strings.Builder
	for i := range 20 {
		b.WriteString(fixture.Autologin(fmt.Sprintf("/app%d/*", i), fmt.Sprintf("name d%d", i)))
	}
	s := gatewaytest.LoadSite(t, b.String()+"test_backend")
	for i, h := range s.Handlers() {
		if behind := h.Gate().Standing().Behind; behind != (i > 0) {
			t.Errorf("definition %d leaves the headers to the one before: %t", i, behind)
		}
	}
}
