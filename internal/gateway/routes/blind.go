package routes

import (
	"encoding/json"
	"maps"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	maphandler "github.com/caddyserver/caddy/v2/modules/caddyhttp/map"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/rewrite"
)

// Blind matchers. A matcher may read what an earlier handler makes of a request: a
// variable, a header, a placeholder. The guard, which stands before that handler, does not
// have it yet; and a definition that asks its matcher about a reading of the path has what
// was made of the path as sent. Either would take a page of the definition for another.
// What map and vars make is made anew ([Ahead.Remake]); the rest is refused.

// remade reports whether what the handler makes can be made of a reading anew.
func (s *step) remade() bool { return s.kind == sets && s.place == onTheWay }

// dependsOnPath reports whether what the handler makes may be another for another path.
func (s *step) dependsOnPath() bool {
	for _, l := range s.chain {
		for _, set := range l.matcher {
			if slices.ContainsFunc(set, asksPath) {
				return true
			}
		}
	}
	for _, text := range made(s.handler).of {
		if slices.ContainsFunc(placeholders(text), mayBePath) {
			return true
		}
	}
	return false
}

// pathless are the beginnings of the names of placeholders that are the same for each
// reading of a path.
var pathless = []string{
	"env.", "file.", "system.", "time.", "http.request.header.", "http.request.cookie.", "http.request.host", "http.request.method",
	"http.request.orig_uri.query", "http.request.proto", "http.request.remote", "http.request.scheme", "http.request.tls.", "http.request.uri.query",
	"http.reverse_proxy.",
}

func mayBePath(placeholder string) bool {
	return !strings.Contains(placeholder, `"`) && !slices.ContainsFunc(pathless, func(name string) bool { return strings.HasPrefix(placeholder, name) })
}

// asksPath reports whether a matcher may give another answer for another path.
func asksPath(m any) bool {
	if set, ok := innerOf(m); ok {
		return slices.ContainsFunc(set, asksPath)
	}
	written := jsonText(m)
	switch matcherName(m) {
	case "host", "method", "header", "header_regexp", "query", "protocol", "remote_ip", "client_ip", "tls":
	case "vars", "vars_regexp":
		var keys map[string]any
		if json.Unmarshal([]byte(written), &keys) != nil {
			return true
		}
		for key := range keys {
			if !strings.HasPrefix(key, "{") {
				return true // a variable, of which nobody knows here what it is made of
			}
		}
	default:
		return true
	}
	return slices.ContainsFunc(placeholders(written), mayBePath)
}

// innerOf are the matchers in a `not`.
func innerOf(m any) (all []any, ok bool) {
	var sets []caddyhttp.MatcherSet
	switch m := m.(type) {
	case *caddyhttp.MatchNot:
		sets = m.MatcherSets
	case caddyhttp.MatchNot:
		sets = m.MatcherSets
	default:
		return nil, false
	}
	for _, set := range sets {
		for _, inner := range set {
			all = append(all, inner)
		}
	}
	return all, true
}

// product is what a handler makes of a request.
type product struct {
	names []string // by which a matcher reads it; "" where that may be any
	of    []string // the texts of which it is made
}

func made(h caddyhttp.MiddlewareHandler) (p product) {
	switch h := h.(type) {
	case *maphandler.Handler:
		p.names = slices.Clone(h.Destinations)
		p.of = append(slices.Clone(h.Defaults), h.Source)
		for _, m := range h.Mappings {
			for _, output := range m.Outputs {
				p.of = append(p.of, caddy.ToString(output))
			}
		}
	case *headers.Handler:
		if h.Request != nil {
			p = madeByHeaders(h.Request)
		}
	case *rewrite.Rewrite:
		if h.Method != "" {
			p.names, p.of = append(p.names, "method"), append(p.of, h.Method)
		}
		if _, query, has := strings.Cut(h.URI, "?"); has || h.Query != nil {
			p.names, p.of = append(p.names, "query", "request.uri}"), append(p.of, query, jsonText(h.Query))
		}
	case Gate:
		if h.Role() == Definition {
			p.names = []string{"signed_link", "x-verified", "auth.user"}
		}
	default:
		vars := varsOf(h)
		p.names, p.of = slices.AppendSeq(p.names, maps.Keys(vars)), textsOf(vars)
		p.names = append(p.names, "http."+nameOf(h)+".") // as {http.rate_limit.exceeded.name}
		if kindOf(h) == authenticates {
			p.names = append(p.names, "auth.user")
		}
	}
	return p
}

// textsOf are the names and texts of variables.
func textsOf(vars caddyhttp.VarsMiddleware) (all []string) {
	for name, value := range vars {
		all = append(all, name)
		if text, ok := value.(string); ok {
			all = append(all, text)
		}
	}
	return all
}

func madeByHeaders(ops *headers.HeaderOps) (p product) {
	for _, some := range []map[string][]string{ops.Add, ops.Set} {
		for name, values := range some {
			p.names, p.of = append(p.names, name), append(append(p.of, name), values...)
		}
	}
	for name, replacements := range ops.Replace {
		p.names = append(p.names, name)
		for _, x := range replacements {
			p.of = append(p.of, x.Search, x.Replace)
		}
	}
	p.names = append(p.names, ops.Delete...)
	for i, name := range p.names {
		if strings.ContainsAny(name, "*{") {
			p.names[i] = "header" // of any name
		}
	}
	return p
}

// captured are the names under which the matchers of a step leave what they found: those
// on its way that is not the definition's own, and those of a gate.
func captured(s *step, own chain) (names []string) {
	for i, l := range s.chain {
		if i < len(own) && l.list == own[i].list && l.index == own[i].index {
			continue
		}
		names = append(names, foundBy(l.matcher)...)
	}
	if g := s.gate(); g != nil {
		names = append(names, foundBy(g.Matcher())...)
	}
	return names
}

// foundBy are those names. A matcher in a `not`, or one of which the set does not match,
// leaves them, too.
func foundBy(sets caddyhttp.MatcherSets) (names []string) {
	var look func(m any)
	look = func(m any) {
		if set, ok := innerOf(m); ok {
			for _, inner := range set {
				look(inner)
			}
			return
		}
		switch name := matcherName(m); {
		case strings.HasSuffix(name, "_regexp"):
			names = append(names, "http.regexp.")
		case name == "file":
			names = append(names, "http.matchers.file.")
		case name == "expression":
			names = append(names, "http.regexp.", "http.matchers.file.")
		}
	}
	for _, set := range sets {
		for _, m := range set {
			look(m)
		}
	}
	return names
}

// readBy reports whether a matcher reads one of the names: on the way down the levels, or
// the definition's own.
func readBy(names []string, levels chain, own caddyhttp.MatcherSets) bool {
	if len(names) == 0 {
		return false
	}
	sets := slices.Clone(own)
	for _, l := range levels {
		sets = append(sets, l.matcher...)
		for _, elder := range l.elder {
			sets = append(sets, elder...)
		}
	}
	for _, set := range sets {
		if slices.ContainsFunc(set, func(m any) bool { return readsName(m, names) }) {
			return true
		}
	}
	return false
}

// readsName reports whether the matcher may read a variable or placeholder of one of the
// names. What a matcher of an unknown module reads nobody knows.
func readsName(m any, names []string) bool {
	if set, ok := innerOf(m); ok {
		return slices.ContainsFunc(set, func(m any) bool { return readsName(m, names) })
	}
	// The rest is read as it is written: an expression, a pattern with a placeholder, the
	// name of a variable.
	text, err := json.Marshal(m)
	if err != nil {
		return true
	}
	written := strings.ToLower(matcherName(m) + " " + string(text))
	for _, name := range names {
		switch {
		case name == "root" && !readsRoot(m, written):
		case name == "root", name == "", strings.Contains(name, "{"), strings.Contains(written, strings.ToLower(strings.Trim(jsonText(name), `"`))):
			return true
		}
	}
	return false
}

// readsRoot reports whether the matcher may read the variable root, which many sites set
// and whose name stands in paths, too. What looks for files has it as its default.
func readsRoot(m any, text string) bool {
	switch name := matcherName(m); {
	case name == "expression":
		return strings.Contains(text, "root") || strings.Contains(text, "file(")
	case strings.HasPrefix(name, "vars"):
		return strings.Contains(text, "root")
	default:
		return strings.Contains(text, "vars.root")
	}
}

func jsonText(x any) string {
	text, err := json.Marshal(x)
	if err != nil {
		return "{}" // may be anything
	}
	return string(text)
}
