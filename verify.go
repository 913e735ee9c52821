package signedlink

import (
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/signedlink/caddy-signed-link/internal/gateway/app"
	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/internal/gateway/exchange"
	"github.com/signedlink/caddy-signed-link/internal/gateway/outcome"
	"github.com/signedlink/caddy-signed-link/internal/gateway/routes"
	"github.com/signedlink/caddy-signed-link/internal/gateway/sampling"
	"github.com/signedlink/caddy-signed-link/internal/request/bodies"
	"github.com/signedlink/caddy-signed-link/internal/request/cookies"
	"github.com/signedlink/caddy-signed-link/internal/request/headers"
	"github.com/signedlink/caddy-signed-link/internal/request/targets"
	"github.com/signedlink/caddy-signed-link/link"
)

// ServeHTTP is the way of a request: guard, read, verify, admit, forward.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if h.Unguarded {
		return next.ServeHTTP(w, r)
	}

	// guard: on every request, before anything else
	vars := exchange.VarsOf(r)
	x, before := exchange.Of(vars)
	stands := h.gate.Standing()
	var seen app.Sighting
	if !stands.Behind {
		seen = h.gate.Guard(r, vars, x, before)
	}
	if !targets.HasPath(r.URL) {
		switch {
		case r.Context().Value(caddyhttp.ErrorCtxKey) != nil:
			x = h.app.Enter(r, vars)
			x.DropTarget(r)
		default:
			return h.refusePath(w, r, h.app.Enter(r, vars), next)
		}
	}
	if len(stands.Wards) > 0 {
		if by := h.trespassed(w, r, vars, x, stands.Wards); by != nil {
			return by.refuseInternal(w, r, h.app.Enter(r, vars))
		}
		x, before = exchange.Of(vars)
	}
	if len(stands.Entries) > 0 {
		if by := h.astray(w, r, vars, stands.Entries); by != nil {
			return by.refusePath(w, r, h.app.Enter(r, vars), next)
		}
		_, before = exchange.Of(vars)
	}
	if h.Guard {
		if (!before || stands.Rewritten) && r.Context().Value(caddyhttp.ErrorCtxKey) != nil {
			// An error before the routes, or the error routes may ask for a page of a definition
			// that was not asked.
			h.app.CutUnjudged(r, h.app.Enter(r, vars))
		}
		exchange.StandBy(r, vars)
		return next.ServeHTTP(w, r)
	}
	applies, readable, err := h.gate.Applies(w, r, vars)
	if err != nil {
		return err
	}
	if !readable {
		return h.refusePath(w, r, h.app.Enter(r, vars), next)
	}
	if !applies && len(stands.Movers) > 0 {
		applies = h.gate.MovedInto(w, r, vars, func() *link.Request {
			request, _ := h.app.Enter(r, vars).Read(r)
			return request
		})
	}
	if !applies {
		exchange.StandBy(r, vars)
		return next.ServeHTTP(w, r)
	}

	if stands.Behind {
		seen = h.gate.Guard(r, vars, x, before) // of a hundred definitions, those that apply
	}

	// read and verify: the bytes that the client sent, whatever was changed since
	now := h.app.Now()
	x = h.app.Enter(r, vars)
	request, unreadable := x.Read(r)
	h.gate.WarnForwarded(r, request.ClientIP)
	v := x.NewVerdict()
	h.gate.JudgeInto(r.Context(), v, request, vars, unreadable, now)
	if v.Reason == link.Missing && h.gate.MadeLink(w, r, vars, x) {
		v.Refusal = link.Refuse(link.Ambiguous, "rewritten")
	}

	// admit: method, body, and what other definitions of the request said
	if v.None() {
		v.Refusal = h.admit(r, x, v, seen.Overrides)
	}
	x.Say(r, v)
	h.log(x, v)
	if v.Scheme != nil {
		h.keyMeters[v.Scheme.Place].CountLookup(v.Lookup)
	}
	if v.None() {
		h.keyMeters[v.Scheme.Place].Count(v.KeyID, now)
	}

	// forward
	what := h.rules.Decide(v.Refusal, outcome.Circumstances{Unread: unreadable != nil, Conflict: x.Conflict(v), Required: x.Required})
	if seen.Credentials && h.rules.CutsCredentials(what) {
		headers.CutCredentials(r.Header)
	}
	switch what {
	case outcome.Verified:
		h.forwardVerified(r, x, v)
		w = x.Answering(w, h.rules.ReferrerPolicy)
	case outcome.Anonymous:
		h.forwardNobody(r, x, v)
	case outcome.Refused:
		err = h.refuse(w, r, x, v)
	case outcome.WouldVerify, outcome.WouldRefuse: // as it came
	}
	h.meter.Count(what, v.Reason, v.Wrong)
	h.meter.Took(h.app.Now().Sub(now))
	if what == outcome.Refused {
		return err
	}
	x.Publish()
	return x.Answered(next.ServeHTTP(w, r))
}

// astray deals with a request that a reading of its path leads to one of the definitions,
// and its path as sent does not: `/index.php/app` goes to the `handle` of everything else,
// and Symfony routes it as /app, which stands in the `handle` of the definition: nobody
// would judge it. So the first guard or definition of the site asks the way to each nested
// definition about every reading of the path, before Caddy chooses one. astray returns the
// definition that refuses the request, or nil. With recognize the request goes on as
// nobody, without the parameters of that definition; with observe that is only said.
func (h *Handler) astray(w http.ResponseWriter, r *http.Request, vars map[string]any, entries []*routes.Entry) *Handler {
	for _, e := range entries {
		_, strays, readable := app.LeadsAstray(w, r, vars, e)
		to, ours := e.Gate.(*Handler)
		if !strays || !ours {
			continue
		}
		switch {
		case to.rules.Mode == outcome.Require, to.rules.Mode == outcome.Recognize && !readable:
			return to
		case to.rules.Mode == outcome.Recognize:
			x := h.app.Enter(r, vars)
			v := to.pathVerdict(r, x)
			to.forwardNobody(r, x, v)
			if to.rules.CutsCredentials(outcome.Anonymous) {
				headers.CutCredentials(r.Header)
			}
			to.meter.Count(outcome.Anonymous, v.Reason, v.Wrong)
		default:
			v := to.pathVerdict(r, h.app.Enter(r, vars))
			to.meter.Count(outcome.WouldRefuse, v.Reason, v.Wrong)
		}
	}
	return nil
}

// trespassed deals with a request for an internal path, to which only links lead: where the
// definition of /dl/<signature>/<file...> hands the backend /files/<file...>, nobody gets
// /files/ by asking for it, whatever matchers say. It returns the definition that refuses the
// request, or nil. On error routes the request becomes one for the root, because an error
// page is still to be served. With observe that is only said.
func (h *Handler) trespassed(w http.ResponseWriter, r *http.Request, vars map[string]any, x *exchange.Exchange, wards []routes.Ward) *Handler {
	to, trespasses, readable := app.Trespasses(w, r, vars, x, wards)
	if !trespasses && readable {
		return nil
	}
	by, ours := to.Handler.(*Handler)
	switch {
	case !ours:
		return nil
	case r.Context().Value(caddyhttp.ErrorCtxKey) != nil:
		h.app.Enter(r, vars).DropTarget(r)
		return nil
	case by.rules.Mode == outcome.Observe:
		by.meter.Count(outcome.WouldRefuse, link.Missing, false)
		return nil
	}
	return by
}

// refuseInternal refuses a request for an internal path: it is a page of links only, so that
// without one it is missing, whether the site lets others pass or not.
func (h *Handler) refuseInternal(w http.ResponseWriter, r *http.Request, x *exchange.Exchange) error {
	_, _ = x.Read(r) // for the log, and for what is cut
	v := &definition.Verdict{Refusal: link.Refuse(link.Missing, "internal")}
	x.Say(r, v)
	h.log(x, v)
	h.meter.Count(outcome.Refused, v.Reason, v.Wrong)
	err := h.refuse(w, r, x, v)
	x.DropTarget(r) // an error route that proxies must not fetch it
	return err
}

// refusePath refuses a request of whose path nobody can say whether the definition applies
// to it. With observe it only says so.
func (h *Handler) refusePath(w http.ResponseWriter, r *http.Request, x *exchange.Exchange, next caddyhttp.Handler) error {
	v := h.pathVerdict(r, x)
	if h.rules.Mode == outcome.Observe {
		h.meter.Count(outcome.WouldRefuse, v.Reason, v.Wrong)
		x.Publish()
		return next.ServeHTTP(w, r)
	}
	h.meter.Count(outcome.Refused, v.Reason, v.Wrong)
	return h.refuse(w, r, x, v)
}

// pathVerdict says that the path is the reason, in log, placeholders and metrics.
func (h *Handler) pathVerdict(r *http.Request, x *exchange.Exchange) *definition.Verdict {
	_, _ = x.Read(r) // for the log, and for what is cut
	v := &definition.Verdict{Refusal: link.Refuse(link.Ambiguous, "path")}
	x.Say(r, v)
	h.log(x, v)
	h.meter.CountPath()
	return v
}

// admit judges what surrounds a link whose signature is right, and what others made of the
// request.
func (h *Handler) admit(r *http.Request, x *exchange.Exchange, v *definition.Verdict, overrides bool) link.Refusal {
	if refusal := h.gate.Definition.Admit(r, &x.Request, overrides); !refusal.None() {
		return refusal
	}
	if x.WasRewritten(r) {
		if refusal := h.gate.Definition.Rewritten(r.URL.RawQuery, &x.Request, v.Scheme); !refusal.None() {
			return refusal
		}
	}
	if v.Scheme.Description.Carrier != nil && x.WasMoved(r, v.Path) {
		return link.Refuse(link.Ambiguous, "rewritten")
	}
	if x.NamesOtherUser(v) {
		return link.Refuse(link.Ambiguous, "users")
	}
	return link.Refusal{}
}

// forwardVerified makes the request what the backend gets: without the signature,
// every other byte of the query as sent, and with the headers of the identity. Of the
// session of another person it takes what `cookies cut` names, wherever a backend finds it.
func (h *Handler) forwardVerified(r *http.Request, x *exchange.Exchange, v *definition.Verdict) {
	d := h.gate.Definition
	x.Cut(r, func(segment string) bool { return h.sessions.InQuery(segment) || d.CutsVerified(v.Scheme, segment) })
	if v.Path != "" {
		x.Move(r, v.Path)
	}
	if r.Header["Cookie"] != nil {
		h.meter.CountCookies(x.CutCookies(r, d.Shadows(v.Scheme, &x.Request.Query)))
	}
	h.cutSession(r, x)
	headers.DropUpgrade(r.Header)
	bodies.DropUndeclared(r)
	x.Admit(r, v, h.rules.Mode == outcome.Require)
}

// cutSession takes the session from a request that verified, but for that in the query,
// which goes with the signature: the verdict is about what was received, and the backend
// gets the rest, byte for byte.
func (h *Handler) cutSession(r *http.Request, x *exchange.Exchange) {
	if h.sessions == nil {
		return
	}
	h.sessions.CutFrom(r.Header)
	if h.sessions.Path != nil {
		x.CutPath(r, h.sessions.Path)
	}
}

// forwardNobody lets a request go on without an identity: without the signature and
// identity parameters, in whatever spelling, and with everything else as sent.
func (h *Handler) forwardNobody(r *http.Request, x *exchange.Exchange, v *definition.Verdict) {
	d := h.gate.Definition
	x.Cut(r, d.CutsNobody(&x.Request.Query))
	h.meter.CountCookies(x.CutCookies(r, cookies.Shadows{Protected: d.Cookies}))
	if x.Conflict(v) {
		x.Dispute(r)
	}
}

// refuse answers a request that does not verify. What error routes see afterwards
// has neither an identity, nor protected parameters, nor a body: an error route that
// proxies to the application must not hand it what was just refused.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, x *exchange.Exchange, v *definition.Verdict) error {
	x.Forget(r)
	x.Cut(r, h.cutRefused(x))
	h.meter.CountCookies(x.CutCookies(r, cookies.Shadows{Protected: h.app.Union().Cookies}))
	if h.rules.CutsRefused() || h.app.CutsAlways() {
		headers.CutCredentials(r.Header)
	}
	bodies.Drop(r)
	h.app.RedactPath(r, x)
	headers.DropUpgrade(r.Header)
	if !targets.HasPath(r.URL) || h.hidesPath(v) {
		x.DropTarget(r)
	}

	status, redirect := h.rules.Answer(w.Header(), r.Method, v.Refusal, v.Wait)
	if redirect {
		w.WriteHeader(status)
		return nil
	}
	// Unwrapped: Caddy finds no status in a wrapped error, and answers 500.
	return caddyhttp.Error(status, errors.New(string(v.Reason)))
}

// hidesPath reports whether error routes must not see the path: where links stand in paths, one
// that can be read in several ways may be an internal path to a backend, as /u/42/x/.. is, or
// have its signature where nobody takes it out.
func (h *Handler) hidesPath(v *definition.Verdict) bool {
	if v.Reason != link.Ambiguous || v.Detail != "path" {
		return false
	}
	return len(h.gate.Standing().Wards) > 0 || h.gate.Definition != nil && h.gate.Definition.InPath()
}

// cutRefused returns which segments are cut out of a refused request: the protected
// ones of every definition, for those that stand behind this one have not judged
// theirs; or nil, which is all, where the query cannot be read.
func (h *Handler) cutRefused(x *exchange.Exchange) func(segment string) bool {
	if x.Unreadable != nil || x.Request.Query.Control || h.Guard {
		return nil
	}
	return h.app.Protected(x.Request.Query.Raw)
}

// log writes one debug line for a verification and one info line for a refusal; of many
// that tell the same of one client, it writes some. No line holds a signature, a secret,
// or the query.
func (h *Handler) log(x *exchange.Exchange, v *definition.Verdict) {
	message, loud := h.rules.Says(v.Refusal)
	level := zap.DebugLevel
	if loud {
		level = zap.InfoLevel
	}
	c := h.gate.Logger.Check(level, message)
	if c == nil {
		return
	}
	leftOut := 0
	if loud {
		var written bool
		if written, leftOut = h.app.Take(h.line(x, v)); !written {
			return
		}
	}
	fields := []zap.Field{
		zap.String("definition", h.gate.Label),
		zap.String("scheme", v.SchemeName()),
		zap.String("client_ip", x.Request.ClientIP),
		zap.String("path", h.app.Union().Paths.Path(x.Request.Path)),
	}
	if h.Origin != "" {
		fields = append(fields, zap.String("origin", h.Origin))
	}
	if v.None() {
		fields = append(fields, zap.String("user", v.User))
	} else {
		fields = append(fields, zap.String("reason", string(v.Reason)), zap.String("detail", v.Detail))
	}
	if v.KeyID != "" {
		fields = append(fields, zap.String("key_id", v.KeyID))
	}
	if v.Note != "" {
		fields = append(fields, zap.String("note", v.Note))
	}
	if x.CookiesCut > 0 {
		fields = append(fields, zap.Int("cookies_cut", x.CookiesCut))
	}
	if leftOut > 0 {
		fields = append(fields, zap.Int("left_out", leftOut))
	}
	c.Write(fields...)
}

// line is what the line of a refusal tells, by which it is one of many or not.
func (h *Handler) line(x *exchange.Exchange, v *definition.Verdict) sampling.Line {
	return sampling.Line{
		Definition: h.gate.Label, Origin: h.Origin, Scheme: v.SchemeName(),
		Reason: string(v.Reason), Detail: v.Detail, Client: x.Request.ClientIP,
	}
}
