package app

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/signedlink/caddy-signed-link/internal/gateway/definition"
	"github.com/signedlink/caddy-signed-link/internal/gateway/exchange"
	"github.com/signedlink/caddy-signed-link/internal/gateway/outcome"
	"github.com/signedlink/caddy-signed-link/internal/gateway/routes"
	"github.com/signedlink/caddy-signed-link/internal/gateway/scope"
	"github.com/signedlink/caddy-signed-link/internal/request/targets"
	"github.com/signedlink/caddy-signed-link/link"
)

// This file is about links that stand in the path, and about the paths to which only they
// lead.

// checkedKey is the name, in the request's vars, of the path that was found not to be internal.
const checkedKey = "signed_link.checked"

// checked is a path that is not internal to these wards.
type checked struct {
	path  string
	wards *routes.Ward
}

// String keeps it out of logs that print all vars.
func (checked) String() string { return "" }

// Trespasses reports whether the request asks for an internal path of a definition, to which
// only links lead, and none led it there; and whether its path can be read at all. It asks in
// every reading of the path, and about what rewrites make of it. Of definitions that lead to
// one path it is the first that refuses: one that only observes must not open the path of
// the others, wherever it stands.
func Trespasses(w http.ResponseWriter, r *http.Request, vars map[string]any, x *exchange.Exchange, wards []routes.Ward) (to *Gate, trespasses, readable bool) {
	if x.LedTo(r) {
		return nil, false, true
	}
	path := r.URL.EscapedPath()
	if c, ok := vars[checkedKey].(checked); ok && c.path == path && c.wards == &wards[0] {
		return nil, false, true
	}
	sent := scope.Paths{Texts: []string{path}}
	for i := range wards {
		// Of two definitions that lead to the same pages, the links of one may stand there.
		if by := Of(wards[i].Gate); by != nil && by.Definition != nil && by.Rules.Mode == outcome.Require && by.judges(by.question(w, r, vars), &wards[i], r, &sent, 0) {
			return nil, false, true // as sent it has the form of a link, and moves or is refused
		}
	}
	var few [2]string
	var made [3]bool
	var known [3]struct {
		paths    scope.Paths
		readable bool
	}
	var observer *Gate
	observed := true // its answer to whether the path can be read
	for i := range wards {
		if here, err := wards[i].Here(r); !here && err == nil {
			continue
		}
		to := Of(wards[i].Gate)
		observes := to != nil && to.Rules.Mode == outcome.Observe
		if to == nil || to.Definition == nil || observes && observer != nil {
			continue
		}
		ward, q := &wards[i], to.question(w, r, vars)
		k := &known[q.Profile]
		if !made[q.Profile] {
			made[q.Profile] = true
			k.paths, k.readable = q.Paths(few[:0])
		}
		trespasses, readable := false, k.readable
		if readable && to.touches(q, &k.paths) {
			trespasses, readable = q.Any(func(c *http.Request) (bool, error) { return to.internal(q, ward, c), nil })
		}
		if !trespasses && readable && ward.Ahead().Changes() {
			q.Ahead = ward.Ahead()
			trespasses, readable = q.RewrittenInto(func(c *http.Request) (bool, error) {
				if !to.leadsTo(q, ward, c) {
					return false, nil
				}
				return ward.Leads(c)
			})
		}
		switch {
		case !trespasses && readable:
		case observes:
			observer, observed = to, readable
		default:
			return to, trespasses, readable
		}
	}
	if observer != nil {
		return observer, true, observed
	}
	if vars != nil {
		vars[checkedKey] = checked{path, &wards[0]}
	}
	return nil, false, true
}

// touches reports whether one of the paths could be an internal one. It is what a hundred
// definitions are asked about each reading of a hostile path, so it makes no requests of them.
func (g *Gate) touches(q scope.Question, p *scope.Paths) bool {
	for i, path := range p.Texts {
		if g.Definition.Internal(path, func(string) bool { return g.below.AcceptsLink(q, p, i) }) {
			return true
		}
	}
	return false
}

// internal reports whether the request asks for an internal path, and not for one that has
// the form of a link: the definition judges that, if the request comes to it.
func (g *Gate) internal(q scope.Question, ward *routes.Ward, r *http.Request) bool {
	sent := r.URL.EscapedPath()
	p := scope.Paths{Texts: []string{sent, r.URL.Path}}
	for i := range p.Texts {
		if g.judges(q, ward, r, &p, i) {
			return false
		}
	}
	return g.leadsTo(q, ward, r)
}

// leadsTo reports whether the request asks for an internal path, also for one that has the
// form of a link: nobody judges what a rewrite makes of a path later on.
func (g *Gate) leadsTo(q scope.Question, ward *routes.Ward, r *http.Request) bool {
	sent := r.URL.EscapedPath()
	below := func(path string) bool { return q.At(path, ward.Below) }
	return g.Definition.Internal(sent, below) || sent != r.URL.Path && g.Definition.Internal(r.URL.Path, below)
}

// judges reports whether path i has the form of a link, and the request comes to the
// definition, which will judge it.
func (g *Gate) judges(q scope.Question, ward *routes.Ward, r *http.Request, p *scope.Paths, i int) bool {
	path := p.Texts[i]
	if !g.Definition.Carries(path) || !g.Scope.Accepts(q, p, i) {
		return false
	}
	if judges, err := ward.Judges(r); judges && err == nil {
		return true
	}
	if r.Context().Value(caddyhttp.ErrorCtxKey) == nil {
		return false
	}
	if clean, _ := g.Definition.Redact(path); clean != path {
		return false
	}
	// It was refused, and nobody has a page of that name; but it may have been refused for
	// something else than its path, which may be an internal one to another reader.
	readings, all := targets.Read(g.Definition.Profile, targets.Target{Path: path, Query: r.URL.RawQuery, Host: r.Host})
	return all && len(readings) == 0
}

// MadeLink reports whether the backend gets a path that begins like a link of the definition,
// although what was received does not: a rewrite before the definition or behind it makes one,
// and nobody has judged that. Where another definition's link has led, only what has the whole
// form of a link is one, because two kinds of links may begin alike.
func (g *Gate) MadeLink(w http.ResponseWriter, r *http.Request, vars map[string]any, x *exchange.Exchange) bool {
	if !g.Definition.InPath() {
		return false
	}
	q, whole := g.question(w, r, vars), x.LedTo(r)
	begins := func(c *http.Request) (bool, error) {
		if !g.Definition.Begins(c.URL.EscapedPath(), whole) && !g.Definition.Begins(c.URL.Path, whole) {
			return false, nil
		}
		matchers := g.Scope.Matchers()
		if len(matchers) == 0 {
			return true, nil
		}
		return matchers.AnyMatchWithError(c)
	}
	if r.URL.EscapedPath() != x.Request.Path {
		if is, readable := q.Any(begins); is || !readable {
			return true
		}
	}
	is, readable := q.RewrittenInto(begins)
	return is || !readable
}

// MovedInto reports whether a link that the request may have, for a definition behind this one,
// leads to a path to which this one applies: it is asked before the request has that path.
func (g *Gate) MovedInto(w http.ResponseWriter, r *http.Request, vars map[string]any, received func() *link.Request) bool {
	path := scope.PathOf(r, vars)
	for _, m := range g.Standing().Movers {
		by := Of(m)
		if by == nil || by.Definition == nil || !by.Definition.MayMove(path) {
			continue
		}
		for _, to := range by.Definition.Leads(received()) {
			if g.Scope.AppliesAt(g.question(w, r, vars), to) {
				return true
			}
		}
	}
	return false
}

// RedactPath takes signatures out of the path of a request that was refused. In a path that
// has the form of a link it is whatever stands in the place: of `/dl/x/a.pdf` an error route
// that proxies must not make a request for the internal /dl/x/a.pdf.
func (a *App) RedactPath(r *http.Request, x *exchange.Exchange) {
	u := a.Union()
	if u.Paths == nil {
		return
	}
	x.RedactPath(r, func(path string) string {
		for _, g := range a.gates {
			if clean, is := g.Definition.Redact(path); is {
				path = clean
				break
			}
		}
		return u.Paths.Path(path)
	})
}

// PathFindings finds what is to be said of a scheme whose links stand in the path, where the
// definition stands.
func (g *Gate) PathFindings(s *definition.Scheme) []link.Finding {
	c := s.Description.Carrier
	if c == nil {
		return nil
	}
	var found []link.Finding
	if c.Example != "" && g.Scope.Misses(g.Written, c.Example) {
		found = append(found, link.Finding{
			Code: "missed_by_matcher", Severity: link.Warning,
			Message: fmt.Sprintf("the definition's matcher does not match %s, which has the form of a link, so that such links are not judged", c.Example),
			Cure:    "write a matcher that matches all of the pattern, such as " + c.Link.Literal() + "*",
		})
	}
	if c.Link == nil && c.Signature {
		var open []string
		for n := range c.Segment {
			if !slices.Contains(s.Description.PathSegments, n) && !g.Written.Fixes(n) {
				open = append(open, fmt.Sprintf("{path.%d}", n))
			}
		}
		if len(open) > 0 {
			found = append(found, link.Finding{
				Code: "unsigned_segments", Severity: link.Warning,
				Message: fmt.Sprintf("path: the message lacks %s, and the definition's matcher does not say what stands there, so whoever has a link can write there what the backend gets", strings.Join(open, " and ")),
				Cure:    "put it into the message where the signer has it, or write a matcher that fixes it, such as /api/unsubscribe/*",
			})
		}
	}
	if c.Moves() && g.Rules.Mode == outcome.Observe {
		found = append(found, link.Finding{
			Code: "open_target", Severity: link.Note,
			Message: "observe refuses nothing, so everybody can ask for the path to which links lead",
			Cure:    "write require when you have seen that links verify",
		})
	}
	return found
}
