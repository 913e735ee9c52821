package targets

import (
	"strings"

	"github.com/signedlink/caddy-signed-link/query"
)

// Cut cuts segments out of a query, and out of the target of the request in which
// it mostly stands. Unless they differ, the one is a part of the other. A drop of nil
// drops all.
func Cut(raw, uri string, drop func(segment string) bool) (left, leftURI string, changed bool) {
	var buf [512]byte
	path, inURI, ok := strings.Cut(uri, "?")
	if drop == nil {
		return "", path, raw != "" || ok
	}
	if !ok || inURI != raw {
		left, n := query.Cut(raw, drop)
		if n == 0 {
			return raw, uri, false
		}
		if inURI, _ = query.Cut(inURI, drop); inURI != "" {
			path += "?" + inURI
		}
		return left, path, true
	}
	b, n := query.AppendCut(append(append(buf[:0], path...), '?'), raw, drop)
	switch {
	case n == 0:
		return raw, uri, false
	case len(b) == len(path)+1:
		return "", path, true
	case string(b) == uri[:len(b)]: // what is cut stands at the end, as signatures mostly do
		leftURI = uri[:len(b)]
	default:
		leftURI = string(b)
	}
	return leftURI[len(path)+1:], leftURI, true
}
