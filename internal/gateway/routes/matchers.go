package routes

import (
	"encoding/json"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// matcherName is the name of the matcher's module.
func matcherName(m any) string {
	if module, ok := m.(caddy.Module); ok {
		return strings.TrimPrefix(string(module.CaddyModule().ID), "http.matchers.")
	}
	return "unknown matcher"
}

// readsName reports whether the matcher may read a variable or placeholder of one of the
// names. What a matcher of an unknown module reads nobody knows.
func readsName(m any, names []string) bool {
	switch m := m.(type) {
	case *caddyhttp.MatchNot:
		for _, set := range m.MatcherSets {
			for _, inner := range set {
				if readsName(inner, names) {
					return true
				}
			}
		}
		return false
	case caddyhttp.MatchNot:
		return readsName(&m, names)
	}
	// The rest is read as it is written: an expression, a pattern with a placeholder, the
	// name of a variable.
	text, err := json.Marshal(m)
	if err != nil {
		return true
	}
	for _, name := range names {
		switch {
		case name == "root" && !readsRoot(m, string(text)):
		case name == "root", name == "", strings.Contains(name, "{"), strings.Contains(string(text), strings.Trim(jsonText(name), `"`)):
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

func jsonText(s string) string {
	text, err := json.Marshal(s)
	if err != nil {
		return s
	}
	return string(text)
}
