package signedlink

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

// sighting is what the guard saw and leaves to the definition behind it.
type sighting struct {
	overrides   bool // a header asks for another method
	credentials bool // a header holds a name and a password, or a token
}

// guard deletes what a client could use to forge an identity. It runs on every
// request, matched or not, in every mode, before anything can fail: an error route
// sees the headers as they are then. Only right behind another definition or guard it
// waits until it is known that this one applies: there is nothing new to be seen, and a
// client that sends 3,000 headers would have each of a hundred definitions look at them.
// What each header means is in [headers.Table].
func (h *Handler) guard(r *http.Request, vars map[string]any, st *exchange.Exchange, before bool) (seen sighting) {
	w := h.app.headers.Load()
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
			if ours := st.Value(name); ours != "" && len(values) == 1 && values[0] == ours {
				continue // an earlier definition of this request set it
			}
			h.tell(r, place)
			delete(r.Header, name)
		case headers.Delete:
			delete(r.Header, name)
		case headers.DeleteFirst:
			// Behind the first guard it is what a handler of this configuration set.
			if first = first || !before || exchange.Returned(r, vars); !first || h.believes(r, name, values) {
				continue
			}
			h.tell(r, place)
			delete(r.Header, name)
		case headers.DeleteUnless:
			if !exchange.FromTrustedProxy(r) {
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
			seen.overrides = true
		case headers.Credential:
			seen.credentials = true
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
func (h *Handler) believes(r *http.Request, name string, values []string) bool {
	return slices.Contains(h.accepted, name) && len(values) == 1 && exchange.FromTrustedProxy(r)
}

// tell writes down that an identity header of another gateway was deleted, once for each
// row of the table: somebody may have relied on it. Neither the value nor the spelling,
// which the client chooses, is in it.
func (h *Handler) tell(r *http.Request, place int) {
	if place < 0 || headers.Table[place].Kind != headers.Identity || h.app.told[place].Load() || h.app.told[place].Swap(true) {
		return
	}
	clientIP, _ := caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	h.logger.Info("deleted an identity header of another gateway, which is said once for each name; "+
		"if a gateway in front of Caddy sets it, name it with `signed_link guard { accept <header> }`",
		zap.String("header", headers.Table[place].String()), zap.String("definition", h.label), zap.String("origin", h.Origin),
		zap.String("client_ip", clientIP), zap.Bool("trusted_proxy", exchange.FromTrustedProxy(r)))
}

// protected returns which segments of a query spell a protected parameter of any
// definition of the config; or nil, which is all, where a message covers all, or a
// backend may read another query in this one.
func (a *App) protected(raw string) func(segment string) bool {
	u := a.all()
	if u.Whole || u.SpellsSecond(raw) {
		return nil
	}
	return u.Spells
}

// cutUnjudged removes what definitions protect that have not verified the request, on its
// way to any of them: what others verified stays. The request failed, so that nobody looks
// at its body any more.
func (a *App) cutUnjudged(r *http.Request, st *exchange.Exchange) {
	var by, others []*definition.Definition
	for _, d := range a.allDefinitions() {
		if slices.ContainsFunc(st.Verified, func(v *definition.Verdict) bool { return slices.Contains(d.Schemes, v.Scheme) }) {
			by = append(by, d)
		} else {
			others = append(others, d)
		}
	}
	switch {
	case len(by) == 0:
		a.cutProtected(r, st)
	case len(others) > 0:
		spells := func(d *definition.Definition, segment string) bool {
			_, spelling := d.Names.Classify(segment)
			return spelling != query.Other
		}
		none := st.Request.Query.Control || a.all().SpellsSecond(r.URL.RawQuery)
		st.Cut(r, func(segment string) bool {
			return none || !slices.ContainsFunc(by, func(d *definition.Definition) bool { return spells(d, segment) }) &&
				slices.ContainsFunc(others, func(d *definition.Definition) bool { return d.CoversAll || spells(d, segment) })
		})
		st.CutCookies(r, cookies.Shadows{Protected: a.all().Cookies})
		bodies.Drop(r)
	}
}

// cutProtected removes the protected parameters, and the body, from a request that
// no definition has judged.
func (a *App) cutProtected(r *http.Request, st *exchange.Exchange) {
	var current query.Query
	drop := a.protected(r.URL.RawQuery)
	if current.Parse(r.URL.RawQuery) != nil || current.Control {
		drop = nil
	}
	st.Cut(r, drop)
	st.CutCookies(r, cookies.Shadows{Protected: a.all().Cookies})
	if a.cutsAlways.Load() {
		headers.CutCredentials(r.Header)
	}
	bodies.Drop(r)
}
