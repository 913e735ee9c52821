// Package adversary attacks a configuration without opening a socket. It loads what Caddy
// would load, lets every proxy in it end at a recorder, and sends forged identity headers
// and spellings of the protected paths into each site. It is written from what backends do
// and from Caddy's JSON alone: nothing of the gateway is imported, so that the gateway's
// mistakes are not repeated here.
//
// Only tests use it.
package adversary

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

// Forged is in every value that an attack sends and the gateway must not hand on.
const Forged = "forged-by-the-client"

// Gateway is a configuration that was provisioned.
type Gateway struct {
	http     *caddyhttp.App
	own      caddy.App
	sites    []*Site
	outputs  []string // header names that some definition sets
	log      string   // path
	arrivals []Arrival
}

// Arrival is a request as a backend gets it.
type Arrival struct {
	Dials    []string // of the proxy; empty for dynamic upstreams
	FastCGI  bool
	URI      string // as a proxy sends it
	Original string // FastCGI's REQUEST_URI
	Failed   bool   // an error route of the server sent it
	Header   http.Header
}

// Provision does what `caddy validate` does. The gateway is nil if the configuration is
// refused, and what was logged can be read all the same.
func Provision(t testing.TB, configuration []byte) (g *Gateway, log string, err error) {
	t.Helper()
	g = &Gateway{log: filepath.Join(t.TempDir(), "log")}
	var c caddy.Config
	if err := json.Unmarshal(configuration, &c); err != nil {
		t.Fatalf("the configuration: %v\n%s", err, configuration)
	}
	c.Admin = &caddy.AdminConfig{Disabled: true}
	c.Logging = &caddy.Logging{Logs: map[string]*caddy.CustomLog{"default": {BaseLog: caddy.BaseLog{
		WriterRaw: caddyconfig.JSONModuleObject(map[string]any{"filename": g.log, "roll": false}, "output", "file", nil),
		Level:     "INFO",
	}}}}
	ctx, err := caddy.ProvisionContext(&c)
	if err != nil {
		return nil, g.Log(), err
	}
	module, err := ctx.App("http")
	if err != nil {
		return nil, g.Log(), err
	}
	g.http = module.(*caddyhttp.App)
	if own, err := ctx.App("signed_link"); err == nil {
		g.own, _ = own.(caddy.App)
	}
	var whole any
	if err := json.Unmarshal(configuration, &whole); err != nil {
		t.Fatal(err)
	}
	g.outputs = outputs(whole)
	g.sites = sitesOf(whole)
	return g, g.Log(), nil
}

// Start lets the gateway's app start, which opens no socket, and says what it refuses.
func (g *Gateway) Start() error {
	if g.own == nil {
		return nil
	}
	return g.own.Start()
}

// Log is what was logged since the configuration was provisioned.
func (g *Gateway) Log() string {
	text, err := os.ReadFile(g.log)
	if err != nil {
		return ""
	}
	return string(text)
}

// Sites are the sites of the configuration.
func (g *Gateway) Sites() []*Site { return g.sites }

// Record lets every proxy of the configuration end here, wherever it stands: the handlers
// are found by looking at every exported field of every handler, so that no container can
// be forgotten.
func (g *Gateway) Record() {
	seen := make(map[uintptr]bool)
	failed := false
	var walk func(v reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.Interface:
			walk(v.Elem())
		case reflect.Pointer:
			if v.IsNil() || seen[v.Pointer()] {
				return
			}
			seen[v.Pointer()] = true
			if h, ok := reflect.TypeAssert[*reverseproxy.Handler](v); ok {
				g.record(h, failed)
				walk(reflect.ValueOf(h.HandleResponse))
				return
			}
			walk(v.Elem())
		case reflect.Struct:
			for i := range v.NumField() {
				if v.Type().Field(i).IsExported() {
					walk(v.Field(i))
				}
			}
		case reflect.Slice, reflect.Array:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Map:
			for _, key := range v.MapKeys() {
				walk(v.MapIndex(key))
			}
		default:
		}
	}
	for _, server := range g.http.Servers {
		walk(reflect.ValueOf(server.Routes))
		walk(reflect.ValueOf(server.NamedRoutes))
		if server.Errors != nil {
			failed = true
			walk(reflect.ValueOf(server.Errors.Routes))
		}
		failed = false
	}
}

func (g *Gateway) record(h *reverseproxy.Handler, failed bool) {
	r := &recorder{gateway: g, failed: failed}
	for _, upstream := range h.Upstreams {
		r.dials = append(r.dials, upstream.Dial)
	}
	if h.Transport != nil {
		r.fastCGI = strings.Contains(reflect.TypeOf(h.Transport).String(), "fastcgi")
	}
	h.Transport = r
	if h.DynamicUpstreams != nil {
		h.DynamicUpstreams = nowhere{} // nobody is asked for a name
	}
}

// nowhere is where dynamic upstreams lead.
type nowhere struct{}

func (nowhere) GetUpstreams(*http.Request) ([]*reverseproxy.Upstream, error) {
	return []*reverseproxy.Upstream{{Dial: "127.0.0.1:1"}}, nil
}

// recorder is a proxy's transport.
type recorder struct {
	gateway *Gateway
	dials   []string
	fastCGI bool
	failed  bool // in the server's error routes
}

func (r *recorder) RoundTrip(request *http.Request) (*http.Response, error) {
	a := Arrival{Dials: r.dials, FastCGI: r.fastCGI, Failed: r.failed, URI: request.URL.RequestURI(), Header: request.Header.Clone()}
	if original, ok := request.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		a.Original = original.URL.RequestURI()
	}
	r.gateway.arrivals = append(r.gateway.arrivals, a)
	return &http.Response{
		StatusCode: http.StatusOK, Status: "200 OK", Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Content-Type": {"text/plain"}}, Body: io.NopCloser(strings.NewReader("recorded")), Request: request,
	}, nil
}

// Send sends a request with exactly these header fields, and returns what arrived where.
func (g *Gateway) Send(s *Site, target string, header http.Header) ([]Arrival, *httptest.ResponseRecorder) {
	server := g.http.Servers[s.Server]
	u, err := url.ParseRequestURI(target)
	if err != nil {
		return nil, nil // net/http's server would not take it
	}
	r := httptest.NewRequest(http.MethodGet, "http://example.org/", http.NoBody)
	r.URL, r.RequestURI, r.Host = u, target, s.Host
	maps.Copy(r.Header, header)
	g.arrivals = nil
	w := httptest.NewRecorder()
	func() {
		defer func() {
			x := recover()
			if err, ok := x.(error); ok && errors.Is(err, http.ErrAbortHandler) {
				return // as net/http's server does it
			}
			if x != nil {
				panic(x)
			}
		}()
		server.ServeHTTP(w, r)
	}()
	return g.arrivals, w
}

// Site is what a host of a server gets.
type Site struct {
	Server, Host string
	guarded      bool // a guard or a definition is in it
	open         bool // it says so
	protected    []pattern
	mentions     []string // paths
	dials        []string
}

func (s *Site) String() string { return s.Server + " " + s.Host }

// Protects reports whether the adversary found a path that must not be reached unverified.
func (s *Site) Protects() bool { return len(s.protected) > 0 }

// Guarded reports whether a guard or definition is in the site.
func (s *Site) Guarded() bool { return s.guarded }

// Protect adds paths, exact or with * at their ends, that must not be reached unverified.
func (s *Site) Protect(patterns ...string) {
	for _, p := range patterns {
		s.protected = append(s.protected, pattern{text: p})
	}
}

// First is a path below what the site protects, to which a genuine link leads.
func (s *Site) First() string {
	p := strings.TrimSuffix(s.protected[0].text, "*")
	if p == "" {
		return "/"
	}
	return p
}

// pattern is a path that must not be reached without a link: exact, or with * at its end.
type pattern struct {
	text    string
	profile string // of the definition
}

func (p pattern) matches(path string) bool {
	path, text := strings.ToLower(path), strings.ToLower(p.text)
	if base, ok := strings.CutSuffix(text, "*"); ok {
		return strings.HasPrefix(path, base)
	}
	return path == text
}

// Broken is what should not have arrived.
type Broken struct {
	Site   string
	Target string // of the request
	What   string
}

// Summary is a text of what is broken: each thing once, with some of the requests.
func Summary(broken []Broken) string {
	var order []string
	targets := make(map[string][]string)
	for _, b := range broken {
		key := b.Site + ": " + b.What
		if targets[key] == nil {
			order = append(order, key)
		}
		targets[key] = append(targets[key], b.Target)
	}
	var text strings.Builder
	for _, key := range order {
		some := targets[key]
		fmt.Fprintf(&text, "%s: %d requests, such as GET %s\n", key, len(some), strings.Join(some[:min(len(some), 12)], "  "))
	}
	return strings.TrimSuffix(text.String(), "\n")
}

// Attack sends everything to every site, and says what should not have arrived. Requests to
// the addresses in open may carry what they want; without paths, only headers are looked at.
func (g *Gateway) Attack(open []string, paths bool) (broken []Broken) {
	forged := make(http.Header)
	for _, name := range g.outputs {
		for _, fold := range folds(name) {
			forged[fold] = []string{Forged}
		}
	}
	var behind []string // addresses that somebody guards
	for _, s := range g.sites {
		if s.guarded {
			behind = append(behind, s.dials...)
		}
	}
	among := func(list []string) func(string) bool {
		return func(dial string) bool { return slices.Contains(list, dial) }
	}
	for _, s := range g.sites {
		if s.open {
			continue
		}
		for _, target := range targets(s) {
			arrivals, _ := g.Send(s, target, forged)
			for _, a := range arrivals {
				if slices.ContainsFunc(a.Dials, among(open)) {
					continue
				}
				if !s.guarded && (a.FastCGI || !slices.ContainsFunc(a.Dials, among(behind))) {
					continue // nobody guards what is asked here
				}
				if a.forged() {
					broken = append(broken, Broken{s.String(), target, fmt.Sprintf("a forged header arrives at %v", a.Dials)})
				}
				if !paths {
					continue
				}
				for _, uri := range a.uris() {
					if a.Failed { // error routes get the path, and nothing that says who somebody is
						if strings.Contains(uri, "user=mike") {
							broken = append(broken, Broken{s.String(), target, fmt.Sprintf("an error route hands %s to %v", uri, a.Dials)})
						}
						continue
					}
					if protected, ok := s.lands(uri); ok {
						broken = append(broken, Broken{s.String(), target, fmt.Sprintf("what a backend may read as %s arrives without a link at %v", protected, a.Dials)})
						break
					}
				}
			}
		}
	}
	return broken
}

// forged reports whether a header has a value that the client made up.
func (a *Arrival) forged() bool {
	for _, values := range a.Header {
		if slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, Forged) }) {
			return true
		}
	}
	return false
}

// uris are the addresses that the backend finds in the request.
func (a *Arrival) uris() []string {
	if a.FastCGI && a.Original != "" && a.Original != a.URI {
		return []string{a.URI, a.Original}
	}
	return []string{a.URI}
}

// lands returns the protected path as which a backend may read the URI.
func (s *Site) lands(uri string) (protected string, ok bool) {
	for _, p := range s.protected {
		if slices.ContainsFunc(readings(uri, p.profile), p.matches) {
			return p.text, true
		}
	}
	return "", false
}

// folds are spellings of a header name that some backend files under the name.
func folds(name string) []string {
	return []string{
		http.CanonicalHeaderKey(name), strings.ToLower(name), strings.ToUpper(name),
		strings.ReplaceAll(name, "-", "_"), strings.ReplaceAll(name, "-", "."), strings.ToLower(strings.ReplaceAll(name, "-", "_")),
		strings.Replace(name, "-", "_", 1),
	}
}
