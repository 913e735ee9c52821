package routes

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	maphandler "github.com/caddyserver/caddy/v2/modules/caddyhttp/map"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy/fastcgi"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
)

// A definition that moves requests changes the path, as a rewrite does, and for those only
// that it has verified. So it is no fault before a nested definition (a guard need not
// know where a verified link leads), and no way past a definition behind it, whose matcher
// is asked about the new path; one before it has to ask itself, see [Report.Movers]. But what
// was made of the path before stays: a variable, a
// header, what a regular expression found. That path has the signature in it, and is not
// the one that was verified.

// Movers are the definitions behind g that move requests, perhaps to a path that g's matcher
// matches: what Caddy sorts by the length of paths must not decide who is asked.
func (r *Report) Movers(g Gate) []Gate { return r.movers[g] }

func (r *Report) recordMovers(s *site) {
	for at := range s.steps[:s.last] {
		g := s.steps[at].gate()
		if g == nil || g.Role() != Definition || len(g.Matcher()) == 0 {
			continue // it is asked about all
		}
		for i := at + 1; i < s.last; i++ {
			step := &s.steps[i]
			m := step.gate()
			if m != nil && m != g && m.Role() == Definition && m.Moves() && step.place == onTheWay &&
				!step.chain.excludes(s.steps[at].chain) && !slices.Contains(r.movers[g], m) {
				r.movers[g] = append(r.movers[g], m)
			}
		}
	}
}

// findMoves says what hands on the path that a definition has moved a request away from.
func (r *Report) findMoves(s *site, at int) {
	d := &s.steps[at]
	g := d.gate()
	if !g.Moves() {
		return
	}
	bounds := d.chain.bounds()
	if own, ok := pathSets(g.Matcher()); ok {
		bounds = append(bounds, own)
	}
	first := !slices.ContainsFunc(s.steps[:at], func(step step) bool {
		other := step.gate()
		return other != nil && other.Role() == Definition && step.place == onTheWay
	})
	found := foundOn(d.chain, g.Matcher())
	comes := func(i int) bool { // a request that it moves
		step := &s.steps[i]
		if i == at || i >= s.last || step.chain.excludes(d.chain) { // error routes of the server begin anew
			return false
		}
		return i > at || step.place == onTheWay && (!s.steady(i, at) || !apart(step.chain.bounds(), bounds))
	}
	for i := range at {
		if s.steps[i].place == onTheWay && !s.steps[i].chain.excludes(d.chain) {
			found = append(found, foundOn(s.steps[i].chain, nil)...)
		}
	}
	var mapped []string // names by which `map` says the path
	for i := range s.steps {
		if !comes(i) {
			continue
		}
		step, before := &s.steps[i], i < at
		own := foundOn(step.chain.below(d.chain), nil)
		texts := carried(step.handler, !before)
		if m, is := step.handler.(*maphandler.Handler); is && before {
			// It expands when it is asked, so behind the definition it says the new path.
			if slices.ContainsFunc(texts, func(text string) bool { return slices.ContainsFunc(placeholders(text), readsPath) }) {
				mapped = append(mapped, m.Destinations...)
			}
		}
		for _, text := range texts {
			for _, name := range placeholders(text) {
				switch _, expands := step.handler.(*maphandler.Handler); {
				case first && before && readsLink(name) && slices.Contains(readTexts(step.handler), text):
					// findReaders has said so
				case before && !expands && (readsPath(name) || slices.Contains(mapped, name)):
					r.find("early_reader", g.Where(), fmt.Sprintf("the handler %s of %s copies {%s} before the link is judged: the path has the signature in it, and this definition hands the request on with another one", nameOf(step.handler), s.name(), name),
						"write it into a route behind the definition, as in `route { signed_link … vars … }`")
				case found.holds(name) && (before || !own.holds(name)):
					r.find("early_reader", g.Where(), fmt.Sprintf("the handler %s of %s says {%s}, which a matcher has found in the path before this definition hands the request on with another one: it may hold the signature", nameOf(step.handler), s.name(), name),
						"give that line a matcher of its own behind the definition, which finds it in the new path, or say {http.signed_link.…}")
				}
			}
		}
	}
}

// steady reports whether nothing between two steps changes the path.
func (s *site) steady(from, to int) bool {
	return !slices.ContainsFunc(s.steps[from:to], func(step step) bool {
		g := step.gate()
		return step.kind == rewrites || g != nil && g.Moves()
	})
}

// readsPath reports whether the placeholder holds the path, or a part of it.
func readsPath(name string) bool {
	for _, head := range []string{"http.request.uri", "http.request.orig_uri"} {
		if rest, is := strings.CutPrefix(name, head); is {
			return rest == "" || rest == "_escaped" || strings.HasPrefix(rest, ".path")
		}
	}
	return false
}

// carried are the texts of which the handler makes something that goes on with the request:
// variables, headers, the query, and, behind the definition, the path or the backend.
func carried(h caddyhttp.MiddlewareHandler, behind bool) (all []string) {
	switch h := h.(type) {
	case *maphandler.Handler:
		all = append(slices.Clone(h.Defaults), h.Source)
		for _, m := range h.Mappings {
			for _, output := range m.Outputs {
				all = append(all, caddy.ToString(output))
			}
		}
	case *headers.Handler:
		if h.Request != nil {
			all = madeByHeaders(h.Request).of
		}
	case *rewrite.Rewrite:
		all = rewritten(h, behind)
	case *reverseproxy.Handler:
		if !behind {
			return nil // it asks another server
		}
		if h.Headers != nil && h.Headers.Request != nil {
			all = madeByHeaders(h.Headers.Request).of
		}
		if h.Rewrite != nil {
			all = append(all, rewritten(h.Rewrite, true)...)
		}
		for _, upstream := range h.Upstreams {
			all = append(all, upstream.Dial)
		}
		if t, ok := h.Transport.(*fastcgi.Transport); ok {
			for _, value := range t.EnvVars {
				all = append(all, value)
			}
		}
	default:
		all = textsOf(varsOf(h))
	}
	slices.Sort(all)
	return all
}

// rewritten are the texts of which a rewrite makes a query and a path, or the query alone.
func rewritten(h *rewrite.Rewrite, path bool) (all []string) {
	if path {
		all = texts(h)
	}
	if _, query, has := strings.Cut(h.URI, "?"); has {
		all = append(all, query)
	}
	if h.Query != nil {
		all = append(all, jsonText(h.Query))
	}
	return all
}

// finds are the names of regular expressions whose matchers leave what they found in a path;
// "" is one without a name, and "*" any.
type finds []string

// foundOn are those of the matchers on a way, and of some others.
func foundOn(way chain, own caddyhttp.MatcherSets) (f finds) {
	sets := slices.Clone(own)
	for _, l := range way {
		sets = append(sets, l.matcher...)
		for _, elder := range l.elder {
			sets = append(sets, elder...)
		}
	}
	var look func(m any)
	look = func(m any) {
		if set, ok := innerOf(m); ok {
			for _, inner := range set {
				look(inner)
			}
			return
		}
		switch name := matcherName(m); {
		case !asksPath(m):
		case strings.HasSuffix(name, "_regexp"):
			f = append(f, namesOf(jsonText(m))...)
		case name == "expression":
			f = append(f, "*")
		}
	}
	for _, set := range sets {
		for _, m := range set {
			look(m)
		}
	}
	return f
}

// namesOf are the names of the regular expressions in a matcher's JSON.
func namesOf(text string) (names []string) {
	var whole any
	if json.Unmarshal([]byte(text), &whole) != nil {
		return []string{"*"}
	}
	var look func(x any)
	look = func(x any) {
		fields, ok := x.(map[string]any)
		if !ok {
			return
		}
		if _, is := fields["pattern"].(string); is {
			name, _ := fields["name"].(string)
			names = append(names, name)
			return
		}
		for _, field := range fields {
			look(field)
		}
	}
	look(whole)
	return names
}

// holds reports whether the placeholder may say what one of them has found. Each leaves it
// under its name, and the last one without any, too.
func (f finds) holds(placeholder string) bool {
	rest, is := strings.CutPrefix(placeholder, "http.regexp.")
	if !is || len(f) == 0 {
		return false
	}
	name, _, named := strings.Cut(rest, ".")
	return !named || slices.Contains(f, "*") || slices.Contains(f, name)
}

// below is the part of a chain that it does not share with the other.
func (c chain) below(other chain) chain {
	n := 0
	for n < len(c) && n < len(other) && c[n].list == other[n].list && c[n].index == other[n].index {
		n++
	}
	return c[n:]
}
