package bodies

import (
	"strings"
	"unicode/utf8"

	"github.com/signedlink/caddy-signed-link/query"
)

// inspectForm looks at the names of a form, which are spelled as those of a query.
func (b *Rules) inspectForm(body string) (detail string) {
	n := 0
	for segment := range query.Split(body, '&') {
		if n++; n > query.MaxPairs {
			return detailTooMany
		}
		if segment == "List-Unsubscribe=One-Click" || segment == "" { // RFC 8058
			continue
		}
		if b.All {
			return detailProtected
		}
		look := b.look(segment)
		if look.names && b.protects(segment) || look.overriding && b.overrides(segment) {
			return detailProtected
		}
		if !look.any() {
			continue
		}
		if name := query.NameOf(segment); strings.Contains(name, "%u") || strings.Contains(name, "%U") {
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
	decoded := make([]byte, 0, len(name))
	for i := 0; i < len(name); i++ {
		if name[i] == '%' && i+1 < len(name) && name[i+1]|0x20 == 'u' {
			if c, ok := hex4(name[i+2:]); ok {
				decoded = utf8.AppendRune(decoded, c)
				i += len("u0000")
				continue
			}
		}
		decoded = append(decoded, name[i])
	}
	return query.Unescape(string(decoded))
}
