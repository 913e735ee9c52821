package headers

import (
	"net/http"
	"net/textproto"
	"strings"
)

// kept are the tokens of Connection that mean the connection itself. Every other one is
// the name of a header, which Caddy's proxies delete after this gateway has judged or set
// it: the identity (CVE-2024-45410, CVE-2025-48865), the Content-Type that said how a body
// is read, a Cookie, what another handler of the site set.
var kept = [...]string{"close", "keep-alive", "upgrade", "te"}

// keeps reports whether the token may stay.
func keeps(token string) bool {
	for _, k := range kept {
		if strings.EqualFold(token, k) {
			return true
		}
	}
	return false
}

// FilterConnection keeps of Connection what means the connection itself.
func FilterConnection(h http.Header) { filterConnection(h, keeps) }

// DropUpgrade keeps the request from becoming a tunnel.
func DropUpgrade(h http.Header) {
	delete(h, "Upgrade")
	delete(h, "Http2-Settings")
	filterConnection(h, func(token string) bool { return !strings.EqualFold(token, "upgrade") && keeps(token) })
}

func filterConnection(h http.Header, keep func(token string) bool) {
	lines, ok := h["Connection"]
	if !ok {
		return
	}
	for _, line := range lines {
		for token := range strings.SplitSeq(line, ",") {
			if !keep(textproto.TrimString(token)) { // an empty one, too: it is nothing
				rewriteConnection(h, lines, keep)
				return
			}
		}
	}
}

func rewriteConnection(h http.Header, lines []string, keep func(token string) bool) {
	var left []string
	for _, line := range lines {
		for token := range strings.SplitSeq(line, ",") {
			if token = textproto.TrimString(token); keep(token) {
				left = append(left, token)
			}
		}
	}
	if len(left) == 0 {
		delete(h, "Connection")
		return
	}
	h["Connection"] = []string{strings.Join(left, ", ")}
}
