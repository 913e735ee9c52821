package bodies

import (
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
	}
	return ""
}
