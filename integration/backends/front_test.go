//go:build integration

package backends

import (
	"strings"
	"testing"
)

// routesOf are requests to a front controller, and the route that must run.
var routesOf = map[string]string{
	"/":                 "route index",
	"/app":              "route app",
	"/app/login":        "route login",
	"/app/login/deeper": "route app",
	"/public/a/b":       "route public",
	"/application":      "route none",
	"/other":            "route none",
}

// testFront asks PHP-FPM for each route, as a gateway asks for what is no file.
func testFront(t *testing.T, front Front) {
	t.Helper()
	fpm := timed(t, func() *FPM { return StartFPM(t, WithFront(front)) })
	for path, want := range routesOf {
		seen := askFPM(t, fpm, "GET", "/index.php", query, map[string]string{
			"REQUEST_URI": path + "?" + query, "PATH_INFO": "", "HTTP_HOST": "localhost", "HTTP_X_VERIFIED_USER": "jeff",
		}, nil)
		if seen.App != want {
			t.Errorf("%s: %s ran, want %s", path, seen.App, want)
		}
		if got := seen.Params["user"]; len(got) != 1 || got[0] != "jeff" {
			t.Errorf("%s: user = %q", path, got)
		}
	}
	for _, script := range frontScripts {
		if strings.HasSuffix(script, ".php") {
			if seen := askFPM(t, fpm, "GET", "/"+script, query, nil, nil); seen.App != script {
				t.Errorf("/%s: %s ran", script, seen.App)
			}
		}
	}
}

func TestFrontPlain(t *testing.T) {
	t.Parallel()
	testFront(t, FrontPlain)
}

func TestFrontSymfony(t *testing.T) {
	t.Parallel()
	testFront(t, FrontSymfony)
}

func TestFrontPathInfo(t *testing.T) {
	t.Parallel()
	testFront(t, FrontPathInfo)
}
