package query

import (
	"net/url"
	"slices"
	"strings"
)

// Set returns the raw query with the parameter: its first segment of exactly this name
// (see [IsNamed]) gets the value, further ones go, and where there is none it comes last.
// Everything else stays byte for byte. A blank is written %20, which every reader takes
// for one, and a bracket %5B, because Tomcat refuses the other.
func Set(raw, name, value string) string {
	segment := escapeName(name) + "=" + Escape(value)
	set := false
	var b strings.Builder
	for s := range strings.SplitSeq(raw, "&") {
		if n, _, _ := strings.Cut(s, "="); s != "" && IsNamed(n, name) {
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

// Remove returns the raw query without the segments of exactly these names; see [IsNamed].
func Remove(raw string, names ...string) string {
	left, _ := Cut(raw, func(segment string) bool {
		name, _, _ := strings.Cut(segment, "=")
		return slices.ContainsFunc(names, func(n string) bool { return IsNamed(name, n) })
	})
	return left
}

// Escape encodes a name or a value for a query: all but unreserved characters (RFC
// 3986) as %XX.
func Escape(s string) string { return strings.ReplaceAll(url.QueryEscape(s), "+", "%20") }

// escapeName encodes a name, but for what may stand in that of a protected parameter: an
// encoded letter of it would be another spelling.
func escapeName(name string) string { return plainly.Replace(Escape(name)) }

var plainly = strings.NewReplacer("%3A", ":", "%24", "$")
