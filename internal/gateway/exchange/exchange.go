// Package exchange is what the handlers of one request share, and all that is done to the
// request while it is in Caddy's hands: the view of it as it was received, the verdicts,
// the headers that were set, what was cut, placeholders, the field of the access log, and
// the headers of the answer. It calls nobody above it.
package exchange

import (
	"net/http"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/link"
)

// Exchange is what the handlers of one request share. It stands in the request's vars,
// which outlive everything that other handlers derive from the request.
type Exchange struct {
	Request    link.Request // as received; see [Exchange.Read]
	isRead     bool
	Unreadable error           // of parsing its query
	replacer   *caddy.Replacer // the request's; nil if it has none

	query      string                // the query as the last handler left it
	moved      string                // the path to which a link led; empty: none
	Headers    []definition.Header   // that were set
	Valid      *definition.Verdict   // the one link that speaks: the first that named a user, or the first that verified
	Verified   []*definition.Verdict // all that verified, in written order
	disputed   bool                  // two links named two users, so that no further one can name any
	Last       *definition.Verdict   // the last that had something to say
	verifiedBy []string              // names of the schemes that verified, for the matcher
	Required   bool                  // a definition that requires a link verified one
	CookiesCut int                   // how many were cut
	shadowed   []string              // placeholders that must be published; see [bystander]
	cleaned    http.Header           // what the guard has cleaned
	answer     answerWriter          // of the first definition that verified

	// The memory of the above, for the first definition that matches.
	first       definition.Verdict
	firstTaken  bool
	fewValues   [4]string
	fewVerified [1]string
	fewVerdicts [2]*definition.Verdict
	original    originalContext
}

// varsKey is the name of the exchange in the request's vars.
const varsKey = "signed_link.state"

// String keeps the exchange out of logs that print all vars.
func (*Exchange) String() string { return "" }

// Of returns the exchange of the request with these vars, nil if there is none, and whether a
// signed_link ran before on this request.
func Of(vars map[string]any) (x *Exchange, before bool) {
	v, before := vars[varsKey]
	x, _ = v.(*Exchange)
	return x, before
}

// VarsOf returns the request's vars.
func VarsOf(r *http.Request) map[string]any {
	vars, _ := r.Context().Value(caddyhttp.VarsCtxKey).(map[string]any)
	return vars
}

// Enter returns the exchange of the request with these vars, and makes it on the first call.
// placeholders returns the names of all placeholders that there are; it is asked where one
// that stood by has taken their place.
func Enter(r *http.Request, vars map[string]any, placeholders func() []string) *Exchange {
	x, before := Of(vars)
	if x != nil {
		return x
	}
	x = &Exchange{query: r.URL.RawQuery}
	x.replacer, _ = r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request); ok {
		x.query = original.URL.RawQuery // what was changed since is a rewrite
	}
	x.verifiedBy, x.Verified = x.fewVerified[:0], x.fewVerdicts[:0]
	x.cleaned = r.Header
	if b, ok := vars[varsKey].(bystander); ok {
		x.cleaned = b.cleaned
	}
	if vars != nil {
		vars[varsKey] = x
	}
	if before {
		x.shadowed = placeholders()
		return x
	}
	if x.replacer != nil {
		x.replacer.Map(x.placeholder)
	}
	return x
}
