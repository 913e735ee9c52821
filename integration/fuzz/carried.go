package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/signedlink/caddy-signed-link/integration/attacks"
	"github.com/signedlink/caddy-signed-link/integration/backends"
	"github.com/signedlink/caddy-signed-link/integration/carried"
	"github.com/signedlink/caddy-signed-link/integration/gateway"
)

// Links that stand in the path, or in one parameter with several fields. Those in the path
// lead to a page that nobody else reaches, and the backend itself says which page it ran and
// what it found in the path for it.

// carriedKinds are the kinds of such links.
func carriedKinds(names ...string) (all []*kind) {
	for _, name := range names {
		c := carried.Named(name)
		k := &kind{
			name: name, match: c.Match, carried: c, param: "none",
			definition: "keyed_hash {env.LINK_SECRET} {\n" + c.Declaration,
			prove: func(user string, _ *backends.Seen, evidence string) (verified, bool) {
				l := c.Link(user)
				proof := l.Signature
				if c.Query {
					proof = strings.TrimRight(decode(strings.TrimPrefix(l.Parameter, "key="), false), "=")
				}
				return verified{"keyed_hash", nil}, strings.Contains(evidence, proof)
			},
		}
		for _, value := range c.Values {
			switch l := c.Link(value); {
			case !c.Plain(value):
			case c.Query:
				k.query = []string{l.Parameter}
			case !slices.Contains(k.paths, l.Path):
				k.paths = append(k.paths, l.Path)
			}
		}
		l := c.Link(c.Values[0])
		if c.Query {
			k.paths, k.signature, k.protects = []string{"/app/"}, []string{"key"}, isApp
			k.query = []string{l.Parameter}
			k.adapt = strings.NewReplacer("user=jeff&key=@K:jeff@", l.Parameter, "user", "key", "admin", "43-"+l.Signature)
		} else {
			k.protects = func(s *backends.Seen) bool { _, ran := c.Shown(s); return ran }
			k.adapt = strings.NewReplacer("/app/", l.Path)
		}
		all = append(all, k)
	}
	return all
}

// inPath tells whether the links of the kind stand in the path.
func (k *kind) inPath() bool { return k.carried != nil && !k.carried.Query }

// open tells whether others than links may come to the page.
func (k *kind) open() bool { return k.inPath() && k.carried.Public }

// movedTo is the path at which the page of an honest link answers without this module.
func (k *kind) movedTo(path raw) raw {
	if !k.inPath() {
		return path
	}
	for _, value := range k.carried.Values {
		if l := k.carried.Link(value); l.Path == string(path) {
			return raw(l.To)
		}
	}
	return path
}

// carried makes a request with a link in the path, or with something like it.
func (g *generator) carried() *request {
	k := g.kind.carried
	path, genuine := k.Draw(g.Rand)
	q := &request{Method: "GET", H2: g.one(4)}
	q.setTarget(path)
	if genuine != nil && k.Plain(genuine.Value) && g.one(2) {
		q.Honest = true
		var segments []string
		for n := g.IntN(3); n > 0; n-- {
			segments = append(segments, "b"+g.harmless())
		}
		q.Query = raw(strings.Join(segments, "&"))
		q.HasQuery = q.Query != ""
		return q
	}
	signature := k.Link(pick(g, k.Values...)).Signature
	for n := g.IntN(3); n > 0; n-- {
		q.HasQuery = true
		q.Query = raw(g.join(g.insert(split(q.Query), pick(g, "x=1", "signature="+signature, "key="+signature, "sig="+signature, "user=43", "id=43", "/u/43", "url=u/43", "name=43", "file=b.pdf", g.harmless()))))
	}
	if g.one(3) {
		g.mutate(q)
	}
	if g.one(40) {
		g.mutateRequestLine(q)
	}
	return q
}

// carriedIn holds what the application found in the path against what was signed.
func (c *check) carriedIn(users []string, known bool, report func(rule, format string, args ...any)) {
	k := c.kind.carried
	if !c.kind.inPath() || c.mode == modeObserve {
		return
	}
	values, ran := k.Shown(c.s)
	if known {
		user := c.text(users[0])
		for _, value := range values {
			if value != k.Below(user) && value != strings.TrimSuffix(k.Below(user), "/") { // Laravel has no slash at the end
				report("captured", "the page of %q ran for %q, at %q", value, user, c.s.RequestURI)
			}
		}
		path, _, _ := strings.Cut(c.s.RequestURI, "?")
		if to := decode(k.Link(user).To, false); decode(path, false) != to && (k.Name != "cut" || !strings.EqualFold(decode(path, false), to)) {
			report("moved", "the path left the gateway as %q, not %q", path, to)
		}
	}
	if k.Name == "cut" && !known && !slices.ContainsFunc(values, func(v string) bool { return !strings.Contains(v, "/") }) {
		ran = ran && !c.nobodyPasses()
	}
	ran = ran && (!k.Whole || !c.nobodyPasses()) // a page of everybody's, but for who it is shown to
	if ran && len(users) == 0 && !k.Public && (c.nobodyPasses() || c.errorRoute && !c.failed) {
		// An error route has the path of what was refused, but never the page's own.
		if !c.errorRoute || slices.ContainsFunc(values, func(v string) bool { return k.Page == "/files/" || !k.Whole && !strings.Contains(v, "/") }) {
			report("nobody internal", "%s answered nobody for %q, at %q", c.s.App, values, c.s.RequestURI)
		}
	}
	if k.Whole || !known && (!c.errorRoute || !c.refused) {
		return // what nobody judged is the client's own word
	}
	if leaked := c.leaked(string(c.s.Raw)); leaked != "" && (known || atPlace(k, string(c.q.Path), leaked)) {
		report("leak", "the application has the signature %s: %v", leaked, carried.Paths(c.s))
	}
}

// leaked returns a signature that stands in the text, and in the request in the path alone.
func (c *check) leaked(text string) string {
	elsewhere := c.q.clone()
	elsewhere.Path = ""
	for _, value := range c.kind.carried.Values {
		if s := c.kind.carried.Link(value).Signature; strings.Contains(text, s) && !strings.Contains(elsewhere.evidence(), s) {
			return s
		}
	}
	return ""
}

// logged returns what is wrong with a line that the access log has of the request: the
// signature in it, where a path could have one.
func (c *check) logged(line string) string {
	k := c.kind.carried
	leaked := c.leaked(line)
	if strings.ContainsAny(string(c.q.Path), "#") || c.q.Form != "" {
		return "" // no URL is written so
	}
	if leaked == "" || !k.Query && !atPlace(k, string(c.q.Path), leaked) {
		return ""
	}
	return fmt.Sprintf("the log has the signature %s: %.600s", leaked, line)
}

// atPlace tells whether the signature stands in the path where a link of the kind could have
// it: behind what they begin with, or in the segment with its number, or one more for an
// application in a folder.
func atPlace(k *carried.Kind, path, signature string) bool {
	before, _, found := strings.Cut(decode(decode(path, false), false), signature)
	if k.Name == "cut" {
		n := len(strings.FieldsFunc(before[:strings.LastIndex(before, "/")+1], func(c rune) bool { return c == '/' }))
		return found && strings.Count(path, signature) < 2 && !strings.Contains(strings.ToLower(path), "%5c") && (n == 2 || n == 3)
	}
	head, _, _ := strings.Cut(strings.TrimPrefix(k.Link("x").Path, "/"), "/")
	return found && strings.Contains(strings.ToLower(before), "/"+head+"/")
}

// carried is a request to a configuration with links in the path.
func (c *configuration) carried(g *generator, q *request) *request {
	site := q.Site
	if g.one(8) { // headers, as everywhere
		q.setTarget(pick(g, g.kind.paths...))
		name := pick(g, pick(g, attacks.OwnHeaders...), pick(g, attacks.GatewayHeaders...))
		q.Headers = append(q.Headers, raw(pick(g, attacks.Folds(name)...)+": "+forged))
	} else {
		q = g.carried()
	}
	if strings.HasPrefix(c.backend, "url") {
		// there the parameter url is the page, and docs/paths.md asks for `unsigned strip`, which not every configuration has
		q.Query = raw(strings.ReplaceAll(string(q.Query), "url=", "u="))
	}
	q.Site = site
	if site != "SITE1" {
		q.Honest = false
	}
	if !q.Honest && (c.has("handle_path") || c.has("uri") || c.has("rewrite")) && g.one(3) {
		q.Path = raw(pick(g, "/v1", "/v1", "/v1", "/V1", "/v1/v1", "/%761", "/x/../v1", "/v1/..", "/v1/")) + q.Path
	}
	if q.Honest && c.has("strip_suffix") {
		q.Honest = !strings.HasSuffix(string(q.Path), ".html")
	}
	simple := q.Form == "" && q.Version == "" && !slices.ContainsFunc(q.Headers, func(line raw) bool { return headerName(line) == "connection" })
	q.H2 = q.H2 && simple
	if q.Site == "SITE1" && c.site("SECURE1") != nil && simple && g.one(2) {
		q.H2, q.H3 = false, true
	}
	return q
}

// loggedWithin is how long a line of the access log may take.
const loggedWithin = 300 * time.Millisecond

// inLog returns what is wrong with the line that the access log has of the request.
func (c *configuration) inLog(g *gateway.Reloadable, q *request, a *answer, id string) string {
	k := kindOf(c.kind)
	if !k.inPath() || !c.has("output file ACCESSLOG") || a.Header.Get("Server") == "" {
		return ""
	}
	for until := time.Now().Add(loggedWithin); time.Now().Before(until); time.Sleep(5 * time.Millisecond) {
		for line := range strings.Lines(g.AccessLog()) {
			if strings.Contains(line, id) {
				return (&check{target: &target{kind: k}, q: q}).logged(line)
			}
		}
	}
	return ""
}
