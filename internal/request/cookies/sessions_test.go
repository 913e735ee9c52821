package cookies

import (
	"net/http"
	"testing"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/query"
)

// TestNoCookies: a link without cookies pays nothing for the option.
func TestNoCookies(t *testing.T) {
	names, err := query.NewNames(backend.Strict, []string{"user", "key"})
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSessions(backend.Strict, []string{"PHPSESSID"}, false, names)
	if err != nil {
		t.Fatal(err)
	}
	shadows := Shadows{Protected: names}
	h := http.Header{"Accept": {"text/html"}}
	if n := testing.AllocsPerRun(100, func() { s.CutFrom(h); shadows.CutFrom(h) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
	if n := testing.AllocsPerRun(100, func() { s.InQuery("user=jeff") }); n != 0 {
		t.Errorf("%v allocations for a segment of the query", n)
	}
}
