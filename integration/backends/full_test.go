//go:build integration && full

package backends

import (
	"maps"
	"net/http"
	"strings"
	"testing"
)

func TestFrontLaravel(t *testing.T) {
	t.Parallel()
	testFront(t, FrontLaravel)
}

func TestFrontSlim(t *testing.T) {
	t.Parallel()
	testFront(t, FrontSlim)
}

func TestJetty(t *testing.T) {
	t.Parallel()
	testTomcat(t, BackendJetty, func() *HTTPBackend { return StartJetty(t) })
}

// Servers in front of a front controller.
func TestFrontServers(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T) *HTTPBackend{
		"apache, RewriteRule index.php":        func(t *testing.T) *HTTPBackend { return StartApache(t, WithFront(FrontPlain)) },
		"apache, RewriteRule index.php?url=$1": func(t *testing.T) *HTTPBackend { return StartApache(t, WithFront(FrontURL)) },
		"apache, likewise without the flag B":  func(t *testing.T) *HTTPBackend { return StartApache(t, WithFront(FrontURLTwice)) },
		"nginx":                                func(t *testing.T) *HTTPBackend { return StartNginx(t, WithFront(FrontPlain)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := timed(t, func() *HTTPBackend { return start(t) })
			for path, want := range routesOf {
				if strings.HasSuffix(name, "without the flag B") && strings.Contains(path, "%20") {
					continue // Apache refuses to make a query of it (AH10411)
				}
				seen := ask(t, "GET", server.URL+path+"?"+query, http.Header{"X-Verified-User": {"jeff"}}, nil)
				if seen.App != want {
					t.Errorf("%s: %s ran, want %s", path, seen.App, want)
				}
			}
			if seen := ask(t, "GET", server.URL+"/autologin.php/x", nil, nil); seen.App != "autologin.php" {
				t.Errorf("/autologin.php/x: %s ran", seen.App)
			}
		})
	}
}

// The applications log in whom REMOTE_USER names, and nobody without it.
func TestApplications(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(t *testing.T) *Application{
		"tt-rss": func(t *testing.T) *Application { return StartTTRSS(t) },
		"cacti":  func(t *testing.T) *Application { return StartCacti(t) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			app := timed(t, func() *Application { return start(t) })
			for _, user := range []string{"", "jeff", "admin"} {
				variables := app.variables("GET", "/index.php", "")
				maps.Copy(variables, map[string]string{
					"REQUEST_URI": app.Page, "HTTP_HOST": ApplicationHost, "SERVER_PORT": "80", "REMOTE_ADDR": "127.0.0.1",
					"HTTP_USER_AGENT": "test", "REMOTE_USER": user,
				})
				if user == "" {
					delete(variables, "REMOTE_USER")
				}
				body, header, err := fastCGI(app.network, app.address, variables, nil)
				if err != nil {
					t.Fatal(err)
				}
				session := ""
				for _, cookie := range (&http.Response{Header: header}).Cookies() {
					if cookie.Name == app.Cookie {
						session = cookie.Value
					}
				}
				if who := app.Who(t, session, body); who != user {
					t.Errorf("REMOTE_USER %q is logged in as %q: %v %.2000s", user, who, header, body)
				}
			}
		})
	}
}
