package app

import (
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/internal/gateway/exchange"
	"github.com/signedlink/caddy-signed-link/internal/request/bodies"
	"github.com/signedlink/caddy-signed-link/internal/request/cookies"
	"github.com/signedlink/caddy-signed-link/internal/request/headers"
	"github.com/signedlink/caddy-signed-link/query"
)

// Sighting is what the guard saw and leaves to the definition behind it.
type Sighting struct {
	Overrides   bool // a header asks for another method
	Credentials bool // a header holds a name and a password, or a token
}

// Guard deletes what a client could use to forge an identity. It runs on every
// request, matched or not, in every mode, before anything can fail: an error route
// sees the headers as they are then. Only right behind another definition or guard it
// waits until it is known that this one applies: there is nothing new to be seen, and a
// client that sends 3,000 headers would have each of a hundred definitions look at them.
// What each header means is in [headers.Table].
func (g *Gate) Guard(r *http.Request, vars map[string]any, x *exchange.Exchange, before bool) (seen Sighting) {
	w := g.app.headers.Load()
	var connection, upgrade, first bool
	for name, values := range r.Header {
		if !w.Leads.On(name) {
			continue // as most are
		}
		place, output := headers.Watch(name), w.Names.Has(name)
		if place < 0 && !output {
			continue
		}
		action := headers.Protect
		if !output {
			action = headers.Table[place].Action()
		}
		switch action {
		case headers.Protect:
			if ours := x.Value(name); ours != "" && len(values) == 1 && values[0] == ours {
				continue // an earlier definition of this request set it
			}
			g.tell(r, place)
			delete(r.Header, name)
		case headers.Delete:
			delete(r.Header, name)
		case headers.DeleteFirst:
			// Behind the first guard it is what a handler of this configuration set.
			if first = first || !before || exchange.Returned(r, vars); !first || g.believes(r, name, values) {
				continue
			}
			g.tell(r, place)
			delete(r.Header, name)
		case headers.DeleteUnless:
			if !fromTrustedProxy(r) {
				delete(r.Header, name)
			}
		case headers.DeleteAlias:
			if name != headers.Canonical(place) {
				delete(r.Header, name)
			}
		case headers.Filter:
			switch name {
			case "Connection":
				connection = true
			case "Upgrade":
				upgrade = true
			case "Trailer":
				// Announced trailers go to the backend, where Apache's MergeTrailers makes
				// headers of them. Without an announcement net/http drops them.
				delete(r.Header, name)
			}
		case headers.Report:
			seen.Overrides = true
		case headers.Credential:
			seen.Credentials = true
		case headers.Leave:
		}
	}
	if first && before {
		exchange.Remember(vars, r.Header)
	}
	r.Trailer = nil
	if connection {
		headers.FilterConnection(r.Header)
	}
	if upgrade {
		// Behind a 101 that names h2c whole requests pass that no guard sees.
		if protocols := r.Header["Upgrade"]; len(protocols) != 1 || !strings.EqualFold(protocols[0], "websocket") {
			headers.DropUpgrade(r.Header)
		}
	}
	return seen
}

// believes reports whether the identity header comes from the gateway in front that the
// operator named: once, in the spelling that was named. That gateway may hand on what its
// client wrote under another spelling, and one that adds a line to the client's says two
// names.
func (g *Gate) believes(r *http.Request, name string, values []string) bool {
	return slices.Contains(g.accepted, name) && len(values) == 1 && fromTrustedProxy(r)
}

// tell writes down that an identity header of another gateway was deleted, once for each
// row of the table: somebody may have relied on it. Neither the value nor the spelling,
// which the client chooses, is in it.
func (g *Gate) tell(r *http.Request, place int) {
	if place < 0 || headers.Table[place].Kind != headers.Identity || g.app.told[place].Load() || g.app.told[place].Swap(true) {
		return
	}
	clientIP, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	g.Logger.Info("deleted an identity header of another gateway, which is said once for each name; "+
		"if a gateway in front of Caddy sets it, name it with `signed_link guard { accept <header> }`",
		zap.String("header", headers.Table[place].String()), zap.String("definition", g.Label), zap.String("origin", g.Origin),
		zap.String("client_ip", clientIP), zap.Bool("trusted_proxy", fromTrustedProxy(r)))
}

// Protected returns which segments of a query spell a protected parameter of any
// definition of the config; or nil, which is all, where a message covers all, or a
// backend may read another query in this one.
func (a *App) Protected(raw string) func(segment string) bool {
	u := a.Union()
	if u.Whole || u.SpellsSecond(raw) {
		return nil
	}
	return u.Spells
}

// CutUnjudged removes what definitions protect that have not verified the request, on its
// way to any of them: what others verified stays. The request failed, so that nobody looks
// at its body any more.
func (a *App) CutUnjudged(r *http.Request, x *exchange.Exchange) {
	var by, others []*definition.Definition
	for _, d := range a.Definitions() {
		if slices.ContainsFunc(x.Verified, func(v *definition.Verdict) bool { return slices.Contains(d.Schemes, v.Scheme) }) {
			by = append(by, d)
		} else {
			others = append(others, d)
		}
	}
	switch {
	case len(by) == 0:
		a.cutProtected(r, x)
		a.RedactPath(r, x)
	case len(others) > 0:
		spells := func(d *definition.Definition, segment string) bool {
			_, spelling := d.Names.Classify(segment)
			return spelling != query.Other
		}
		none := x.Request.Query.Control || a.Union().SpellsSecond(r.URL.RawQuery)
		x.Cut(r, func(segment string) bool {
			return none || !slices.ContainsFunc(by, func(d *definition.Definition) bool { return spells(d, segment) }) &&
				slices.ContainsFunc(others, func(d *definition.Definition) bool { return d.CoversAll || spells(d, segment) })
		})
		x.CutCookies(r, cookies.Shadows{Protected: a.Union().Cookies})
		bodies.Drop(r)
	}
}

// cutProtected removes the protected parameters, and the body, from a request that
// no definition has judged.
func (a *App) cutProtected(r *http.Request, x *exchange.Exchange) {
	var current query.Query
	drop := a.Protected(r.URL.RawQuery)
	if current.Parse(r.URL.RawQuery) != nil || current.Control {
		drop = nil
	}
	x.Cut(r, drop)
	x.CutCookies(r, cookies.Shadows{Protected: a.Union().Cookies})
	if a.cutsAlways.Load() {
		headers.CutCredentials(r.Header)
	}
	bodies.Drop(r)
}
