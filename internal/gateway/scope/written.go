package scope

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// Written is the matcher of a definition as it is written, for what can be said of it when
// the configuration loads.
type Written struct {
	byPath bool     // it chooses by the path alone
	paths  []string // the patterns of `path`, if it has no other matchers
}

// Read reads the text of matchers.
func Read(sets caddyhttp.RawMatcherSets) Written {
	w := Written{byPath: len(sets) > 0}
	only := true
	for _, set := range sets {
		for name, text := range set {
			w.byPath = w.byPath && (name == "path" || name == "path_regexp")
			var paths []string
			only = only && name == "path" && json.Unmarshal(text, &paths) == nil
			w.paths = append(w.paths, paths...)
		}
	}
	if !only {
		w.paths = nil
	}
	return w
}

// Misses reports whether the matcher, which chooses by the path alone, does not match the
// path, percent-encoded. It reports false where other things than the path count.
func (s *Scope) Misses(w Written, path string) bool {
	if !w.byPath {
		return false
	}
	r, err := http.NewRequest(http.MethodGet, "http://localhost"+path, nil)
	if err != nil {
		return false
	}
	matched, err := s.matchers.AnyMatchWithError(caddyhttp.PrepareRequest(r, caddy.NewReplacer(), nil, nil))
	return err == nil && !matched
}

// Fixes reports whether all paths that the matcher matches have one text in the segment with
// this number, counted from 0.
func (w Written) Fixes(segment int) bool {
	text := ""
	for _, pattern := range w.paths {
		if !strings.HasPrefix(pattern, "/") {
			return false
		}
		segments := strings.Split(pattern[1:], "/")
		if segment >= len(segments) || strings.ContainsAny(segments[segment], `*?[\{`) || text != "" && !strings.EqualFold(text, segments[segment]) {
			return false
		}
		text = segments[segment]
	}
	return text != ""
}
