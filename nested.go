package signedlink

import (
	"net/http"

	"github.com/signedlink/caddy-signed-link/internal/gateway/outcome"
	"github.com/signedlink/caddy-signed-link/internal/gateway/routes"
	"github.com/signedlink/caddy-signed-link/internal/request/headers"
)

// Definitions that are nested in other handlers judge what comes down to them by the path
// as sent. `/index.php/app` goes to the `handle` of everything else, and Symfony routes it
// as /app, which stands in the `handle` of the definition: nobody would judge it. So the
// first guard or definition of the site asks the way to each nested definition about
// every reading of the path, before Caddy chooses one.

// astray deals with a request that a reading of its path leads to one of the definitions,
// and its path as sent does not. It returns the definition that refuses the request, or
// nil. With recognize the request goes on as nobody, without the parameters of that
// definition; with observe that is only said.
func (a *App) astray(w http.ResponseWriter, r *http.Request, vars map[string]any, entries []*routes.Entry) *Handler {
	for _, e := range entries {
		h, strays, readable := leadsAstray(w, r, vars, e)
		if !strays {
			continue
		}
		switch {
		case h.rules.Mode == outcome.Require, h.rules.Mode == outcome.Recognize && !readable:
			return h
		case h.rules.Mode == outcome.Recognize:
			st := a.enter(r, vars)
			v := h.pathVerdict(r, st)
			h.forwardNobody(r, st, v)
			if h.rules.CutsCredentials(outcome.Anonymous) {
				headers.CutCredentials(r.Header)
			}
			h.meter.Count(outcome.Anonymous, v.Reason, v.Wrong)
		default:
			v := h.pathVerdict(r, a.enter(r, vars))
			h.meter.Count(outcome.WouldRefuse, v.Reason, v.Wrong)
		}
	}
	return nil
}

// leadsAstray reports whether a reading of the request's path leads to the definition, and
// its path as sent does not; and whether the path can be read at all.
func leadsAstray(w http.ResponseWriter, r *http.Request, vars map[string]any, e *routes.Entry) (h *Handler, strays, readable bool) {
	h, ok := e.Gate.(*Handler)
	if !ok {
		return nil, false, true
	}
	if here, err := e.Here(r); !here && err == nil {
		return h, false, true // it is another site's, which shares this guard by a named route
	}
	leads, readable := h.question(w, r, vars).LeadsInto(e)
	if !leads && readable {
		return h, false, true
	}
	reached, err := e.Reached(r)
	return h, !reached || err != nil, readable // one that is reached judges by every reading
}
