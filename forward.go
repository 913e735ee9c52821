package signedlink

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/internal/gateway/outcome"
	"github.com/signedlink/caddy-signed-link/internal/request/bodies"
	"github.com/signedlink/caddy-signed-link/internal/request/cookies"
	"github.com/signedlink/caddy-signed-link/internal/request/headers"
	"github.com/signedlink/caddy-signed-link/internal/request/targets"
	"github.com/signedlink/caddy-signed-link/link"
	"github.com/signedlink/caddy-signed-link/query"
)

// state is what the handlers of one request share. It stands in the request's vars,
// which outlive everything that other handlers derive from the request.
type state struct {
	request    link.Request // as received
	isRead     bool
	unreadable error
	repl       *caddy.Replacer // the request's; nil if it has none

	query      string // the query as the last handler left it
	headers    []definition.Header
	valid      *definition.Verdict   // the one link that speaks: the first that named a user, or the first that verified
	verified   []*definition.Verdict // all that verified, in written order
	disputed   bool                  // two links named two users, so that no further one can name any
	last       *definition.Verdict   // the last that had something to say
	verifiedBy []string              // names of the schemes that verified, for the matcher
	required   bool                  // a definition that requires a link verified one
	cookiesCut int
	shadowed   []string     // placeholders that must be published; see [bystander]
	cleaned    http.Header  // what the guard has cleaned
	answer     answerWriter // of the first definition that verified

	// The memory of the above, for the first definition that matches.
	first       definition.Verdict
	firstTaken  bool
	fewValues   [4]string
	fewVerified [1]string
	fewVerdicts [2]*definition.Verdict
	original    originalContext
}

// stateKey is the name of the state in the request's vars.
const stateKey = "signed_link.state"

// String keeps the state out of logs that print all vars.
func (*state) String() string { return "" }

// bystander stands in the vars in place of a state where no definition has matched yet:
// most requests of a site, which shall cost no memory. Their placeholders are empty, and
// the function that says so belongs to no request. Caddy asks it before any that comes
// later, so a definition that does match publishes its placeholders one by one.
type bystander struct{ cleaned http.Header }

// String keeps the bystander out of logs that print all vars.
func (bystander) String() string { return "" }

// placeholderPrefix is what our placeholders start with.
const placeholderPrefix = "http.signed_link."

// stateOf returns the state of the request, nil if there is none, and whether a
// signed_link ran before on this request.
func stateOf(vars map[string]any) (st *state, before bool) {
	v, before := vars[stateKey]
	st, _ = v.(*state)
	return st, before
}

// varsOf returns the request's vars.
func varsOf(r *http.Request) map[string]any {
	vars, _ := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
	return vars
}

// enter returns the state of the request with these vars, and makes it on the first call.
func (a *App) enter(r *http.Request, vars map[string]any) *state {
	st, before := stateOf(vars)
	if st != nil {
		return st
	}
	st = &state{query: r.URL.RawQuery}
	st.repl, _ = r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		st.query = original.URL.RawQuery // what was changed since is a rewrite
	}
	st.verifiedBy, st.verified = st.fewVerified[:0], st.fewVerdicts[:0]
	st.cleaned = r.Header
	if b, ok := vars[stateKey].(bystander); ok {
		st.cleaned = b.cleaned
	}
	if vars != nil {
		vars[stateKey] = st
	}
	if before {
		st.shadowed = a.placeholderNames()
		return st
	}
	if st.repl != nil {
		st.repl.Map(st.placeholder)
	}
	return st
}

// standBy lets a request with these vars pass that no definition has matched yet.
func standBy(r *http.Request, vars map[string]any) {
	if _, before := stateOf(vars); before || vars == nil {
		return
	}
	vars[stateKey] = bystander{r.Header}
	if repl, ok := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer); ok {
		repl.Map(silent)
	}
}

// silent is the placeholders of a bystander.
func silent(key string) (any, bool) {
	return "", strings.HasPrefix(key, placeholderPrefix) || key == authUserPlaceholder
}

// publish sets the placeholders to what they are now, where they cannot be asked for. An
// empty one needs no setting: [silent] says so.
func (st *state) publish() {
	if st.shadowed == nil || st.repl == nil {
		return
	}
	for _, name := range st.shadowed {
		if value, _ := st.placeholder(name); value != "" {
			st.repl.Set(name, value)
		} else {
			st.repl.Delete(name)
		}
	}
}

// newVerdict returns an empty verdict that lives as long as the request.
func (st *state) newVerdict() *definition.Verdict {
	if st.firstTaken {
		return new(definition.Verdict)
	}
	st.firstTaken = true
	return &st.first
}

// placeholder returns the value of one of our placeholders: on every request, and
// empty where there is nothing to say, because Caddy leaves unknown ones literal.
func (st *state) placeholder(key string) (any, bool) {
	name, ours := strings.CutPrefix(key, placeholderPrefix)
	if !ours {
		if key != authUserPlaceholder {
			return nil, false
		}
		if st.valid != nil && st.valid.Scheme.User != nil {
			return st.valid.User, true
		}
		return "", true
	}
	if claim, ok := strings.CutPrefix(name, "claim."); ok && st.valid != nil {
		return st.valid.Claims.Get(claim), true
	}
	switch name {
	case "user":
		if st.valid != nil {
			return st.valid.User, true
		}
	case "key_id":
		if st.valid != nil {
			return st.valid.KeyID, true
		}
	case "scheme":
		if st.valid != nil {
			return st.valid.SchemeName(), true
		} else if st.last != nil {
			return st.last.SchemeName(), true
		}
	case "verdict":
		if st.last != nil {
			return st.last.Word(), true
		}
	case "reason":
		if st.last != nil {
			return string(st.last.Reason), true
		}
	case "detail":
		if st.last != nil {
			return st.last.Detail, true
		}
	}
	return "", true
}

// say remembers the verdict for placeholders and the access log. That a further
// definition finds no link takes nothing back.
func (st *state) say(r *http.Request, v *definition.Verdict) {
	if st.last == nil {
		st.logTo(r)
	}
	if v.Reason != link.Missing || st.valid == nil {
		st.last = v
	}
}

// read returns the view of the request as the client sent it. It is made once: two
// definitions judge the same bytes, whatever the first one cut.
func (st *state) read(r *http.Request) (*link.Request, error) {
	if st.isRead {
		return &st.request, st.unreadable
	}
	st.isRead = true
	original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if !ok {
		original = *r
	}
	st.request.Method = original.Method
	st.request.Path = original.URL.EscapedPath()
	st.request.Host = r.Host
	st.request.Scheme = "http"
	if r.TLS != nil {
		st.request.Scheme = "https"
	}
	st.request.ClientIP, _ = caddyhttp.GetVar(r.Context(), caddyhttp.ClientIPVarKey).(string)
	st.unreadable = st.request.Query.Parse(original.URL.RawQuery)
	// Caddy cuts a FastCGI parameter off at 64 KiB: behind a long enough path REQUEST_URI
	// would end in the middle of the user's name.
	if len(st.request.Path)+len(original.URL.RawQuery) > query.MaxBytes && st.unreadable == nil {
		st.unreadable = query.ErrTooLong
	}
	return &st.request, st.unreadable
}

// namesOtherUser reports whether an earlier definition verified another user on
// this request, or two did, so that nobody can say which of them is right.
func (st *state) namesOtherUser(v *definition.Verdict) bool {
	return v.Scheme.User != nil && (st.disputed || st.valid != nil && st.valid.Scheme.User != nil && st.valid.User != v.User)
}

// conflict reports whether v is the refusal of a second user.
func (*state) conflict(v *definition.Verdict) bool {
	return v.Reason == link.Ambiguous && v.Detail == "users"
}

// forwardVerified makes the request what the backend gets: without the signature,
// every other byte of the query as sent, and with the headers of the identity.
func (h *Handler) forwardVerified(r *http.Request, st *state, v *definition.Verdict) {
	st.cut(r, func(segment string) bool { return h.sessions.InQuery(segment) || h.def.CutsVerified(v.Scheme, segment) })
	if r.Header["Cookie"] != nil {
		h.meter.CountCookies(st.cutCookies(r, h.def.Shadows(v.Scheme, &st.request.Query)))
	}
	h.cutSessions(r, st)
	headers.DropUpgrade(r.Header)
	bodies.DropUndeclared(r)
	st.required = st.required || h.rules.Mode == outcome.Require
	st.verifiedBy = append(st.verifiedBy, v.Scheme.Name)
	// Caddy asks for what was set before it asks us: only where there is something, or
	// where it does not ask us, must this be set, too.
	set := st.shadowed != nil
	if st.repl != nil && !set {
		earlier, _ := st.repl.Get(authUserPlaceholder)
		set = earlier != ""
	}
	if st.hear(r, v) && v.Scheme.User != nil && set && st.repl != nil {
		st.repl.Set(authUserPlaceholder, v.User)
	}
}

// authUserPlaceholder is Caddy's own name for the authenticated user: the access
// log's user_id and FastCGI's REMOTE_USER are made from it.
const authUserPlaceholder = "http.auth.user.id"

// forwardNobody lets a request go on without an identity: without the signature and
// identity parameters, in whatever spelling, and with everything else as sent.
func (h *Handler) forwardNobody(r *http.Request, st *state, v *definition.Verdict) {
	d := h.def
	st.cut(r, d.CutsNobody(&st.request.Query))
	h.meter.CountCookies(st.cutCookies(r, cookies.Shadows{Protected: d.Cookies}))
	if st.conflict(v) {
		st.forget(r)
		st.disputed = true
	}
}

// forget takes the identity back that an earlier definition gave the request.
func (st *state) forget(r *http.Request) {
	for _, x := range st.headers {
		delete(r.Header, x.Name)
	}
	if st.valid != nil && st.repl != nil {
		st.repl.Delete(authUserPlaceholder)
	}
	st.headers, st.valid, st.verified, st.verifiedBy, st.required = nil, nil, nil, nil, false
	st.publish()
}

// hear adds a link that verified, and reports whether it is the one that speaks. One link
// speaks for all: the first that named a user, or the first that verified if none did. All
// that says who, by which scheme, under which key and from which mailing comes from it,
// for a user of one link with the mailing of another would be somebody whom nobody
// signed. What the operator wants to know of the others is a request_header of theirs.
func (st *state) hear(r *http.Request, v *definition.Verdict) bool {
	st.verified = append(st.verified, v)
	if st.valid == nil {
		st.valid = v
		st.setHeaders(r, v.Headers)
		return true
	}
	speaks := st.valid.Scheme.User == nil && v.Scheme.User != nil
	if speaks {
		st.valid = v
	}
	all := slices.Clone(st.valid.Headers)
	for _, other := range st.verified {
		for _, x := range other.Headers {
			if x.Requested && !slices.ContainsFunc(all, func(y definition.Header) bool { return y.Name == x.Name }) {
				all = append(all, x)
			}
		}
	}
	st.changeHeaders(r, all)
	return speaks
}

// setHeaders sets each header to exactly one value, and remembers it, so that the guard
// of a later definition spares it.
func (st *state) setHeaders(r *http.Request, headers []definition.Header) {
	st.headers = slices.Clip(headers)
	for i, x := range headers {
		if i >= len(st.fewValues) {
			r.Header[x.Name] = []string{x.Value}
			continue
		}
		st.fewValues[i] = x.Value
		r.Header[x.Name] = st.fewValues[i : i+1 : i+1]
	}
}

// changeHeaders puts others in place of the headers that were set.
func (st *state) changeHeaders(r *http.Request, headers []definition.Header) {
	was := st.headers
	st.headers = headers
	for _, x := range was {
		if st.value(x.Name) == "" {
			delete(r.Header, x.Name)
		}
	}
	for _, x := range headers {
		if !slices.Contains(was, x) {
			r.Header[x.Name] = []string{x.Value}
		}
	}
}

// value is the value of the header that a definition of this request set.
func (st *state) value(name string) string {
	if st == nil {
		return ""
	}
	for _, x := range st.headers {
		if x.Name == name {
			return x.Value
		}
	}
	return ""
}

// refuse answers a request that does not verify. What error routes see afterwards
// has neither an identity, nor protected parameters, nor a body: an error route that
// proxies to the application must not hand it what was just refused.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, st *state, v *definition.Verdict) error {
	st.forget(r)
	st.cut(r, h.cutRefused(st))
	h.meter.CountCookies(st.cutCookies(r, cookies.Shadows{Protected: h.app.all().Cookies}))
	if h.rules.CutsRefused() || h.app.cutsAlways.Load() {
		headers.CutCredentials(r.Header)
	}
	bodies.Drop(r)
	headers.DropUpgrade(r.Header)
	if !targets.HasPath(r.URL) {
		st.dropTarget(r)
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
func (h *Handler) cutRefused(st *state) func(segment string) bool {
	if st.unreadable != nil || st.request.Query.Control || h.def == nil {
		return nil
	}
	return h.app.protected(st.request.Query.Raw)
}

// cut removes segments from every place in which a later handler can find the query:
// the request's URL and RequestURI, and the original request in Caddy's context,
// from which FastCGI makes REQUEST_URI, {orig_uri} its value, and handle_errors the
// request that it sees.
func (st *state) cut(r *http.Request, drop func(segment string) bool) {
	raw, uri := r.URL.RawQuery, r.RequestURI
	left, leftURI, changed := targets.Cut(raw, uri, drop)
	if changed {
		r.URL.RawQuery, r.RequestURI = left, leftURI
	}
	st.query = left

	original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if !ok {
		return
	}
	if original.URL.RawQuery != raw || original.RequestURI != uri { // mostly it is the same
		left, leftURI, changed = targets.Cut(original.URL.RawQuery, original.RequestURI, drop)
	}
	if changed {
		// in place, for handlers that derived a request before this one ran
		original.URL.RawQuery = left
		st.replaceTarget(r, leftURI)
	}
}

// dropTarget makes a request whose target has no path, to a matcher, one for the root: a
// proxy on an error route would send the target on as it came.
func (st *state) dropTarget(r *http.Request) {
	*r.URL = url.URL{Path: "/"}
	r.RequestURI, st.query = "/", ""
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		*original.URL = *r.URL
		st.replaceTarget(r, "/")
	}
}

// replaceTarget puts a target in place of that of the original request, whose URL was
// changed in place: behind the pointer r, because placeholders close over it, and into the
// placeholder of its text, for those who hold another pointer, as error routes do.
func (st *state) replaceTarget(r *http.Request, target string) {
	ctx := &st.original
	if ctx.Context != nil {
		ctx = new(originalContext) // others may read that one now
	}
	*ctx = originalContext{r.Context(), target}
	*r = *r.WithContext(ctx)
	if st.repl != nil {
		st.repl.Set("http.request.orig_uri", target)
	}
}

// originalContext is a context in which the original request has another target. The
// request stands in a context by value, so each who asks gets a copy of it; few do.
type originalContext struct {
	context.Context
	target string
}

// Value implements [context.Context].
func (c *originalContext) Value(key any) any {
	value := c.Context.Value(key)
	if key == caddyhttp.OriginalRequestCtxKey {
		if original, ok := value.(http.Request); ok {
			original.RequestURI = c.target
			return original
		}
	}
	return value
}

// cutCookies cuts cookies out of the request, and returns how many there were, as the
// metrics count.
func (st *state) cutCookies(r *http.Request, names cookies.Shadows) int {
	n := names.CutFrom(r.Header)
	st.cookiesCut += n
	return n
}
