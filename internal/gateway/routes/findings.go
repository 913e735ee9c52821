package routes

import (
	"fmt"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/headers"
	maphandler "github.com/caddyserver/caddy/v2/modules/caddyhttp/map"
)

// Rank is how bad something is.
type Rank uint8

// The ranks.
const (
	Refused Rank = iota // the configuration is not loaded
	Warned              // loading logs it
	Noted               // it belongs to how the site is built, and lint tells it
)

// Code is what a fault or a finding is about.
type Code struct {
	Name string
	Rank Rank
}

// Codes are the faults and findings. Each has a section in docs/routes.md.
var Codes = []Code{
	{"accept_too_late", Refused},
	{"blind_matcher", Refused},
	{"late_definition", Refused},
	{"nested_definition", Refused},
	{"password_behind", Refused},
	{"rewrites_first", Refused},
	{"sets_header_first", Refused},
	{"takes_requests_first", Refused},
	{"unguarded_misplaced", Refused},
	{"unguarded_site", Refused},
	{"unguarded_way", Refused},
	{"unknown_container", Refused},
	{"endless_invoke", Refused},
	{"shadowed_definition", Refused},
	{"rewritten_answer", Refused},
	{"swallowed_refusal", Refused},
	{"authorization_cut", Warned},
	{"early_reader", Warned},
	{"files_first", Warned},
	{"identity_first", Warned},
	{"matcher_beside_path", Warned},
	{"php_lookup", Warned},
	{"rewrite_unknown", Warned},
	{"shared_pool", Warned},
	{"backend_is_site", Warned},
	{"exact_path", Warned},
	{"overwritten_header", Warned},
	{"two_identities", Noted},
	{"unclear_backend", Noted},
}

// IsNote reports whether the finding is a note.
func (f Finding) IsNote() bool {
	return slices.ContainsFunc(Codes, func(c Code) bool { return c.Name == f.Code && c.Rank == Noted })
}

// findOwnSite says that the backend is a site of this Caddy that clients can ask directly.
func (r *Report) findOwnSite(sites []*site, t target, g Gate) {
	for _, s := range sites {
		if t.fastCGI || s.firstGate() != nil || s.isOpen() || len(s.steps) == 0 {
			continue
		}
		for _, a := range t.addresses {
			if s.listensAt(a) {
				r.find("backend_is_site", g.Where(), fmt.Sprintf("the backend of this one is %s of this Caddy, which listens on every address: whoever asks it there can write X-Verified-User", s.name()),
					"write `bind 127.0.0.1` there, or `signed_link unguarded` if only this machine can reach it; a guard there would delete what this one sets")
			}
		}
	}
}

// findMatchers says what a definition's matchers leave out.
func (r *Report) findMatchers(s *site, at int) {
	d := &s.steps[at]
	g := d.gate()
	sets := slices.Clone(g.Matcher())
	if !d.whole {
		for _, l := range d.chain {
			sets = append(sets, l.matcher...)
		}
	}
	var beside []string
	for _, set := range sets {
		for _, m := range set {
			switch name := matcherName(m); name {
			case "method", "header", "header_regexp", "query", "protocol", "remote_ip", "client_ip", "tls":
				if !slices.Contains(beside, name) {
					beside = append(beside, name)
				}
			}
		}
	}
	if len(beside) > 0 {
		r.find("matcher_beside_path", g.Where(), fmt.Sprintf("whether this definition judges a request depends on more than its path (%s): the same page is open to requests that differ in that", list(beside)),
			"match on the path alone, and leave methods to the option methods")
	}
	if patterns, ok := pathSets(g.Matcher()); ok {
		for _, p := range patterns {
			if p.prefix || p.text == "/" || strings.Contains(p.text[strings.LastIndexByte(p.text, '/'):], ".") {
				continue
			}
			if !slices.ContainsFunc(patterns, func(o pattern) bool { return o.prefix && strings.HasPrefix(p.text+"/", o.text) }) {
				r.find("exact_path", g.Where(), fmt.Sprintf("the matcher has %s and not %[1]s/*: many applications answer %[1]s/ with the same page", p.text),
					fmt.Sprintf("name both, as in `@app path %s %[1]s/*`", p.text))
			}
		}
	}
}

// findLookups says which paths a lookup of files leads into the definition's.
func (r *Report) findLookups(s *site, step *step, g Gate, patterns []pattern, literal bool, tries []string) {
	if len(g.Matcher()) == 0 && len(patterns) == 0 {
		return
	}
	for _, try := range tries {
		if !literal {
			if strings.TrimPrefix(try, "{http.request.uri.path}") == "" {
				continue
			}
			r.find("php_lookup", g.Where(), fmt.Sprintf("%s of %s looks files up (%s), and whether that leads into the paths of this definition cannot be computed from its matcher",
				step.rewriting(), s.name(), shownTry(try)), "match on literal paths, as in `@app path /app /app/*`")
			return
		}
		if path, found := entrance(patterns, try); found {
			r.find("php_lookup", g.Where(), fmt.Sprintf("%s of %s looks up %s: a request for %s runs what this definition protects, and its matcher does not match that path",
				step.rewriting(), s.name(), shownTry(try), path), "have the matcher match that path, too, or leave the lookup out")
		}
	}
}

func shownTry(try string) string { return strings.ReplaceAll(try, "{http.request.uri.path}", "{path}") }

// findReaders warns of lines that read the link before it is judged, or say what is not
// known yet.
func (r *Report) findReaders(s *site) {
	for i := range s.steps {
		d := &s.steps[i]
		g := d.gate()
		if g == nil || g.Role() != Definition || d.place != onTheWay {
			continue
		}
		for j := range i {
			step := &s.steps[j]
			if step.place != onTheWay || step.chain.excludes(d.chain) {
				continue
			}
			for _, text := range readTexts(step.handler) {
				for _, name := range placeholders(text) {
					switch {
					case strings.HasPrefix(name, "http.signed_link.") || name == "http.auth.user.id":
						r.find("early_reader", g.Where(), fmt.Sprintf("the handler %s of %s reads {%s} before the link is judged: there is no such value yet", nameOf(step.handler), s.name(), name),
							"write it into a route behind the definition; for response headers defer it, as in `header >X-User {http.signed_link.user}`")
					case readsLink(name):
						r.find("early_reader", g.Where(), fmt.Sprintf("the handler %s of %s copies {%s} before the link is judged and its signature is cut", nameOf(step.handler), s.name(), name),
							"write it into a route behind the definition, as in `route { signed_link … vars … }`")
					}
				}
			}
		}
		return // the first definition
	}
}

// readsLink reports whether the placeholder holds parameters of the link.
func readsLink(name string) bool {
	for _, head := range []string{"http.request.uri.query", "http.request.orig_uri.query"} {
		if strings.HasPrefix(name, head) {
			return true
		}
	}
	return name == "http.request.uri" || name == "http.request.orig_uri" || name == "http.request.uri_escaped" || name == "http.request.orig_uri_escaped" || name == "http.request.uri.prefixed_query"
}

// readTexts are the texts that the handler expands when it runs.
func readTexts(h caddyhttp.MiddlewareHandler) (all []string) {
	switch h := h.(type) {
	case *maphandler.Handler: // expands when it is asked
	case *headers.Handler:
		ops := []*headers.HeaderOps{h.Request}
		if h.Response != nil && !h.Response.Deferred && h.Response.Require == nil {
			ops = append(ops, h.Response.HeaderOps)
		}
		for _, o := range ops {
			if o == nil {
				continue
			}
			for _, values := range o.Add {
				all = append(all, values...)
			}
			for _, values := range o.Set {
				all = append(all, values...)
			}
		}
	default:
		all = textsOf(varsOf(h))
	}
	slices.Sort(all)
	return all
}

// findSecondIdentity says that a request of the site can name two people.
func (r *Report) findSecondIdentity(s *site, first int) {
	var named Gate
	for i := range s.steps {
		if g := s.steps[i].gate(); g != nil && g.Role() == Definition {
			named = g
			break
		}
	}
	if named == nil {
		return
	}
	for i := first; i < len(s.steps); i++ {
		step := &s.steps[i]
		switch {
		case step.kind == authenticates && step.place != onErrors:
			r.find("two_identities", named.Where(), fmt.Sprintf("%s verifies links and has basic_auth (the handler authentication), too: a request can name two people", s.name()),
				"say in the application which of them counts; REMOTE_USER is the link's user only if the definition stands behind the password, in one route")
		case step.kind == passes || step.kind == forwards:
			for _, name := range setBy(step.handler) {
				if named.Outputs(name) {
					r.find("overwritten_header", named.Where(), fmt.Sprintf("a handler of %s sets %s behind the gateway, so that it is no longer the gateway's word", s.name(), name),
						"leave that line out, or set another header")
				} else if named.Identity(name) {
					r.find("two_identities", named.Where(), fmt.Sprintf("%s verifies links and sets %s, too: a request can name two people", s.name(), name),
						"say in the application which of the headers counts, or set it only for requests without a link, as in `@nobody not signed_link`")
				}
			}
		}
	}
}

// list is "a, b and c".
func list(words []string) string {
	if len(words) < 2 {
		return strings.Join(words, "")
	}
	return strings.Join(words[:len(words)-1], ", ") + " and " + words[len(words)-1]
}
