package routes

import (
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
	_ "github.com/caddyserver/caddy/v2/modules/standard"
)

// TestEveryHandlerOfCaddy: a handler that a stock Caddy has is in the table, or is one that
// the walk looks into, so that nothing honest is refused for being unknown; and a new
// handler of Caddy is noticed here.
func TestEveryHandlerOfCaddy(t *testing.T) {
	for _, module := range caddy.GetModules("http.handlers") {
		h, ok := module.New().(caddyhttp.MiddlewareHandler)
		if !ok {
			t.Errorf("%s is no handler", module.ID)
			continue
		}
		name := nameOf(h)
		if strings.HasPrefix(name, "signed_link") || strings.HasPrefix(name, "test_") {
			continue // this module's own, and what its tests have
		}
		if _, known := kinds[name]; known || kindOf(h) == contains {
			continue
		}
		switch name {
		case "reverse_proxy", "rewrite":
		default:
			t.Errorf("%s is in no table, and counts as a backend", module.ID)
		}
	}
}

// TestOnlyAsks: only a proxy that asks a fixed page, and lets the request go on where the
// answer is good, takes no request.
func TestOnlyAsks(t *testing.T) {
	pass := caddyhttp.RouteList{{Handlers: []caddyhttp.MiddlewareHandler{&caddyhttp.VarsMiddleware{}}}}
	ok := func() *reverseproxy.Handler {
		return &reverseproxy.Handler{
			Rewrite:        &rewrite.Rewrite{Method: "GET", URI: "/verify?uri={http.request.uri}"},
			HandleResponse: []caddyhttp.ResponseHandler{{Match: &caddyhttp.ResponseMatcher{StatusCode: []int{2}}, Routes: pass}},
		}
	}
	if kindOf(ok()) != asks {
		t.Error("forward_auth takes requests")
	}
	for name, change := range map[string]func(h *reverseproxy.Handler){
		"without a rewrite":         func(h *reverseproxy.Handler) { h.Rewrite = nil },
		"with the client's method":  func(h *reverseproxy.Handler) { h.Rewrite.Method = "" },
		"with POST":                 func(h *reverseproxy.Handler) { h.Rewrite.Method = "POST" },
		"with the client's path":    func(h *reverseproxy.Handler) { h.Rewrite.URI = "{http.request.uri}" },
		"with the path in its path": func(h *reverseproxy.Handler) { h.Rewrite.URI = "/x{http.request.uri.path}" },
		"with a query only":         func(h *reverseproxy.Handler) { h.Rewrite.URI = "?a=b" },
		"without a good answer":     func(h *reverseproxy.Handler) { h.HandleResponse = nil },
		"for one status":            func(h *reverseproxy.Handler) { h.HandleResponse[0].Match.StatusCode = []int{204} },
		"for one header":            func(h *reverseproxy.Handler) { h.HandleResponse[0].Match.Headers = map[string][]string{"X": {"y"}} },
		"with a status":             func(h *reverseproxy.Handler) { h.HandleResponse[0].StatusCode = "200" },
		"with nothing behind":       func(h *reverseproxy.Handler) { h.HandleResponse[0].Routes = nil },
		"that copies the answer": func(h *reverseproxy.Handler) {
			h.HandleResponse[0].Routes = routesOf(&reverseproxy.CopyResponseHandler{})
		},
		"that answers":  func(h *reverseproxy.Handler) { h.HandleResponse[0].Routes = routesOf(&caddyhttp.StaticResponse{}) },
		"that hands on": func(h *reverseproxy.Handler) { h.HandleResponse[0].Routes = routesOf(&reverseproxy.Handler{}) },
		"that answers in a subroute": func(h *reverseproxy.Handler) {
			h.HandleResponse[0].Routes = routesOf(&caddyhttp.Subroute{Routes: routesOf(&caddyhttp.StaticResponse{})})
		},
		"whose subroute answers errors": func(h *reverseproxy.Handler) {
			h.HandleResponse[0].Routes = routesOf(&caddyhttp.Subroute{Errors: &caddyhttp.HTTPErrorConfig{}})
		},
		"that invokes, nobody knows what": func(h *reverseproxy.Handler) { h.HandleResponse[0].Routes = routesOf(&caddyhttp.Invoke{}) },
	} {
		h := ok()
		change(h)
		if kindOf(h) != forwards {
			t.Errorf("%s: it is taken for a question", name)
		}
	}
}

func routesOf(h caddyhttp.MiddlewareHandler) caddyhttp.RouteList {
	return caddyhttp.RouteList{{Handlers: []caddyhttp.MiddlewareHandler{h}}}
}

// stranger is a handler of a module that nobody here has heard of.
type stranger struct{}

func (stranger) ServeHTTP(http.ResponseWriter, *http.Request, caddyhttp.Handler) error { return nil }

func TestStrangers(t *testing.T) {
	if kindOf(stranger{}) != forwards || nameOf(stranger{}) == "" {
		t.Error("a stranger is trusted")
	}
}

// TestChangesPath: method and query are no paths.
func TestChangesPath(t *testing.T) {
	for text, want := range map[string]bool{
		`{"method": "GET"}`:                                  false,
		`{"uri": "?a=b"}`:                                    false,
		`{"query": {"delete": ["a"]}}`:                       false,
		`{"uri": "/x"}`:                                      true,
		`{"uri": "x?a=b"}`:                                   true,
		`{"strip_path_prefix": "/x"}`:                        true,
		`{"strip_path_suffix": "/x"}`:                        true,
		`{"uri_substring": [{"find": "a", "replace": "b"}]}`: true,
		`{"path_regexp": [{"find": "a", "replace": "b"}]}`:   true,
	} {
		h := new(rewrite.Rewrite)
		if err := json.Unmarshal([]byte(text), h); err != nil {
			t.Fatal(err)
		}
		if got := changesPath(h); got != want {
			t.Errorf("%s: %v", text, got)
		}
	}
}
