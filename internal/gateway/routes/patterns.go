package routes

import (
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp/fileserver"
)

// pattern is a literal pattern of the path matcher: one path, or all that begin so.
type pattern struct {
	text   string // in lower case, as the matcher compares
	prefix bool
}

// literal returns the patterns of a path matcher, if each is one that can be compared
// with others: `/x`, `/x*`, `/x/*`.
func literal(texts []string) (patterns []pattern, ok bool) {
	for _, text := range texts {
		p := pattern{text: strings.ToLower(text)}
		if head, wild := strings.CutSuffix(p.text, "*"); wild {
			p.text, p.prefix = head, true
		}
		if !strings.HasPrefix(p.text, "/") || strings.ContainsAny(p.text, `*?[{%\`) || strings.Contains(p.text, "//") {
			return nil, false
		}
		patterns = append(patterns, p)
	}
	return patterns, len(patterns) > 0
}

// matches reports whether the pattern matches the path, which is clean.
func (p pattern) matches(path string) bool {
	if p.prefix {
		return strings.HasPrefix(path, p.text)
	}
	return path == p.text
}

func (p pattern) disjoint(other pattern) bool {
	switch {
	case p.prefix && other.prefix:
		return !strings.HasPrefix(p.text, other.text) && !strings.HasPrefix(other.text, p.text)
	case p.prefix:
		return !p.matches(other.text)
	default:
		return !other.matches(p.text)
	}
}

// pathsOf are the patterns of a path matcher.
func pathsOf(m any) ([]string, bool) {
	switch m := m.(type) {
	case caddyhttp.MatchPath:
		return m, true
	case *caddyhttp.MatchPath:
		return *m, true
	}
	return nil, false
}

// pathSets returns, for each of the sets, the patterns of one of its path matchers: no
// other path is matched by the sets.
func pathSets(sets caddyhttp.MatcherSets) (patterns []pattern, ok bool) {
	for _, set := range sets {
		found := false
		for _, m := range set {
			texts, is := pathsOf(m)
			if !is {
				continue
			}
			if own, can := literal(texts); can {
				patterns, found = append(patterns, own...), true
				break
			}
		}
		if !found {
			return nil, false
		}
	}
	return patterns, len(patterns) > 0
}

// bounds are lists of patterns: a request that comes here has a path that is matched by
// each of the lists.
func (c chain) bounds() (lists [][]pattern) {
	for _, l := range c {
		if patterns, ok := pathSets(l.matcher); ok {
			lists = append(lists, patterns)
		}
	}
	return lists
}

// apart reports whether no path is in both bounds.
func apart(a, b [][]pattern) bool {
	for _, x := range a {
		for _, y := range b {
			if allDisjoint(x, y) {
				return true
			}
		}
	}
	return false
}

func allDisjoint(x, y []pattern) bool {
	for _, p := range x {
		for _, q := range y {
			if !p.disjoint(q) {
				return false
			}
		}
	}
	return true
}

// covers reports whether the matchers match every path of the bounds.
func covers(sets caddyhttp.MatcherSets, bounds [][]pattern) bool {
	if len(sets) == 0 {
		return true
	}
	var all []pattern
	for _, set := range sets {
		if len(set) == 0 {
			return true
		}
		if len(set) > 1 {
			continue // it asks for more than a path
		}
		texts, is := pathsOf(set[0])
		if slices.Contains(texts, "*") || slices.Contains(texts, "/*") {
			return true
		}
		for _, text := range texts {
			if p, ok := literal([]string{text}); is && ok {
				all = append(all, p...)
			}
		}
	}
	return slices.ContainsFunc(bounds, func(patterns []pattern) bool {
		for _, p := range patterns {
			if !slices.ContainsFunc(all, func(a pattern) bool { return a.prefix && strings.HasPrefix(p.text, a.text) || a == p }) {
				return false
			}
		}
		return true
	})
}

// shown is which paths come down the chain, for people.
func (c chain) shown() string {
	for _, l := range slices.Backward(c) {
		for _, set := range l.matcher {
			for _, m := range set {
				if texts, ok := pathsOf(m); ok {
					return strings.Join(texts, " ")
				}
			}
		}
	}
	return ""
}

// lookups are what file matchers try, on the way of the chain: `{path}/index.php`.
func (c chain) lookups() (tries []string) {
	for _, l := range c {
		for _, set := range l.matcher {
			for _, m := range set {
				if file, ok := m.(*fileserver.MatchFile); ok {
					tries = append(tries, file.TryFiles...)
				}
			}
		}
	}
	return tries
}

// entrance returns a path that the patterns do not match, and that a lookup turns into
// one that they match.
func entrance(patterns []pattern, try string) (path string, found bool) {
	covered := func(path string) bool {
		for _, p := range patterns {
			if p.matches(path) {
				return true
			}
		}
		return false
	}
	const placeholder = "{http.request.uri.path}"
	try = strings.TrimSuffix(strings.ToLower(try), "=404")
	at := strings.Index(try, placeholder)
	if at < 0 {
		if strings.ContainsAny(try, "{*") || strings.HasPrefix(try, "=") {
			return "", false
		}
		if !strings.HasPrefix(try, "/") {
			try = "/" + try
		}
		if !covered(try) || covered("/") {
			return "", false
		}
		return "/…", true // every path of which there is no file
	}
	suffix := try[at+len(placeholder):]
	if at > 0 || suffix == "" || strings.ContainsAny(suffix, "{*") {
		return "", false
	}
	for _, p := range patterns {
		for i := 1; i <= len(p.text); i++ {
			head, rest := p.text[:i], p.text[i:]
			enters := rest == suffix || p.prefix && strings.HasPrefix(suffix, rest) && rest != ""
			// `{path}/index.php` of /dir/ is /dir//index.php, which is one slash to files
			if head == "/" || enters && strings.HasPrefix(suffix, "/") {
				if with := strings.TrimSuffix(head, "/") + "/"; strings.TrimSuffix(with, "/")+suffix == p.text && !covered(with) {
					return with, true
				}
			}
			if enters && !covered(head) {
				return head, true
			}
		}
	}
	return "", false
}
