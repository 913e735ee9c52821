package targets

import (
	"net/url"

	"github.com/signedlink/caddy-signed-link/query"
)

// HasPath reports whether the target of the request has a path that matchers see.
// Of `GET http:X./app/` Go makes an opaque URL without a path, and a proxy sends on
// `GET X./app/`, which some servers answer from /app.
func HasPath(u *url.URL) bool {
	return u.Opaque == "" && (u.Path == "" || u.Path == "*" || u.Path[0] == '/')
}

// SetPath gives the URL another path, percent-encoded, and keeps its spelling.
func SetPath(u *url.URL, path string) {
	u.Path, u.RawPath = query.UnescapePath(path), ""
	if u.EscapedPath() != path {
		u.RawPath = path
	}
}

// TooLong reports whether the path is beyond the bounds, before anything reads it. As it
// was sent it has at most three bytes for each that is decoded.
func TooLong(u *url.URL) bool {
	return len(u.Path) > MaxPath || len(u.RawPath) > MaxPath
}
