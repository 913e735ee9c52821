package signedlink

import (
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/signedlink/caddy-signed-link/internal/request/cookies"
	"github.com/signedlink/caddy-signed-link/internal/request/targets"
	"github.com/signedlink/caddy-signed-link/query"
)

// The link wins over another person's session. A browser in which jeff is logged in sends
// jeff's cookie with mike's link, and applications (Cacti, DokuWiki, tt-rss) show jeff.
// `cookies cut` takes the session from verified requests, wherever a backend finds one.

// compileCookies compiles the option cookies.
func (h *Handler) compileCookies() error {
	if h.Cookies == nil {
		return nil
	}
	var err error
	h.sessions, err = cookies.NewSessions(h.def.Profile, h.Cookies.Cut, h.Cookies.CutAll, h.def.Names)
	return err
}

// cutSessions takes the session from a request that verified: the verdict is about what
// was received, and the backend gets the rest, byte for byte. That in the query goes with
// the signature ([Handler.cutsVerified]).
func (h *Handler) cutSessions(r *http.Request, st *state) {
	s := h.sessions
	if s == nil {
		return
	}
	s.CutFrom(r.Header)
	if s.Path != nil {
		st.cutPath(r, s.Path)
	}
}

// cutPath takes parameters out of the path, in every place in which a later handler can
// find one: the URL, RequestURI and the original request of the context.
func (st *state) cutPath(r *http.Request, names *query.Patterns) {
	uri := r.RequestURI
	targets.CutURLPath(r.URL, names)
	r.RequestURI = targets.CutTargetPath(uri, names)
	original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if !ok {
		return
	}
	changed := targets.CutURLPath(original.URL, names) // in place, as in [state.cut]
	target := targets.CutTargetPath(original.RequestURI, names)
	if changed || target != original.RequestURI {
		st.replaceTarget(r, target)
	}
}
