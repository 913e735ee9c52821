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
	"/u/42":             "route u",
	"/u":                "route u",
	"/files/a/b%20c.t":  "route files",
}

// capturedOf is what stands below their routes. Nothing there is none.
var capturedOf = map[string]string{"/public/a/b": "a/b", "/u/42": "42", "/files/a/b%20c.t": "a/b c.t"}

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
		if below, has := capturedOf[path]; has && (seen.Captured != below || !seen.HasCaptured) || seen.App == "route u" && seen.HasCaptured != has {
			t.Errorf("%s: captured %q (%t), want %q", path, seen.Captured, seen.HasCaptured, below)
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
