package routes

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/internal/request/targets"
	"github.com/signedlink/caddy-signed-link/query"
)

// Ahead is what stands around a definition and changes which path it should judge.
type Ahead struct {
	remakes []remake
	changes []change
}

// remake is a handler before the definition that makes variables or placeholders, which
// a matcher may read: what it makes of the path as sent it must make of a reading anew.
type remake struct {
	handler caddyhttp.MiddlewareHandler
	way     chain
}

// Makes reports whether there is something to remake, and Changes whether there is a
// rewrite. Of most definitions neither is true.
func (a *Ahead) Makes() bool { return a != nil && len(a.remakes) > 0 }

// Changes reports whether there is a rewrite; see [Ahead.Makes].
func (a *Ahead) Changes() bool { return a != nil && len(a.changes) > 0 }

// Remake runs them on a request for a reading of the path, which must be a copy with a
// replacer and variables of its own.
func (a *Ahead) Remake(w http.ResponseWriter, r *http.Request) error {
	if a == nil {
		return nil
	}
	for _, m := range a.remakes {
		comes, err := m.way.leads(r)
		if err != nil {
			return err
		}
		if !comes {
			continue
		}
		if err := m.handler.ServeHTTP(w, r, nothing); err != nil {
			return err
		}
	}
	return nil
}

var nothing caddyhttp.Handler = caddyhttp.HandlerFunc(func(http.ResponseWriter, *http.Request) error { return nil })

// change is a rewrite on the way to a backend of the definition, past it.
type change struct {
	handler *rewrite.Rewrite
	way     chain
	word    string // the path must have it, in some case, for the rewrite to do something
	fixed   bool   // it makes the same path of every request that comes to it
	asks    bool   // it has placeholders of the request
}

// maxPaths is how many paths rewrites may make of one.
const maxPaths = 16

// Rewritten are the URLs that rewrites behind the definition make of the request's, or
// false where there are too many, or nobody can say. copied makes a copy of the request, as
// sent, for another URL. Requests of which no rewrite makes anything cost nothing.
func (a *Ahead) Rewritten(r *http.Request, copied func(*url.URL) (*http.Request, error)) (made []*url.URL, ok bool) {
	if a == nil || len(a.changes) == 0 {
		return nil, true
	}
	known := []*url.URL{r.URL}
	for i := range a.changes {
		c := &a.changes[i]
		for _, from := range slices.Clone(known) {
			if !mentions(from.Path, c.word) {
				continue
			}
			to, err := c.apply(r, from, known, copied)
			if err != nil {
				return nil, false
			}
			if to == nil || slices.ContainsFunc(known, func(u *url.URL) bool { return u.EscapedPath() == to.EscapedPath() && u.RawQuery == to.RawQuery }) {
				continue
			}
			if len(known) > maxPaths {
				return nil, false
			}
			known = append(known, to)
		}
	}
	return known[1:], true
}

// apply makes of the URL what the rewrite makes of it; nil if that is nothing else. An error
// is one of a matcher or a copy, and then nobody can say.
func (c *change) apply(r *http.Request, from *url.URL, known []*url.URL, copied func(*url.URL) (*http.Request, error)) (*url.URL, error) {
	target := *from
	made := &http.Request{Method: r.Method, URL: &target, RequestURI: target.RequestURI()}
	repl := noReplacer
	if c.asks {
		var err error
		if made, err = copied(from); err != nil {
			return nil, err
		}
		repl, _ = made.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	}
	if c.fixed || c.asks {
		for _, l := range c.way {
			if comes, err := c.comes(l, made, known, copied); !comes || err != nil {
				return nil, err
			}
		}
	}
	if c.handler.Rewrite(made, repl); made.URL.EscapedPath() == from.EscapedPath() {
		return nil, nil
	}
	return made.URL, nil
}

// comes reports whether the request comes through a level on the way to the rewrite. Its
// matcher must match one of the paths that the request has or gets, for those further in
// see what is rewritten further out. A matcher may also set placeholders of which the
// rewrite makes the path ({re.1}), so it is asked on the very request that is rewritten.
func (c *change) comes(l level, made *http.Request, known []*url.URL, copied func(*url.URL) (*http.Request, error)) (bool, error) {
	if c.asks {
		if matches, err := l.matcher.AnyMatchWithError(made); matches || err != nil {
			return matches, err
		}
	}
	for _, u := range known {
		one, err := copied(u)
		if err != nil {
			return false, err
		}
		if matches, err := l.matcher.AnyMatchWithError(one); matches || err != nil {
			return matches, err
		}
	}
	return false, nil
}

// noReplacer replaces nothing: what it is given has no placeholders.
var noReplacer = caddy.NewEmptyReplacer()

// mentions reports whether the path holds the word, whatever the case of its letters.
func mentions(path, word string) bool {
	if word == "" {
		return true
	}
	for i := 0; i+len(word) <= len(path); i++ {
		if strings.EqualFold(path[i:i+len(word)], word) {
			return true
		}
	}
	return false
}

// recordAhead records what changes the paths that the definition should judge, and says
// what cannot be computed.
func (r *Report) recordAhead(s *site, at, guarding int, behind []target) {
	d := &s.steps[at]
	g := d.gate()
	ahead := r.ahead[g]
	if ahead == nil {
		ahead = new(Ahead)
	}
	for i := range at {
		if step := &s.steps[i]; step.remade() && !step.chain.excludes(d.chain) && step.dependsOnPath() {
			ahead.remakes = append(ahead.remakes, remake{step.handler, step.chain})
		}
	}
	if len(g.Matcher()) > 0 || !d.whole || g.InPath() { // or what is rewritten could be a link
		r.recordChanges(s, at, guarding, behind, ahead)
	}
	if len(ahead.remakes)+len(ahead.changes) > 0 {
		r.ahead[g] = ahead
	}
}

// recordChanges looks for rewrites. Those that stand before a definition at site level have
// run when it judges; a nested one is asked about by the guard, which stands before all.
func (r *Report) recordChanges(s *site, at, guarding int, behind []target, ahead *Ahead) {
	d := &s.steps[at]
	g := d.gate()
	patterns, literal := pathSets(g.Matcher())
	if !d.whole && len(g.Matcher()) == 0 {
		if bounds := d.chain.bounds(); len(bounds) > 0 {
			patterns, literal = bounds[len(bounds)-1], true
		}
	}
	r.judgeAnswers(s, at, behind, patterns, literal)
	from := at + 1
	if !d.whole && guarding >= 0 {
		from = 0
	}
	for i := from; i < len(s.steps); i++ {
		step := &s.steps[i]
		h, leadsTo := rewriteOf(s, i)
		if h == nil || step.place != onTheWay || !step.guarded || i == at {
			continue
		}
		if !slices.ContainsFunc(leadsTo, func(t target) bool {
			return slices.ContainsFunc(behind, func(b target) bool { return t.same(b) >= unclear })
		}) {
			continue // it leads to another backend
		}
		switch tries := step.chain.lookups(); {
		case len(tries) > 0 && usesLookup(h):
			r.findLookups(s, step, g, patterns, literal, tries)
			continue
		case !computable(h) || !s.capturesOwn(i, h):
			r.find("rewrite_unknown", g.Where(), step.rewriting()+" of "+s.name()+" stands behind this definition, and what it makes of a path cannot be computed here: a request could come to a protected page under another path",
				"have the definition match those paths, too, or rewrite to literal paths")
			continue
		}
		c := changeOf(h, step.chain)
		if path, _, _ := strings.Cut(h.URI, "?"); c.fixed && !c.asks && literal && !leadsInto(patterns, path) {
			continue
		}
		ahead.changes = append(ahead.changes, c)
	}
}

// changeOf is the rewrite with what has to be known of it before it is asked.
func changeOf(h *rewrite.Rewrite, way chain) change {
	c := change{handler: h, way: way, asks: asksRequest(h)}
	if h.URI != "" {
		c.fixed = true
	} else if h.StripPathPrefix != "" && h.StripPathSuffix == "" && len(h.URISubstring) == 0 && len(h.PathRegexp) == 0 {
		c.word = longest(strings.FieldsFunc(h.StripPathPrefix, func(c rune) bool { return c == '/' || c == '{' }))
		if strings.ContainsAny(h.StripPathPrefix, "%{") {
			c.word = ""
		}
	}
	return c
}

// judgeAnswers looks for rewrites that run when a backend has answered, or in the error
// routes of a subroute, and lead into the definition: `/open?user=mike` is answered with 404,
// and `handle_response` asks for `/app/error?user=mike`, of which nobody has judged a thing.
// The error routes of the server have a guard for that.
func (r *Report) judgeAnswers(s *site, at int, behind []target, patterns []pattern, literal bool) {
	d := &s.steps[at]
	g := d.gate()
	for i := range s.steps {
		step := &s.steps[i]
		h, leadsTo := rewriteOf(s, i)
		if h == nil || step.place == onTheWay || s.cleaned(i) {
			continue
		}
		if step.kind == rewrites {
			leadsTo = s.answering(i)
		}
		if i > at && len(g.Matcher()) == 0 && d.chain.leadsTo(step.chain) {
			continue // the definition has judged what was answered
		}
		if !slices.ContainsFunc(leadsTo, func(t target) bool {
			return slices.ContainsFunc(behind, func(b target) bool { return t.same(b) >= unclear })
		}) {
			continue // it leads to another backend
		}
		path, _, _ := strings.Cut(h.URI, "?")
		if path, _, asks := strings.Cut(path, "{"); literal && strings.HasPrefix(path, "/") {
			if leadsInto(patterns, path) || asks && (leadsInto(patterns, path+"x") || leadsInto(patterns, path+"/x")) {
				r.refuse("rewritten_answer", g.Where(), fmt.Sprintf("%s of %s runs when the request was answered already, and leads it to a page of this definition, which was not asked",
					step.rewriting(), s.name()), "lead it to a page that the definition does not match, such as /error; handle_errors can ask for one of the definition's, because what nobody has judged is taken from the request there")
				continue
			}
			if !asks || !g.Moves() {
				continue // or it could lead to where the definition moves requests
			}
		}
		if !computable(h) {
			continue // the backend names the page, as in X-Accel-Redirect
		}
		r.find("rewrite_unknown", g.Where(), fmt.Sprintf("%s of %s runs when the request was answered already, and what it makes of a path cannot be computed here: a request could come to a page of this definition, which was not asked",
			step.rewriting(), s.name()), "rewrite to a literal path that the definition does not match")
	}
}

// answering are the backends behind a rewrite that runs when the request was answered
// already: it goes no further than that list of routes.
func (s *site) answering(i int) (list []target) {
	for j := i + 1; j < len(s.steps); j++ {
		if step := &s.steps[j]; step.kind == forwards && step.place == s.steps[i].place && s.steps[i].chain.leadsTo(step.chain) {
			list = append(list, targetOf(step))
		}
	}
	return list
}

// cleaned reports whether the step stands behind the guard of the server's error routes.
func (s *site) cleaned(i int) bool {
	return slices.ContainsFunc(s.steps[:i], func(before step) bool {
		return before.place == onErrors && before.gate() != nil && before.chain.leadsTo(s.steps[i].chain)
	})
}

// leadsInto reports whether a path, or what any backend may read it as, is one of the
// patterns: `rewrite /x /index.php/app` leads into /app.
func leadsInto(patterns []pattern, path string) bool {
	paths, ok := targets.Read(backend.Strict, targets.Target{Path: path})
	if !ok {
		return true
	}
	for _, path := range append(paths, query.Unescape(path)) {
		path = caddyhttp.CleanPath(strings.ToLower(path), true)
		if slices.ContainsFunc(patterns, func(p pattern) bool { return p.matches(path) }) {
			return true
		}
	}
	return false
}

// usesLookup reports whether the rewrite makes its path of what a file matcher found.
func usesLookup(h *rewrite.Rewrite) bool {
	return slices.ContainsFunc(texts(h), func(text string) bool { return strings.Contains(text, "{http.matchers.file.") })
}

// rewriteOf returns the rewrite of the step, if it has one that changes the path, and the
// backends that get what it makes. A proxy may have one of its own.
func rewriteOf(s *site, i int) (h *rewrite.Rewrite, leadsTo []target) {
	switch handler := s.steps[i].handler.(type) {
	case *rewrite.Rewrite:
		h, leadsTo = handler, s.behind(i)
	case *reverseproxy.Handler:
		h, leadsTo = handler.Rewrite, []target{targetOf(&s.steps[i])}
	}
	if h == nil || !changesPath(h) {
		return nil, nil
	}
	return h, leadsTo
}

func longest(words []string) (found string) {
	for _, w := range words {
		if len(w) > len(found) {
			found = w
		}
	}
	return found
}

// placeholders are the names of the placeholders in a text.
func placeholders(text string) (names []string) {
	for {
		head, rest, ok := strings.Cut(text, "}")
		if !ok {
			return names
		}
		if i := strings.LastIndexByte(head, '{'); i >= 0 {
			names = append(names, head[i+1:])
		}
		text = rest
	}
}

// texts are the parts of a rewrite that make a path.
func texts(h *rewrite.Rewrite) []string {
	path, _, _ := strings.Cut(h.URI, "?")
	all := make([]string, 0, 3+2*len(h.URISubstring)+len(h.PathRegexp))
	all = append(all, path, h.StripPathPrefix, h.StripPathSuffix)
	for _, s := range h.URISubstring {
		all = append(all, s.Find, s.Replace)
	}
	for _, s := range h.PathRegexp {
		all = append(all, s.Replace)
	}
	return all
}

// computable reports whether the rewrite's path can be made of the request alone.
func computable(h *rewrite.Rewrite) bool {
	for _, text := range texts(h) {
		for _, name := range placeholders(text) {
			if !strings.HasPrefix(name, "http.request.") && !strings.HasPrefix(name, "http.regexp.") && !strings.HasPrefix(name, "env.") {
				return false
			}
		}
	}
	return true
}

// asksRequest reports whether the rewrite has placeholders. Those of the query count, too:
// to some backends the query is the path.
func asksRequest(h *rewrite.Rewrite) bool {
	return slices.ContainsFunc(append(texts(h), h.URI), func(text string) bool { return len(placeholders(text)) > 0 })
}
