package exchange

import (
	"net/http"
	"net/http/httptest"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// TestAccessLogAllocations: a request of which no line is written pays nothing.
func TestAccessLogAllocations(t *testing.T) {
	x := new(Exchange)
	r := httptest.NewRequest(http.MethodGet, "http://example.org/", nil)
	r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), nil, new(caddyhttp.Server))
	if n := testing.AllocsPerRun(100, func() { x.logTo(r) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}
