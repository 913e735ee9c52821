package signedlink

import (
	"net/http"

	"github.com/signedlink/caddy-signed-link/internal/gateway/exchange"
	"github.com/signedlink/caddy-signed-link/internal/request/cookies"
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
func (h *Handler) cutSessions(r *http.Request, st *exchange.Exchange) {
	s := h.sessions
	if s == nil {
		return
	}
	s.CutFrom(r.Header)
	if s.Path != nil {
		st.CutPath(r, s.Path)
	}
}
