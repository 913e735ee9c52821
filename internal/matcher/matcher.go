// Package matcher matches requests that a definition verified.
package matcher

import (
	"net/http"
	"slices"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/signedlink/caddy-signed-link/internal/gateway/exchange"
)

func init() {
	caddy.RegisterModule(Matcher{})
}

// Matcher matches requests that a `signed_link` definition verified. Definitions run
// early, before `rewrite`, `handle` and the proxies; where none has run yet, as in
// front of `redir` and `header`, the matcher does not match.
//
// Use it to choose what happens to a request whose signature was checked. Do not use
// it, or a matcher of the signature parameter, to choose whether it is checked.
type Matcher struct {
	// The names of the schemes one of which must have verified the request. Default:
	// any.
	Schemes []string `json:"schemes,omitempty"`
}

// CaddyModule returns the Caddy module information.
func (Matcher) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.matchers.signed_link",
		New: func() caddy.Module { return new(Matcher) },
	}
}

// UnmarshalCaddyfile sets up the matcher. Syntax:
//
//	signed_link [<name>...]
func (m *Matcher) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	for d.Next() { // several lines of one named matcher
		m.Schemes = append(m.Schemes, d.RemainingArgs()...)
		if d.NextBlock(0) {
			return d.Err("the matcher signed_link takes the names of schemes and no block")
		}
	}
	return nil
}

// Match reports whether a definition verified the request.
func (m Matcher) Match(r *http.Request) bool {
	return slices.ContainsFunc(exchange.VerifiedBy(r), func(name string) bool {
		return len(m.Schemes) == 0 || slices.Contains(m.Schemes, name)
	})
}

// MatchWithError is [Matcher.Match]; there is no error.
func (m Matcher) MatchWithError(r *http.Request) (bool, error) { return m.Match(r), nil }

// Interface guards
var (
	_ caddyfile.Unmarshaler             = (*Matcher)(nil)
	_ caddyhttp.RequestMatcherWithError = (*Matcher)(nil)
)
