package app

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/internal/gateway/routes"
	"github.com/signedlink/caddy-signed-link/internal/gateway/scope"
)

// This file has the app walk over the routes, when all servers are provisioned and
// before one of them listens, so that `caddy validate` refuses what starting refuses.
// Caddy starts its apps in no order: one that refuses when it starts may do so while the
// http app serves already.

// walk walks over the routes of all servers, tells the handlers where they stand, and
// returns what is wrong.
func (a *App) walk(servers map[string]*caddyhttp.Server) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	report := routes.Walk(servers)
	for _, g := range a.gates {
		if !report.Met(g.Handler) {
			report.Faults = append(report.Faults, routes.Fault{
				Code:   "unknown_container",
				Where:  g.Origin,
				Reason: "this definition stands in a handler of another module, and nobody here knows which requests come to it",
				Cure:   "write it at the top of the site, with its matcher behind the directive",
			})
		}
	}
	for _, g := range slices.Concat(a.gates, a.guards) {
		g.below = scope.New(routes.PathMatchers(g.Scope.Matchers()))
		g.stands.Store(&Standing{
			Entries: report.Entries(g.Handler), Ahead: report.Ahead(g.Handler), Behind: report.Behind(g.Handler), Rewritten: report.Rewritten(g.Handler),
			Wards: report.Wards(g.Handler), Movers: report.Movers(g.Handler),
		})
	}
	a.report = report
	if !a.logged && len(report.Faults) == 0 {
		a.logged = true
		for _, f := range report.Findings {
			if f.IsNote() {
				continue
			}
			a.logger.Warn(f.Message, zap.String("code", f.Code), zap.String("origin", f.Where),
				zap.String("cure", f.Cure), zap.String("page", Page(f.Code)))
		}
	}
	return report.Err()
}

// Page is where a finding of the walk is explained.
func Page(code string) string { return definition.Documentation + "docs/routes.md#" + code }

// RehearsalWord makes the app of this process list faults in place of refusing them, for
// lint. No configuration can know it.
var RehearsalWord = rand.Text()

// progress follows the provisioning of the servers. Caddy provisions them in no order,
// each with its routes, then its error routes, then its named routes, in no order again.
type progress struct {
	mark    string                     // the origin of the sentinels: guards that are provisioned last
	name    string                     // of their named route
	pending map[*caddyhttp.Server]bool // false: it is done
	servers map[string]*caddyhttp.Server
}

func newProgress() progress {
	return progress{mark: rand.Text(), name: "signed_link", pending: make(map[*caddyhttp.Server]bool)}
}

// Follow takes the gate of a handler into the app, before the handler is provisioned. When
// the last server is about to be done, it walks over all. done says that the handler needs
// no provisioning: it is a sentinel, or stands in a route that was replaced.
func (a *App) Follow(ctx caddy.Context, g *Gate) (done bool, err error) {
	g.app = a
	handler, server := g.Handler, g.Server
	modules := ctx.Modules()
	if server == nil || len(modules) == 0 {
		return false, nil
	}
	app, ok := modules[0].(*caddyhttp.App)
	if !ok {
		return false, nil // Start finds out
	}
	pending, known := a.progress.pending[server]
	switch {
	case handler.Role() == routes.Guard && handler.Where() == a.progress.mark:
		return true, a.finish(ctx, server)
	case known && !pending:
		return true, nil // it stands in a named route that was replaced; see finish
	case !known:
		a.progress.servers = app.Servers
		for _, other := range app.Servers {
			if _, known := a.progress.pending[other]; !known && (other == server || loading(other.Routes) || other.Errors != nil && loading(other.Errors.Routes)) {
				a.progress.pending[other] = true
				if !namedPhase(other) {
					a.plant(other)
				}
			}
		}
		if namedPhase(server) {
			// The first handler stands in a named route: nothing is provisioned behind them
			// all. This one's route is under way, and is replaced.
			return true, a.finish(ctx, server)
		}
	}
	return false, nil
}

// loading reports whether handlers of the routes are still to be provisioned, or are
// about to be: Caddy drops their text when all of a route are.
func loading(list caddyhttp.RouteList) bool {
	return slices.ContainsFunc(list, func(route caddyhttp.Route) bool { return len(route.HandlersRaw) > 0 })
}

// namedPhase reports whether the server's named routes are being provisioned.
func namedPhase(server *caddyhttp.Server) bool {
	if loading(server.Routes) || server.Errors != nil && loading(server.Errors.Routes) {
		return false
	}
	for _, route := range server.NamedRoutes {
		if len(route.HandlersRaw) > 0 {
			return true
		}
	}
	return false
}

// plant adds a named route to the server, which is provisioned behind all other routes.
func (a *App) plant(server *caddyhttp.Server) {
	handler, err := json.Marshal(map[string]any{"handler": "signed_link", "guard": true, "origin": a.progress.mark})
	if err != nil {
		panic(err)
	}
	if server.NamedRoutes == nil {
		server.NamedRoutes = make(map[string]*caddyhttp.Route)
	}
	for server.NamedRoutes[a.progress.name] != nil {
		a.progress.name += "_"
	}
	server.NamedRoutes[a.progress.name] = &caddyhttp.Route{HandlersRaw: []json.RawMessage{handler}}
}

// finish provisions the named routes of the server that are not yet, and walks over all
// servers if this is the last one.
func (a *App) finish(ctx caddy.Context, server *caddyhttp.Server) error {
	a.progress.pending[server] = true
	for name, route := range server.NamedRoutes {
		if len(route.HandlersRaw) == 0 {
			continue
		}
		if bytes.Contains(route.HandlersRaw[0], []byte(a.progress.mark)) {
			delete(server.NamedRoutes, name) // the sentinel's own
			continue
		}
		// A copy, because one of them may be under way. Caddy provisions it once more,
		// which does nothing.
		own := &caddyhttp.Route{
			Group: route.Group, Terminal: route.Terminal,
			MatcherSetsRaw: slices.Clone(route.MatcherSetsRaw), MatcherSets: slices.Clone(route.MatcherSets), HandlersRaw: slices.Clone(route.HandlersRaw),
		}
		if err := own.Provision(ctx, nil); err != nil {
			return err
		}
		server.NamedRoutes[name] = own
	}
	a.progress.pending[server] = false
	for _, pending := range a.progress.pending {
		if pending {
			return nil
		}
	}
	if err := a.walk(a.progress.servers); err != nil && !a.rehearsal {
		return err
	}
	return nil
}

// GuardErrors puts a guard before the server's error routes, if it has any: Caddy
// runs them for requests that it refuses before all routes, too. A server without
// error routes gets none, because their mere existence changes how Caddy logs.
func (a *App) GuardErrors(server *caddyhttp.Server) {
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

// ServerOf returns the server that is being provisioned.
func ServerOf(ctx caddy.Context) *caddyhttp.Server {
	server, _ := ctx.Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	return server
}
