package signedlink

import (
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/internal/gateway/exchange"
	"github.com/signedlink/caddy-signed-link/internal/gateway/outcome"
	"github.com/signedlink/caddy-signed-link/internal/request/bodies"
	"github.com/signedlink/caddy-signed-link/internal/request/cookies"
	"github.com/signedlink/caddy-signed-link/internal/request/headers"
	"github.com/signedlink/caddy-signed-link/internal/request/targets"
)

// forwardVerified makes the request what the backend gets: without the signature,
// every other byte of the query as sent, and with the headers of the identity.
func (h *Handler) forwardVerified(r *http.Request, st *exchange.Exchange, v *definition.Verdict) {
	st.Cut(r, func(segment string) bool { return h.sessions.InQuery(segment) || h.def.CutsVerified(v.Scheme, segment) })
	if r.Header["Cookie"] != nil {
		h.meter.CountCookies(st.CutCookies(r, h.def.Shadows(v.Scheme, &st.Request.Query)))
	}
	h.cutSessions(r, st)
	headers.DropUpgrade(r.Header)
	bodies.DropUndeclared(r)
	st.Admit(r, v, h.rules.Mode == outcome.Require)
}

// forwardNobody lets a request go on without an identity: without the signature and
// identity parameters, in whatever spelling, and with everything else as sent.
func (h *Handler) forwardNobody(r *http.Request, st *exchange.Exchange, v *definition.Verdict) {
	d := h.def
	st.Cut(r, d.CutsNobody(&st.Request.Query))
	h.meter.CountCookies(st.CutCookies(r, cookies.Shadows{Protected: d.Cookies}))
	if st.Conflict(v) {
		st.Dispute(r)
	}
}

// refuse answers a request that does not verify. What error routes see afterwards
// has neither an identity, nor protected parameters, nor a body: an error route that
// proxies to the application must not hand it what was just refused.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, st *exchange.Exchange, v *definition.Verdict) error {
	st.Forget(r)
	st.Cut(r, h.cutRefused(st))
	h.meter.CountCookies(st.CutCookies(r, cookies.Shadows{Protected: h.app.all().Cookies}))
	if h.rules.CutsRefused() || h.app.cutsAlways.Load() {
		headers.CutCredentials(r.Header)
	}
	bodies.Drop(r)
	headers.DropUpgrade(r.Header)
	if !targets.HasPath(r.URL) {
		st.DropTarget(r)
	}

	status, redirect := h.rules.Answer(w.Header(), r.Method, v.Refusal, v.Wait)
	if redirect {
		w.WriteHeader(status)
		return nil
	}
	// Unwrapped: Caddy finds no status in a wrapped error, and answers 500.
	return caddyhttp.Error(status, errors.New(string(v.Reason)))
}

// cutRefused returns which segments are cut out of a refused request: the protected
// ones of every definition, for those that stand behind this one have not judged
// theirs; or nil, which is all, where the query cannot be read.
func (h *Handler) cutRefused(st *exchange.Exchange) func(segment string) bool {
	if st.Unreadable != nil || st.Request.Query.Control || h.def == nil {
		return nil
	}
	return h.app.protected(st.Request.Query.Raw)
}
