// Package scope says to which requests a definition applies: those whose path its matcher
// accepts, as sent or in any reading of a backend ([targets.Rows]), and whatever handlers
// around it make of the path. Otherwise a request would pass beside it that the backend
// answers with the page which it protects.
package scope

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/internal/gateway/exchange"
	"github.com/signedlink/caddy-signed-link/internal/gateway/routes"
	"github.com/signedlink/caddy-signed-link/internal/request/targets"
	"github.com/signedlink/caddy-signed-link/query"
)

// Scope is which requests a definition applies to. The zero value accepts all.
type Scope struct {
	matchers caddyhttp.MatcherSets
	quick    quickSets // the matchers, where they are cheap to ask; else nil
}

// New returns the scope of a definition with these matchers.
func New(matchers caddyhttp.MatcherSets) Scope {
	return Scope{matchers, newQuickSets(matchers)}
}

// Matchers returns the matchers of the definition.
func (s *Scope) Matchers() caddyhttp.MatcherSets { return s.matchers }

// Question is the question whether a definition applies to a request.
type Question struct {
	Writer  http.ResponseWriter
	Request *http.Request
	Vars    map[string]any // of the request
	Profile backend.Profile
	Ahead   *routes.Ahead // what changes the path around the definition
}

// Applies reports whether the definition applies to the request. It reports that the path
// is not readable where it is beyond the bounds: then nobody can say. A path whose readings
// nobody needs is not made to be read: where there is no matcher, or where it accepts the
// path as sent.
func (s *Scope) Applies(q Question) (applies, readable bool, err error) {
	if len(s.matchers) == 0 {
		return true, true, nil
	}
	if targets.TooLong(q.Request.URL) {
		return false, false, nil
	}
	if matched, err := s.matchers.AnyMatchWithError(q.Request); matched || err != nil {
		return matched, true, err
	}
	list, ok := readingsOf(q.Request, q.Vars, q.Profile)
	if !ok {
		return false, false, nil
	}
	for _, x := range list {
		if s.accepts(q, x) {
			return true, true, nil
		}
	}
	if s.quick == nil && q.asksPlain(s.matchers.AnyMatchWithError) {
		return true, true, nil
	}
	applies, readable = q.rewrittenInto(s.matchers.AnyMatchWithError)
	return applies, readable, nil
}

// accepts reports whether the definition's matcher accepts the reading. An error is no
// reason to let a request pass unjudged.
func (s *Scope) accepts(q Question, x *reading) bool {
	if s.quick != nil {
		matched, err := s.quick.match(q.Request, x)
		return matched || err != nil
	}
	return q.asks(x, s.matchers.AnyMatchWithError)
}

// Paths are the paths that a request may have to its readers. Many definitions are asked about
// each, so that what matchers make of one is made once.
type Paths struct {
	Texts     []string
	own, link []*reading
}

// Paths returns the paths of the request, as sent, decoded and in any reading, and whether
// those are all. It writes them behind those of into.
func (q Question) Paths(into []string) (p Paths, readable bool) {
	u := q.Request.URL
	if targets.TooLong(u) {
		return p, false
	}
	list, ok := readingsOf(q.Request, q.Vars, q.Profile)
	if !ok {
		return p, false
	}
	sent := u.EscapedPath()
	if into = append(into, sent); u.Path != sent {
		into = append(into, u.Path)
	}
	for _, x := range list {
		into = append(into, x.path)
	}
	p.Texts = into
	return p, true
}

// Accepts reports whether the definition would judge a request for this one of the paths.
func (s *Scope) Accepts(q Question, p *Paths, i int) bool {
	if len(s.matchers) == 0 {
		return true
	}
	if p.own == nil {
		p.own = make([]*reading, len(p.Texts))
	}
	if p.own[i] == nil {
		p.own[i] = &reading{path: query.UnescapePath(p.Texts[i])}
	}
	return s.accepts(q, p.own[i])
}

// AcceptsLink is [Scope.Accepts] for that path with a segment more.
func (s *Scope) AcceptsLink(q Question, p *Paths, i int) bool {
	if len(s.matchers) == 0 {
		return true
	}
	if p.link == nil {
		p.link = make([]*reading, len(p.Texts))
	}
	if p.link[i] == nil {
		p.link[i] = &reading{path: strings.TrimSuffix(query.UnescapePath(p.Texts[i]), "/") + "/x"}
	}
	return s.accepts(q, p.link[i])
}

// AppliesAt reports whether the definition would apply to the request with another path, as
// it is sent, in place of its own, or that nobody can say.
func (s *Scope) AppliesAt(q Question, path string) bool {
	target := *q.Request.URL
	targets.SetPath(&target, path)
	c, err := withURL(q.Writer, q.Request, &target, q.Ahead)
	if err != nil {
		return true
	}
	q.Request, q.Vars = c, exchange.VarsOf(c)
	applies, readable, err := s.Applies(q)
	return applies || !readable || err != nil
}

// At reports whether match accepts the request with another path in place of its own.
func (q Question) At(path string, match func(*http.Request) (bool, error)) bool {
	return q.asks(&reading{path: query.UnescapePath(path)}, match)
}

// Any reports whether match accepts the request, with its path as sent or in any reading; and,
// if it cannot be read, that nobody can say.
func (q Question) Any(match func(*http.Request) (bool, error)) (matches, readable bool) {
	if targets.TooLong(q.Request.URL) {
		return false, false
	}
	if matched, err := match(q.Request); matched || err != nil {
		return true, true
	}
	list, ok := readingsOf(q.Request, q.Vars, q.Profile)
	if !ok {
		return false, false
	}
	for _, x := range list {
		if q.asks(x, match) {
			return true, true
		}
	}
	return q.asksPlain(match), true
}

// RewrittenInto reports whether match accepts what rewrites, those of Ahead, make of the path.
func (q Question) RewrittenInto(match func(*http.Request) (bool, error)) (matches, readable bool) {
	return q.rewrittenInto(match)
}

// LeadsInto reports whether a path of the request other than that as sent would come down
// to the definition which stands at the entry; and, if it cannot be read, that nobody can
// say.
func (q Question) LeadsInto(e *routes.Entry) (leads, readable bool) {
	list, ok := readingsOf(q.Request, q.Vars, q.Profile)
	if !ok {
		return false, false
	}
	for _, x := range list {
		if q.asks(x, e.Leads) {
			return true, true
		}
	}
	if q.asksPlain(e.Leads) {
		return true, true
	}
	return q.rewrittenInto(e.Leads)
}

// asks puts the question of match to a request with the reading in place of its path. What
// earlier handlers made of the path as sent, and a matcher reads, is made of the reading
// anew.
func (q Question) asks(x *reading, match func(*http.Request) (bool, error)) bool {
	var c *http.Request
	if q.Ahead.Makes() {
		var err error
		if c, err = withURL(q.Writer, q.Request, &url.URL{Path: x.path, RawQuery: q.Request.URL.RawQuery}, q.Ahead); err != nil {
			return true
		}
	} else {
		c = x.on(q.Writer, q.Request, q.Vars)
	}
	matched, err := match(c)
	return matched || err != nil
}

// asksPlain asks matchers about the path decoded once, spelled as a browser does: what
// reads the path as sent, such as an expression on {uri}, takes `/%61pp` for another page
// than /app, and no backend does.
func (q Question) asksPlain(match func(*http.Request) (bool, error)) bool {
	return q.Request.URL.RawPath != "" && q.asks(&reading{path: q.Request.URL.Path}, match)
}

// rewrittenInto reports whether what a rewrite behind the definition makes of the path,
// or a reading of that, is one that match accepts. It reports that the path is not
// readable where there are too many.
func (q Question) rewrittenInto(match func(*http.Request) (bool, error)) (matches, readable bool) {
	if !q.Ahead.Changes() {
		return false, true
	}
	r := q.Request
	urls, ok := q.Ahead.Rewritten(r, func(u *url.URL) (*http.Request, error) { return withURL(q.Writer, r, u, q.Ahead) })
	if !ok {
		return false, false
	}
	for _, u := range urls {
		paths, ok := targets.Read(q.Profile, targets.Target{Path: u.EscapedPath(), Query: u.RawQuery, Host: r.Host})
		if !ok {
			return false, false
		}
		candidates := []*url.URL{u}
		for _, path := range paths {
			candidates = append(candidates, &url.URL{Path: path, RawQuery: u.RawQuery})
		}
		for _, candidate := range candidates {
			c, err := withURL(q.Writer, r, candidate, q.Ahead)
			if err != nil {
				return true, true // an error is no reason to let a request pass unjudged
			}
			if matched, err := match(c); matched || err != nil {
				return true, true
			}
		}
	}
	return false, true
}
