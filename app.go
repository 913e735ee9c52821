package signedlink

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
)

func init() {
	caddy.RegisterModule(new(App))
}

// App is what all definitions of a configuration share: the union of the header
// names that they protect, so that no route hands on a header that another one
// would set. It is there whenever a definition is; nobody needs to configure it.
//
// When Caddy starts, it refuses a configuration in which a definition is nested in
// other handlers without a guard before them: the rest of the site would hand on
// forged identity headers.
type App struct {
	ctx caddy.Context

	mu           sync.Mutex // while the configuration loads
	headers      atomic.Pointer[watched]
	definitions  atomic.Pointer[[]*definition]
	placeholders atomic.Pointer[[]string]
	guarded      map[*caddyhttp.Server]bool // servers whose error routes have a guard
	handlers     []*Handler
	marker       []byte // a random key, under which secrets are compared
	shared       bool   // what the schemes share was looked at

	warnedForwarded atomic.Bool // once is enough
}

// CaddyModule returns the Caddy module information.
func (*App) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "signed_link",
		New: func() caddy.Module { return new(App) },
	}
}

// Provision sets up the app.
func (a *App) Provision(ctx caddy.Context) error {
	a.ctx = ctx
	a.guarded = make(map[*caddyhttp.Server]bool)
	a.headers.Store(newWatched(nil))
	a.definitions.Store(new([]*definition))
	placeholders := []string{
		placeholderPrefix + "user", placeholderPrefix + "key_id", placeholderPrefix + "scheme",
		placeholderPrefix + "verdict", placeholderPrefix + "reason", placeholderPrefix + "detail",
	}
	a.placeholders.Store(&placeholders)
	a.marker = make([]byte, 32)
	rand.Read(a.marker)
	return nil
}

// Start refuses definitions that leave the rest of their site unguarded.
func (a *App) Start() error {
	module, err := a.ctx.AppIfConfigured("http")
	if err != nil {
		return nil //nolint:nilerr // no HTTP, no links
	}
	servers, ok := module.(*caddyhttp.App)
	if !ok {
		return fmt.Errorf("the http app is a %T", module)
	}
	var nested []error
	for _, name := range slices.Sorted(maps.Keys(servers.Servers)) {
		server := servers.Servers[name]
		err := (&walk{named: server.NamedRoutes}).server(server.Routes)
		if err == nil && server.Errors != nil {
			err = (&walk{named: server.NamedRoutes, failed: true}).routes(server.Errors.Routes, false)
		}
		if err != nil {
			nested = append(nested, fmt.Errorf("server %s: %w", name, err))
		}
	}
	if err := errors.Join(nested...); err != nil {
		return err
	}
	a.checkShared()
	return nil
}

// Stop does nothing: the app holds no resources.
func (*App) Stop() error { return nil }

// protect adds a definition, and the headers that it sets, to what every guard of
// the configuration watches.
func (a *App) protect(h *Handler, names []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	headers := slices.Clone(a.headers.Load().outputs)
	for _, name := range names {
		if folded := foldHeader(name); !headers.protects(folded) {
			headers = append(headers, folded)
		}
	}
	a.headers.Store(newWatched(headers))
	a.handlers = append(a.handlers, h)
	definitions := append(slices.Clone(*a.definitions.Load()), h.def)
	a.definitions.Store(&definitions)
	placeholders := slices.Clone(*a.placeholders.Load())
	for _, s := range h.def.schemes {
		for _, claim := range s.description.Claims {
			if name := placeholderPrefix + "claim." + claim; !slices.Contains(placeholders, name) {
				placeholders = append(placeholders, name)
			}
		}
	}
	a.placeholders.Store(&placeholders)
}

func (a *App) allDefinitions() []*definition { return *a.definitions.Load() }
func (a *App) placeholderNames() []string    { return *a.placeholders.Load() }

// guardErrors puts a guard before the server's error routes, if it has any: Caddy
// runs them for requests that it refuses before all routes, too. A server without
// error routes gets none, because their mere existence changes how Caddy logs.
func (a *App) guardErrors(server *caddyhttp.Server) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if server == nil || server.Errors == nil || len(server.Errors.Routes) == 0 || a.guarded[server] {
		return
	}
	// Caddy drops the text of handlers that it has loaded: if none is left, it is loading
	// the error routes themselves, and must find the list as it was.
	loading := func(route caddyhttp.Route) bool { return len(route.HandlersRaw) > 0 }
	if !slices.ContainsFunc(server.Routes, loading) {
		return
	}
	a.guarded[server] = true
	guard := caddyhttp.Route{HandlersRaw: []json.RawMessage{json.RawMessage(`{"handler":"signed_link","guard":true}`)}}
	server.Errors.Routes = slices.Insert(server.Errors.Routes, 0, guard)
}

// walk looks for definitions that do not see every request of their site.
type walk struct {
	named   map[string]*caddyhttp.Route
	guarded bool // a guard runs on every request that comes here
	failed  bool // these are error routes
	depth   int  // of named routes that invoke each other
}

// server walks the routes of a server. A route that a host alone selects holds a
// site; the others are the site's own, where it has no host.
func (w *walk) server(list caddyhttp.RouteList) error {
	for i := range list {
		here := *w
		if err := here.routes(caddyhttp.RouteList{list[i]}, true); err != nil {
			return err
		}
		if !selectsSite(&list[i]) {
			w.guarded = here.guarded
		}
	}
	return nil
}

// selectsSite reports whether the route's matchers say which site it is, and no more.
func selectsSite(route *caddyhttp.Route) bool {
	for _, set := range route.MatcherSets {
		for _, m := range set {
			switch m.(type) {
			case caddyhttp.MatchHost, *caddyhttp.MatchHost:
			default:
				return false
			}
		}
	}
	return len(route.MatcherSets) > 0
}

// routes walks a list of routes in order. whole says whether every request of the
// site comes here.
func (w *walk) routes(list caddyhttp.RouteList, whole bool) error {
	for i := range list {
		route := &list[i]
		all := whole && route.Group == "" && (len(route.MatcherSets) == 0 || selectsSite(route))
		for _, h := range route.Handlers {
			if err := w.handler(h, all); err != nil {
				return err
			}
		}
	}
	return nil
}

func (w *walk) handler(h caddyhttp.MiddlewareHandler, whole bool) error {
	switch h := h.(type) {
	case *Handler:
		switch {
		case w.failed && !h.Guard:
			return h.errorf("this definition stands in handle_errors, which sees requests only that have failed already; " +
				"write it at the top of the site, with its matcher behind the directive")
		case whole:
			w.guarded = true
		case !w.guarded && !h.Guard:
			return h.errorf("this definition is nested in other handlers, so requests for the rest of the site would reach " +
				"the backend with whatever X-Verified-User the client wrote; write the line `signed_link guard` at the top of " +
				"the site, outside of handle and route, or write the definition itself there, with its matcher behind the directive")
		}
	case *caddyhttp.Subroute:
		return w.routes(h.Routes, whole)
	case *caddyhttp.Invoke:
		if route := w.named[h.Name]; route != nil && w.depth < 16 {
			w.depth++
			defer func() { w.depth-- }()
			return w.routes(caddyhttp.RouteList{*route}, whole)
		}
	case *reverseproxy.Handler:
		for _, response := range h.HandleResponse {
			if err := w.routes(response.Routes, false); err != nil {
				return err
			}
		}
	}
	return nil
}

// serverOf returns the server that is being provisioned.
func serverOf(ctx caddy.Context) *caddyhttp.Server {
	server, _ := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	return server
}

// Interface guards
var (
	_ caddy.App         = (*App)(nil)
	_ caddy.Provisioner = (*App)(nil)
)
