package routes

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/intercept"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
)

// Stub stands in a rehearsal for a handler that would do something outside of it.
type Stub struct {
	Handler caddyhttp.MiddlewareHandler
	Name    string // of the handler's module
	Takes   bool   // the request ends here, with an answer of the handler's or of its backend's
}

// Rewire makes the routes of a server, which must be provisioned and not in use, ones for a
// rehearsal: requests go the way that Caddy itself makes of the routes, and where a handler
// would send, answer or wait, stub runs. Gates are replaced by what gated makes of them. A
// request without a host comes to every site.
func Rewire(ctx caddy.Context, server *caddyhttp.Server, gated func(Gate) caddyhttp.MiddlewareHandler, stub func(Stub) caddyhttp.MiddlewareHandler) error {
	w := rewiring{ctx, gated, stub}
	if err := w.routes(server.Routes); err != nil {
		return err
	}
	for _, route := range server.NamedRoutes {
		if err := w.route(route); err != nil {
			return err
		}
	}
	return nil
}

type rewiring struct {
	ctx   caddy.Context
	gated func(Gate) caddyhttp.MiddlewareHandler
	stub  func(Stub) caddyhttp.MiddlewareHandler
}

func (w rewiring) routes(list caddyhttp.RouteList) error {
	for i := range list {
		if err := w.route(&list[i]); err != nil {
			return err
		}
	}
	return nil
}

func (w rewiring) route(route *caddyhttp.Route) error {
	for _, set := range route.MatcherSets {
		for i, m := range set {
			if host, ok := m.(caddyhttp.RequestMatcherWithError); ok && isHost(m) {
				set[i] = anySite{host}
			}
		}
	}
	for i, h := range route.Handlers {
		replaced, err := w.handler(h)
		if err != nil {
			return err
		}
		route.Handlers[i] = replaced
	}
	return route.ProvisionHandlers(w.ctx, nil) // which only compiles what is there
}

func (w rewiring) handler(h caddyhttp.MiddlewareHandler) (caddyhttp.MiddlewareHandler, error) {
	switch h := h.(type) {
	case Gate:
		return w.gated(h), nil
	case *caddyhttp.Subroute:
		if err := w.routes(h.Routes); err != nil || h.Errors == nil {
			return h, err
		}
		return h, w.routes(h.Errors.Routes)
	case *caddyhttp.Invoke, *rewrite.Rewrite, *headers.Handler:
		return h, nil
	case *intercept.Intercept:
		return w.stub(Stub{Handler: h, Name: nameOf(h)}), nil
	}
	k := kindOf(h)
	if k == sets {
		return h, nil
	}
	_, known := kinds[nameOf(h)]
	takes := k == answers || k == files || k == forwards && (known || nameOf(h) == "reverse_proxy")
	return w.stub(Stub{Handler: h, Name: nameOf(h), Takes: takes}), nil
}

// anySite is a matcher of hosts that a request without one passes.
type anySite struct {
	caddyhttp.RequestMatcherWithError
}

func (m anySite) MatchWithError(r *http.Request) (bool, error) {
	if r.Host == "" {
		return true, nil
	}
	return m.RequestMatcherWithError.MatchWithError(r)
}
