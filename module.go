// Package signedlink is a Caddy module that enforces the signatures on links in
// front of backends that nobody can change.
package signedlink

import (
	"encoding/json"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"

	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/internal/gateway/exchange"
	"github.com/signedlink/caddy-signed-link/internal/gateway/metrics"
	"github.com/signedlink/caddy-signed-link/internal/gateway/outcome"
	"github.com/signedlink/caddy-signed-link/internal/gateway/sampling"
	"github.com/signedlink/caddy-signed-link/internal/gateway/scope"
	"github.com/signedlink/caddy-signed-link/internal/request/cookies"
	"github.com/signedlink/caddy-signed-link/internal/request/headers"
	"github.com/signedlink/caddy-signed-link/internal/request/targets"
	"github.com/signedlink/caddy-signed-link/link"
)

func init() {
	caddy.RegisterModule(new(Handler))
}

// Handler verifies signed links: ActionKit AKIDs, "verifiable URLs" whose key is a
// hash of value and secret, Signed Idempotent Action Links, and whatever else a
// digest or an HMAC over parts of the request can describe. It stands in front of
// applications that already make such links and cannot be changed; it verifies the
// link, strips the signature, and tells the application who the user is in headers
// that no client can forge.
//
// The promise: what was verified is exactly what the backend sees, and nothing that
// the client wrote can pass for what this handler says.
//
// On every request that reaches the handler, whether its matcher matches or not, the
// guard deletes what a client could use to forge an identity: headers that any
// backend would file under `X-Verified-…` or another output header, those in which
// other gateways name a user, such as `Remote-User`, `Connection` tokens that would
// delete what is judged or set here, announced trailers, and `X-Original-URL` and its
// kin. So write it at site level, with the matcher behind the directive; nested
// inside `handle` or `route` it needs a `signed_link guard` at site level, and the
// configuration does not load without.
//
// A verified request has these headers:
//
// Header | Value
// -------|------
// `X-Verified-User` | the identity, unless `user none`
// `X-Verified-Scheme` | the scheme's name
// `X-Verified-Key-Id` | the id of the key that verified, if it has one
// `X-Verified-Mailing` | an AKID's mailing, if it has one
//
// Recognition lasts for one request: an application that wants more starts its own
// session on landing.
//
// ### Placeholders
//
// They are set on every request that the handler sees, and are empty where there is
// nothing to say:
//
// Placeholder | Description
// ------------|------------
// `{http.signed_link.verdict}` | `valid`, `invalid` or `expired`
// `{http.signed_link.reason}` | why the link does not verify: `missing`, `malformed`, `ambiguous`, `bad_signature`, `expired`, `not_yet_valid`, `method`, `body`, `keys_unavailable`, `throttled`
// `{http.signed_link.detail}` | the finer word of the reason, such as `duplicate`
// `{http.signed_link.user}` | the identity, as in the header
// `{http.signed_link.scheme}` | the name of the scheme that took the link
// `{http.signed_link.key_id}` | the id of the key that verified
// `{http.signed_link.claim.NAME}` | a claim of a verified link, such as `mailing`
// `{http.auth.user.id}` | the identity, under Caddy's own name, so that the access log's `user_id` and PHP's `REMOTE_USER` are right
type Handler struct {
	// Which requests are judged. The guard runs on the others, too. Default: all.
	MatcherSetsRaw caddyhttp.RawMatcherSets `json:"match,omitempty" caddy:"namespace=http.matchers"`

	// If true, only the guard runs: for further sites in front of the same backend,
	// and before definitions that are nested in other handlers. Default: `false`.
	Guard bool `json:"guard,omitempty"`

	// If true, the site is meant to be open although it hands requests to a backend that
	// stands behind a guard elsewhere: clients can write any identity here. Does nothing
	// to requests. Default: `false`.
	Unguarded bool `json:"unguarded,omitempty"`

	// Identity headers, such as `Remote-User`, that a gateway in front of Caddy sets. Only
	// a guard has them, and only where the server has `trusted_proxies`: they are believed
	// of those proxies alone. Every other identity header of another gateway is deleted
	// where a request meets the first guard or definition. Default: none.
	Accept []string `json:"accept,omitempty"`

	// What happens to a request that does not verify. `require` refuses it.
	// `recognize` lets it go on as nobody, without signature and identity
	// parameters. `observe` only says in log, metrics and placeholders what
	// `require` would do. Default: `require`.
	Mode string `json:"mode,omitempty"`

	// What `require` does with a request without any signature parameter: `refuse`,
	// or `pass`, which lets it go on as nobody. Default: `refuse`.
	Missing string `json:"missing,omitempty"`

	// Whose parser stands behind: `php`, `servlet`, or `strict` for either.
	// Default: `strict`.
	Backend string `json:"backend,omitempty"`

	// The methods that are let through with a link. A body is let through only
	// where its method is named here. Default: `GET` and `HEAD`.
	Methods []string `json:"methods,omitempty"`

	// What is cut out of the query of a verified request: `signature` (and expiry
	// and key id), `signed` (all that the message covers, too) or `none`. Default:
	// `signature`.
	Strip string `json:"strip,omitempty"`

	// What happens to the parameters of a verified request that its message does
	// not cover: `keep` or `strip`. Default: `keep`.
	Unsigned string `json:"unsigned,omitempty"`

	// Further headers of verified requests. Their templates may use only what the
	// message of every scheme covers, `{user}` and claims.
	RequestHeaders []RequestHeader `json:"request_headers,omitempty"`

	// Other statuses than the default ones for refusals.
	Statuses []Status `json:"statuses,omitempty"`

	// Refusals that are redirects.
	Redirects []Redirect `json:"redirects,omitempty"`

	// Makes who guesses wait. Default: nobody waits.
	Throttle *Throttle `json:"throttle,omitempty"`

	// The `Referrer-Policy` of answers to verified requests, where the application sets
	// none: a policy of the specification, or `off`. Default: `same-origin`.
	ReferrerPolicy string `json:"referrer_policy,omitempty"`

	// What becomes of the client's `Authorization`, of which PHP makes `PHP_AUTH_USER`:
	// `cut` takes it from verified requests, `cut always` from every request to which the
	// definition applies, `keep` from none. Default: `cut`.
	Authorization string `json:"authorization,omitempty"`

	// Which cookies go from verified requests, so that the link wins over a session that
	// another person left open. Default: none.
	Cookies *Cookies `json:"cookies,omitempty"`

	// The schemes, tried in this order where their signature parameters are there.
	Schemes []*SchemeConfig `json:"schemes,omitempty"`

	// Where the definition is written, for errors and logs; the Caddyfile adapter
	// sets it to file and line.
	Origin string `json:"origin,omitempty"`

	rules          outcome.Rules
	strip          definition.Strip
	cutUnsigned    bool
	scope          scope.Scope
	def            *definition.Definition
	app            *App
	server         *caddyhttp.Server
	sessions       *cookies.Sessions // nil: no cookie is cut
	accepted       []string          // identity headers of the gateway in front, as they are spelled
	label          string            // names of the schemes, for log and metrics
	held           []string          // signature parameters that the log filter knows from here
	throttleKey    string            // of the throttle that is held
	watchForwarded bool              // the client's address matters, and no proxy is trusted to tell it
	meter          *metrics.Meter
	marks          [][]mark        // of the secrets of each scheme, until all definitions are loaded
	keyMeters      []*metrics.Keys // by the place of the scheme
	logger         *zap.Logger
	now            func() time.Time
	stands         atomic.Pointer[standing]
}

// SchemeConfig is one scheme of a definition, with the options of every scheme.
type SchemeConfig struct {
	// The scheme itself.
	SchemeRaw json.RawMessage `json:"scheme,omitempty" caddy:"namespace=http.signed_link.schemes inline_key=kind"`

	// The name that appears in header, log, metrics and command line. Default: the
	// kind of the scheme.
	Name string `json:"name,omitempty"`

	// The keys of the scheme, from a key source.
	KeysRaw json.RawMessage `json:"keys,omitempty" caddy:"namespace=http.signed_link.keys inline_key=source"`

	// A secret for each user, from a key source, in place of `keys`.
	UserKeysRaw json.RawMessage `json:"user_keys,omitempty" caddy:"namespace=http.signed_link.keys inline_key=source"`

	// The identity: a template of what the message covers and of claims, or `none`.
	// Default: the scheme's own, such as an AKID's user, or the only parameter of
	// the message.
	User string `json:"user,omitempty"`

	// How values outside of printable ASCII go into headers: `percent` (as %XX) or
	// `utf8`. Default: such links do not verify.
	UserEncoding string `json:"user_encoding,omitempty"`

	// What values the parameters of the message may have, by name.
	Params map[string]*Param `json:"params,omitempty"`

	// Parameters that mailers add, by name, or by prefix with a `*` at the end. They
	// are outside of every message, are forwarded, and are never trusted.
	Ignore []string `json:"ignore,omitempty"`

	// Refuse links without an expiry. Default: `false`.
	RequireExpiry bool `json:"require_expiry,omitempty"`

	// The longest time from issue (or from now) to expiry. Default: any.
	MaxLifetime caddy.Duration `json:"max_lifetime,omitempty"`

	// The longest time since issue. Default: any.
	MaxAge caddy.Duration `json:"max_age,omitempty"`

	// How far the signer's clock may be off. Default: 0.
	ClockSkew caddy.Duration `json:"clock_skew,omitempty"`

	// Findings about the scheme that are accepted, by code.
	Allow []string `json:"allow,omitempty"`

	kind string // set in Provision
}

// Param says what values a parameter may have.
type Param struct {
	// The alphabet: `digits`, `hex`, `alnum`, `token`, `email`, `text` or `one_of`.
	Class string `json:"class"`

	// The values of `one_of`.
	Values []string `json:"values,omitempty"`

	// The least length in bytes. Default: 1.
	Min int `json:"min,omitempty"`

	// The greatest length in bytes. Default: 256.
	Max int `json:"max,omitempty"`

	// Whether the parameter may be absent. Default: `false`.
	Optional bool `json:"optional,omitempty"`
}

// RequestHeader is a header of verified requests.
type RequestHeader struct {
	// The name of the header.
	Name string `json:"name"`

	// The template of its value. A header whose value is empty is not set.
	Value string `json:"value"`
}

// Cookies says which cookies go from verified requests.
type Cookies struct {
	// The names, or the beginning of names with a `*` at the end, in whatever spelling the
	// backend reads as one of them. A parameter of the query with such a name goes, too,
	// before PHP, and a parameter of the path before a servlet container, with `jsessionid`.
	Cut []string `json:"cut,omitempty"`

	// If true, every cookie goes. Default: `false`.
	CutAll bool `json:"cut_all,omitempty"`
}

// Status is the HTTP status of some refusals.
type Status struct {
	// The reasons. Default: all.
	Reasons []string `json:"reasons,omitempty"`

	// The status, 400 to 599.
	Code int `json:"code"`
}

// Redirect sends the client of some refusals elsewhere.
type Redirect struct {
	// The reasons. Default: all.
	Reasons []string `json:"reasons,omitempty"`

	// A path of this site that the definition itself does not match, or a fixed URL.
	To string `json:"to"`
}

// CaddyModule returns the Caddy module information.
func (*Handler) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.handlers.signed_link",
		New: func() caddy.Module { return new(Handler) },
	}
}

// ServeHTTP is the way of a request: guard, read, verify, admit, forward.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request, next caddyhttp.Handler) error {
	if h.Unguarded {
		return next.ServeHTTP(w, r)
	}

	// guard: on every request, before anything else
	vars := exchange.VarsOf(r)
	st, before := exchange.Of(vars)
	stands := h.standingOf()
	var seen sighting
	if !stands.behind {
		seen = h.guard(r, vars, st, before)
	}
	if !targets.HasPath(r.URL) {
		switch {
		case r.Context().Value(caddyhttp.ErrorCtxKey) != nil:
			st = h.app.enter(r, vars)
			st.DropTarget(r)
		default:
			return h.refusePath(w, r, h.app.enter(r, vars), next)
		}
	}
	if len(stands.entries) > 0 {
		if by := h.app.astray(w, r, vars, stands.entries); by != nil {
			return by.refusePath(w, r, h.app.enter(r, vars), next)
		}
		_, before = exchange.Of(vars)
	}
	if h.Guard {
		if (!before || stands.rewritten) && r.Context().Value(caddyhttp.ErrorCtxKey) != nil {
			// An error before the routes, or the error routes may ask for a page of a definition
			// that was not asked.
			h.app.cutUnjudged(r, h.app.enter(r, vars))
		}
		exchange.StandBy(r, vars)
		return next.ServeHTTP(w, r)
	}
	applies, readable, err := h.scope.Applies(h.question(w, r, vars))
	if err != nil {
		return err
	}
	if !readable {
		return h.refusePath(w, r, h.app.enter(r, vars), next)
	}
	if !applies {
		exchange.StandBy(r, vars)
		return next.ServeHTTP(w, r)
	}

	if stands.behind {
		seen = h.guard(r, vars, st, before) // of a hundred definitions, those that apply
	}

	// read and verify: the bytes that the client sent, whatever was changed since
	now := h.now()
	st = h.app.enter(r, vars)
	request, unreadable := st.Read(r)
	h.warnForwarded(r, st)
	v := st.NewVerdict()
	h.def.JudgeInto(r.Context(), v, request, unreadable, now)

	// admit: method, body, and what other definitions of the request said
	if v.None() {
		v.Refusal = h.admit(r, st, v, seen.overrides)
	}
	st.Say(r, v)
	h.log(st, v)
	if v.Scheme != nil {
		h.keyMeters[v.Scheme.Place].CountLookup(v.Lookup)
	}
	if v.None() {
		h.keyMeters[v.Scheme.Place].Count(v.KeyID, now)
	}

	// forward
	what := h.rules.Decide(v.Refusal, outcome.Circumstances{Unread: unreadable != nil, Conflict: st.Conflict(v), Required: st.Required})
	if seen.credentials && h.rules.CutsCredentials(what) {
		headers.CutCredentials(r.Header)
	}
	switch what {
	case outcome.Verified:
		h.forwardVerified(r, st, v)
		w = st.Answering(w, h.rules.ReferrerPolicy)
	case outcome.Anonymous:
		h.forwardNobody(r, st, v)
	case outcome.Refused:
		err = h.refuse(w, r, st, v)
	case outcome.WouldVerify, outcome.WouldRefuse: // as it came
	}
	h.meter.Count(what, v.Reason, v.Wrong)
	h.meter.Took(h.now().Sub(now))
	if what == outcome.Refused {
		return err
	}
	st.Publish()
	return st.Answered(next.ServeHTTP(w, r))
}

// refusePath refuses a request of whose path nobody can say whether the definition applies
// to it. With observe it only says so.
func (h *Handler) refusePath(w http.ResponseWriter, r *http.Request, st *exchange.Exchange, next caddyhttp.Handler) error {
	v := h.pathVerdict(r, st)
	if h.rules.Mode == outcome.Observe {
		h.meter.Count(outcome.WouldRefuse, v.Reason, v.Wrong)
		st.Publish()
		return next.ServeHTTP(w, r)
	}
	h.meter.Count(outcome.Refused, v.Reason, v.Wrong)
	return h.refuse(w, r, st, v)
}

// pathVerdict says that the path is the reason, in log, placeholders and metrics.
func (h *Handler) pathVerdict(r *http.Request, st *exchange.Exchange) *definition.Verdict {
	_, _ = st.Read(r) // for the log, and for what is cut
	v := &definition.Verdict{Refusal: link.Refuse(link.Ambiguous, "path")}
	st.Say(r, v)
	h.log(st, v)
	h.meter.CountPath()
	return v
}

// admit judges what surrounds a link whose signature is right, and what others made of the
// request.
func (h *Handler) admit(r *http.Request, st *exchange.Exchange, v *definition.Verdict, overrides bool) link.Refusal {
	if refusal := h.def.Admit(r, &st.Request, overrides); !refusal.None() {
		return refusal
	}
	if st.WasRewritten(r) {
		if refusal := h.def.Rewritten(r.URL.RawQuery, &st.Request, v.Scheme); !refusal.None() {
			return refusal
		}
	}
	if st.NamesOtherUser(v) {
		return link.Refuse(link.Ambiguous, "users")
	}
	return link.Refusal{}
}

// log writes one debug line for a verification and one info line for a refusal; of many
// that tell the same of one client, it writes some. No line holds a signature, a secret,
// or the query.
func (h *Handler) log(st *exchange.Exchange, v *definition.Verdict) {
	message, loud := h.rules.Says(v.Refusal)
	level := zap.DebugLevel
	if loud {
		level = zap.InfoLevel
	}
	c := h.logger.Check(level, message)
	if c == nil {
		return
	}
	leftOut := 0
	if loud {
		var written bool
		if written, leftOut = h.app.samples.Take(h.line(st, v), h.now()); !written {
			return
		}
	}
	fields := []zap.Field{
		zap.String("definition", h.label),
		zap.String("scheme", v.SchemeName()),
		zap.String("client_ip", st.Request.ClientIP),
		zap.String("path", st.Request.Path),
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
	if st.CookiesCut > 0 {
		fields = append(fields, zap.Int("cookies_cut", st.CookiesCut))
	}
	if leftOut > 0 {
		fields = append(fields, zap.Int("left_out", leftOut))
	}
	c.Write(fields...)
}

// line is what the line of a refusal tells, by which it is one of many or not.
func (h *Handler) line(st *exchange.Exchange, v *definition.Verdict) sampling.Line {
	return sampling.Line{
		Definition: h.label, Origin: h.Origin, Scheme: v.SchemeName(),
		Reason: string(v.Reason), Detail: v.Detail, Client: st.Request.ClientIP,
	}
}

// Interface guards
var (
	_ caddy.Provisioner           = (*Handler)(nil)
	_ caddy.CleanerUpper          = (*Handler)(nil)
	_ caddyhttp.MiddlewareHandler = (*Handler)(nil)
)
