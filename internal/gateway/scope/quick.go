package scope

import (
	"net/http"
	"path"
	"runtime"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Matchers that are asked about each reading of a hostile path, for each of a hundred
// definitions, must be cheap. Most are `path` and `not path`, alone or beside a host or a
// method: these are asked without a request, on a path that is cleaned once for all of
// them. All others get a request of their own ([reading.on]).

// quickSets are matcher sets of a definition, one of which must accept.
type quickSets [][]quickMatcher

// quickMatcher asks one matcher about a reading of the request's path.
type quickMatcher func(r *http.Request, x *reading) (bool, error)

// match is [caddyhttp.MatcherSets.AnyMatchWithError].
func (sets quickSets) match(r *http.Request, x *reading) (bool, error) {
	for _, set := range sets {
		if matched, err := matchAll(set, r, x); matched || err != nil {
			return matched, err
		}
	}
	return false, nil
}

func matchAll(set []quickMatcher, r *http.Request, x *reading) (bool, error) {
	for _, m := range set {
		if matched, err := m(r, x); !matched || err != nil {
			return false, err
		}
	}
	return true, nil
}

// newQuickSets returns the same for the matchers, and nil if one of them is of another
// kind.
func newQuickSets(sets []caddyhttp.MatcherSet) quickSets {
	if runtime.GOOS == "windows" {
		return nil // Caddy reads paths in another way there
	}
	quick := make(quickSets, 0, len(sets))
	for _, set := range sets {
		matchers := make([]quickMatcher, 0, len(set))
		for _, m := range set {
			q := newQuickMatcher(m)
			if q == nil {
				return nil
			}
			matchers = append(matchers, q)
		}
		quick = append(quick, matchers)
	}
	return quick
}

func newQuickMatcher(m any) quickMatcher {
	switch m := m.(type) {
	case *caddyhttp.MatchPath:
		return quickPaths(*m)
	case caddyhttp.MatchPath:
		return quickPaths(m)
	case *caddyhttp.MatchNot:
		inner := newQuickSets(m.MatcherSets)
		if inner == nil {
			return nil
		}
		return func(r *http.Request, x *reading) (bool, error) {
			matched, err := inner.match(r, x)
			return !matched && err == nil, err
		}
	case *caddyhttp.MatchHost:
		if slices.ContainsFunc(*m, func(host string) bool { return strings.Contains(host, "{") }) {
			return nil
		}
		return blind(m)
	case *caddyhttp.MatchMethod:
		return blind(m)
	case *caddyhttp.MatchProtocol:
		return blind(m)
	case *caddyhttp.MatchRemoteIP:
		return blind(m)
	case *caddyhttp.MatchClientIP:
		return blind(m)
	default:
		return nil
	}
}

// blind asks a matcher that does not look at the path.
func blind(m caddyhttp.RequestMatcherWithError) quickMatcher {
	return func(r *http.Request, _ *reading) (bool, error) { return m.MatchWithError(r) }
}

// quickPaths does what [caddyhttp.MatchPath] does with patterns that have neither a
// placeholder nor an escape in them.
func quickPaths(patterns []string) quickMatcher {
	if slices.ContainsFunc(patterns, func(p string) bool { return strings.ContainsAny(p, "{%") }) {
		return nil
	}
	type matcher struct {
		merge bool
		match func(path string) bool
	}
	matchers := make([]matcher, 0, len(patterns))
	for _, p := range patterns {
		stars := strings.Count(p, "*")
		first, last := strings.HasPrefix(p, "*"), strings.HasSuffix(p, "*")
		m := matcher{merge: !strings.Contains(p, "//")}
		switch {
		case p == "*":
			m.match = func(string) bool { return true }
		case stars == 2 && first && last:
			m.match = func(path string) bool { return strings.Contains(path, p[1:len(p)-1]) }
		case stars == 1 && first:
			m.match = func(path string) bool { return strings.HasSuffix(path, p[1:]) }
		case stars == 1 && last:
			m.match = func(path string) bool { return strings.HasPrefix(path, p[:len(p)-1]) }
		default:
			m.match = func(s string) bool {
				matched, _ := path.Match(p, s) // as there: a pattern that is none matches nothing
				return matched
			}
		}
		matchers = append(matchers, m)
	}
	return func(_ *http.Request, x *reading) (bool, error) {
		for _, m := range matchers {
			if m.match(x.clean(m.merge)) {
				return true, nil
			}
		}
		return false, nil
	}
}

// clean returns the path of the reading as [caddyhttp.MatchPath] compares it.
func (x *reading) clean(merge bool) string {
	i := 0
	if merge {
		i = 1
	}
	if x.cleaned[i] == "" {
		x.cleaned[i] = caddyhttp.CleanPath(strings.ToLower(x.path), merge)
	}
	return x.cleaned[i]
}
