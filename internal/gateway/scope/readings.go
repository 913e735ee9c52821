package scope

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/internal/gateway/exchange"
	"github.com/signedlink/caddy-signed-link/internal/gateway/routes"
	"github.com/signedlink/caddy-signed-link/internal/request/targets"
)

// readings are those of one request, made once for each profile and shared by all of its
// definitions. They stand in the request's vars; a request with a plain path has none.
type readings struct {
	path, rawPath, query, host string // of what
	sent                       string // that path, encoded
	made                       [3]bool
	ok                         [3]bool
	list                       [3][]*reading
	paths                      [3][]string
}

// readingsKey is the name of the readings in the request's vars.
const readingsKey = "signed_link.readings"

// String keeps the readings out of logs that print all vars.
func (*readings) String() string { return "" }

// readingsOf returns how a backend of the profile may read the request's path, beyond the
// path as sent, and whether that is all: it is not where the path is beyond the bounds.
func readingsOf(r *http.Request, vars map[string]any, profile backend.Profile) (list []*reading, ok bool) {
	if targets.TooLong(r.URL) {
		return nil, false
	}
	all, _ := vars[readingsKey].(*readings)
	if all == nil || !all.are(r) {
		t := targetOf(r)
		if len(t.Path) > targets.MaxPath {
			return nil, false
		}
		if targets.Plain(profile, t) {
			return nil, true
		}
		all = &readings{path: r.URL.Path, rawPath: r.URL.RawPath, query: r.URL.RawQuery, host: r.Host, sent: t.Path}
		if vars != nil {
			vars[readingsKey] = all
		}
	}
	if !all.made[profile] {
		all.make(profile, targetOf(r))
	}
	return all.list[profile], all.ok[profile]
}

// PathOf is the request's path, encoded. Of a path with escapes, that is a look at each byte
// of it, so a hundred definitions share the one that they have the readings of.
func PathOf(r *http.Request, vars map[string]any) string {
	if all, _ := vars[readingsKey].(*readings); all != nil && all.are(r) {
		return all.sent
	}
	return r.URL.EscapedPath()
}

func targetOf(r *http.Request) targets.Target {
	return targets.Target{Path: r.URL.EscapedPath(), Query: r.URL.RawQuery, Host: r.Host}
}

// are reports whether these are still the readings of the request. A handler between two
// definitions may have rewritten it; that the first has cut the signature out of the query
// is no reason to read all again, unless the query may be the path.
func (all *readings) are(r *http.Request) bool {
	return all.path == r.URL.Path && all.rawPath == r.URL.RawPath && all.host == r.Host &&
		(all.query == r.URL.RawQuery || !strings.HasPrefix(all.query, "/") && !strings.HasPrefix(r.URL.RawQuery, "/"))
}

func (all *readings) make(profile backend.Profile, t targets.Target) {
	paths, ok := targets.Read(profile, t)
	list := make([]*reading, 0, len(paths))
	for _, path := range paths {
		list = append(list, all.reading(path))
	}
	all.made[profile], all.ok[profile], all.list[profile], all.paths[profile] = true, ok, list, paths
}

// ReadingsOf are the readings of a target: those of the request, where they were made for its
// definitions, and are of the same target.
func ReadingsOf(vars map[string]any, profile backend.Profile, t targets.Target) *targets.Readings {
	if all, _ := vars[readingsKey].(*readings); all != nil && all.made[profile] && all.sent == t.Path && all.query == t.Query && all.host == t.Host {
		return &targets.Readings{Paths: all.paths[profile], All: all.ok[profile]}
	}
	return targets.ReadAll(profile, t)
}

// reading returns that of another profile with this path, or a new one.
func (all *readings) reading(path string) *reading {
	for _, list := range all.list {
		if i := slices.IndexFunc(list, func(x *reading) bool { return x.path == path }); i >= 0 {
			return list[i]
		}
	}
	return &reading{path: path}
}

// reading is a path as a backend may read it, and what matchers need to be asked about it,
// made when the first one asks.
type reading struct {
	path    string
	cleaned [2]string // in lower case, with doubled slashes and without; see [reading.clean]
	request *http.Request
}

// on returns the request with this path in place of its own, for matchers. It is made once
// and brought up to date for each definition: handlers between two of them may have set
// headers and vars. Headers and body are those of the request itself, and no matcher
// writes to them.
func (x *reading) on(w http.ResponseWriter, r *http.Request, vars map[string]any) *http.Request {
	if x.request == nil {
		x.request = withPath(w, r, x.path)
	}
	c := x.request
	c.Method, c.Host, c.Header, c.RemoteAddr = r.Method, r.Host, r.Header, r.RemoteAddr
	if c.URL.RawQuery != r.URL.RawQuery {
		c.URL.RawQuery = r.URL.RawQuery
		c.RequestURI = c.URL.RequestURI()
	}
	own := exchange.VarsOf(c)
	clear(own)
	maps.Copy(own, vars)
	return c
}

// withPath returns a copy of the request for another path, on which matchers can be
// evaluated without touching the real one: its own replacer, its own vars, and the
// values that other handlers put into the real replacer behind them.
func withPath(w http.ResponseWriter, r *http.Request, path string) *http.Request {
	c, _ := withURL(w, r, &url.URL{Path: path, RawQuery: r.URL.RawQuery}, nil)
	return c
}

// withURL is withPath for another URL. What ahead makes of the path stands before the
// values in the real replacer; its vars begin with those of the real request.
func withURL(w http.ResponseWriter, r *http.Request, u *url.URL, ahead *routes.Ahead) (*http.Request, error) {
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	real, _ := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)

	c := r.WithContext(r.Context()) // shallow: headers of 60 KiB are not copied for each reading
	target := *u
	c.URL = &target
	c.RequestURI = c.URL.RequestURI()
	repl := caddy.NewReplacer()
	c = caddyhttp.PrepareRequest(c, repl, w, server)
	var err error
	if ahead.Makes() {
		maps.Copy(exchange.VarsOf(c), exchange.VarsOf(r))
		err = ahead.Remake(w, c)
	}
	if real != nil {
		repl.Map(func(key string) (any, bool) {
			if strings.HasPrefix(key, "http.request.") {
				return nil, false
			}
			return real.Get(key)
		})
	}
	return c, err
}
