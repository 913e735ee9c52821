package bodies

import (
	"strings"

	"github.com/signedlink/caddy-signed-link/query"
)

func (b *Rules) inspectForm(body string) (detail string) {
	n := 0
	for segment := range strings.SplitSeq(body, "&") {
		if n++; n > query.MaxPairs {
			return "too_many"
		}
		if segment == "List-Unsubscribe=One-Click" { // RFC 8058
			continue
		}
		_, spelling := b.Names.Classify(segment)
		_, overrides := override[b.Profile].Classify(segment)
		if spelling != query.Other || overrides != query.Other || b.All && segment != "" {
			return "protected"
		}
	}
	return ""
}
