package query

import (
	"net/url"
	"slices"
	"strings"
)

// Set returns the raw query with the parameter: its first segment of exactly this name
// gets the value, further ones go, and where there is none it comes last. Everything
// else stays byte for byte. A blank is written %20, which every reader takes for one.
func Set(raw, name, value string) string {
	segment := Escape(name) + "=" + Escape(value)
	set := false
	var b strings.Builder
	for s := range strings.SplitSeq(raw, "&") {
		if n, _, _ := strings.Cut(s, "="); s != "" && n == name {
			if set {
				continue
			}
			s, set = segment, true
		}
		if b.Len() > 0 {
			b.WriteByte('&')
		}
		b.WriteString(s)
	}
	switch {
	case set:
	case b.Len() > 0:
		b.WriteString("&" + segment)
	default:
		b.WriteString(segment)
	}
	return b.String()
}

// Remove returns the raw query without the segments of exactly these names.
func Remove(raw string, names ...string) string {
	left, _ := Cut(raw, func(segment string) bool {
		name, _, _ := strings.Cut(segment, "=")
		return slices.Contains(names, name)
	})
	return left
}

// Escape encodes a name or a value for a query: all but unreserved characters (RFC
// 3986) as %XX.
func Escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }
