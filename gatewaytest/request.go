package gatewaytest

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

// Answer is a response.
type Answer struct {
	*httptest.ResponseRecorder
	Seen *Seen // nil: the backend was not asked
}

// Request makes a request as net/http's server makes it.
func Request(t testing.TB, method, target, body string, headers ...string) *http.Request {
	t.Helper()
	r := httptest.NewRequest(method, "http://example.org/", strings.NewReader(body))
	if body == "" {
		r.Body, r.ContentLength = http.NoBody, 0
	}
	u, err := url.ParseRequestURI(target) // as net/http's server does it
	if err != nil {
		t.Fatal(err)
	}
	r.URL = u
	r.RequestURI = target
	for _, line := range headers {
		name, value, ok := strings.Cut(line, ": ")
		if !ok {
			t.Fatalf("header line %q", line)
		}
		key := http.CanonicalHeaderKey(name)
		r.Header[key] = append(r.Header[key], value)
	}
	return r
}

// Header1 is the only value of the header that the backend saw; "" for none.
func (a *Answer) Header1(t *testing.T, name string) string {
	t.Helper()
	values := a.Seen.Headers[http.CanonicalHeaderKey(name)]
	switch len(values) {
	case 0:
		return ""
	case 1:
		return values[0]
	}
	t.Fatalf("%s has %d values: %q", name, len(values), values)
	return ""
}

// Run runs Caddy itself with this site, on a socket, and returns a client for it.
func Run(t *testing.T, global, directives string) *http.Client {
	t.Helper()
	socket := NewSocket(t)
	text := "{\n\tadmin off\n\tpersist_config off\n\tauto_https off\n" + global + "}\nhttp:// {\n\tbind unix/" + socket.Path + "\n" + directives + "\n}\n"
	config, _, err := caddyconfig.GetAdapter("caddyfile").Adapt([]byte(text), map[string]any{"filename": "Caddyfile"})
	if err != nil {
		t.Fatal(err)
	}
	if err := caddy.Load(config, true); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = caddy.Stop() })
	return socket.client
}
