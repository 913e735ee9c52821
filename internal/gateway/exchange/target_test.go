package exchange

import (
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/query"
)

// TestCutPathAllocations: a path without parameters pays nothing for `cookies cut`.
func TestCutPathAllocations(t *testing.T) {
	names := query.NewPatterns(backend.Strict, []string{"PHPSESSID", "jsessionid"})
	r := caddyhttp.PrepareRequest(httptest.NewRequest("GET", "http://example.org/app/x?a=1", nil), caddy.NewReplacer(), nil, new(caddyhttp.Server))
	x := new(Exchange)
	if n := testing.AllocsPerRun(100, func() { x.CutPath(r, names) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	r.URL.Path, r.RequestURI = "/app/x;jsessionid=1", "/app/x;jsessionid=1?a=1"
	if x.CutPath(r, names); r.URL.Path != "/app/x" || r.RequestURI != "/app/x?a=1" {
		t.Errorf("%s is left, and %s", r.URL.Path, r.RequestURI)
	}
}
