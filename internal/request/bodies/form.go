package bodies

import (
	"strconv"
	"strings"

	"github.com/signedlink/caddy-signed-link/query"
)

// inspectForm looks at the names of a form, which are spelled as those of a query.
func (b *Rules) inspectForm(body string) (detail string) {
	n := 0
	for segment := range strings.SplitSeq(body, "&") {
		if n++; n > query.MaxPairs {
			return detailTooMany
		}
		if segment == "List-Unsubscribe=One-Click" || segment == "" { // RFC 8058
			continue
		}
		_, spelling := b.Names.Classify(segment)
		if spelling != query.Other || b.All || b.overrides(segment) {
			return detailProtected
		}
		if name, _, _ := strings.Cut(segment, "="); strings.Contains(name, "%u") || strings.Contains(name, "%U") {
			if b.protectedDecoded(unescapeU(name)) {
				return detailProtected
			}
		}
	}
	return ""
}

// unescapeU decodes a name of a form in which %u0075 is a letter, whatever the profile:
// readers of forms know it that do not know it in queries, as Jetty's source has it.
func unescapeU(name string) string {
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(name, "%")
		b.WriteString(before)
		if !found {
			return query.Unescape(b.String())
		}
		if len(rest) >= 5 && (rest[0] == 'u' || rest[0] == 'U') {
			if c, err := strconv.ParseUint(rest[1:5], 16, 16); err == nil {
				b.WriteRune(rune(c))
				name = rest[5:]
				continue
			}
		}
		b.WriteByte('%')
		name = rest
	}
}
