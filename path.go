package signedlink

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/signedlink/caddy-signed-link/query"
)

// The path rule. A definition covers the requests that its matcher matches, and the
// matcher reads the path in another way than the backend does: Tomcat serves
// `/app;x/` from /app, PHP runs /autologin.php for `/autologin.php/`, and Symfony
// and Laravel route `/index.php/app/1` as /app/1 and `/app/..` below /app, and Apache
// serves `/app/%2F/..` from /app, which is the root to Caddy. Such a request would pass
// beside the definition, or through it with somebody else's page (the class of
// CVE-2020-5902, CVE-2020-11989 and CVE-2018-14371).

// plainTarget reports whether the target of the request has a path that matchers see.
// Of `GET http:X./app/` Go makes an opaque URL without a path, and a proxy sends on
// `GET X./app/`, which some servers answer from /app.
func plainTarget(u *url.URL) bool {
	return u.Opaque == "" && (u.Path == "" || u.Path == "*" || u.Path[0] == '/')
}

// pathConfuses reports whether the matcher's verdict on the path as sent differs
// from its verdict on a path as the backend may read it. Paths that every reader
// reads alike, and definitions without a matcher, cost nothing.
func (h *Handler) pathConfuses(w http.ResponseWriter, r *http.Request, matched bool) bool {
	if len(h.matchers) == 0 {
		return false
	}
	readings := pathReadings(h.def.profile, r.URL.EscapedPath())
	if len(readings) > maxReadings {
		return true
	}
	for _, reading := range readings {
		if other, err := h.matchers.AnyMatchWithError(withPath(w, r, reading)); err != nil || other != matched {
			return true
		}
	}
	return false
}

// maxReadings is how many readings of one path are judged. Each script in a path makes
// two; a path with many is nobody's link, but work for the matchers.
const maxReadings = 16

// pathReadings returns how a backend may read a raw path, where that differs from
// the path decoded once.
func pathReadings(profile query.Profile, raw string) []string {
	if raw == "" {
		return []string{"/"} // http://host without a path
	}
	if plainPath(raw) {
		return nil
	}
	plain := string(query.AppendUnescapedPath(nil, raw))
	var readings []string
	add := func(p string) {
		if p != plain && !slices.Contains(readings, p) && len(readings) <= maxReadings {
			readings = append(readings, p)
		}
		// PHP-FPM ends PATH_INFO and SCRIPT_NAME at a NUL: `/index.php/app%00x` is /app
		if cut, _, has := strings.Cut(p, "\x00"); has && profile.Has(query.PathInfo) && len(readings) <= maxReadings && !slices.Contains(readings, cut) {
			readings = append(readings, cut)
		}
	}
	addAll := func(paths []string) {
		for _, p := range paths {
			add(p)
		}
	}
	add(plain)
	scripts := profile.Has(query.PathInfo)
	if profile.Has(query.PathParameters) {
		for _, p := range resolutions(raw, true) {
			add(p)
			if scripts {
				addAll(scriptPaths(p))
			}
		}
	}
	if scripts {
		for _, p := range resolutions(raw, false) {
			addAll(scriptPaths(p))
		}
		addAll(scriptPaths(dotsAsNames(plain)))
	}
	return readings
}

// resolutions returns a raw path as those read it who resolve its dot segments: Caddy and
// Tomcat when it is decoded, Apache and RFC 3986 when `%2F` is not yet a slash; and
// nginx, Tomcat and Apache take `//` for one slash, and others, such as Jetty, for an
// empty segment that `..` can take away. With parameters, `;x` is cut off each segment
// and `\` is a slash, as Tomcat and Jetty read.
func resolutions(raw string, parameters bool) []string {
	segments := strings.Split(raw, "/")
	if parameters {
		for i, segment := range segments {
			segments[i], _, _ = strings.Cut(segment, ";")
		}
	}
	decoded := string(query.AppendUnescapedPath(nil, strings.Join(segments, "/")))
	for i, segment := range segments {
		segments[i] = string(query.AppendUnescapedPath(nil, segment))
	}
	if parameters {
		decoded = strings.ReplaceAll(decoded, `\`, "/")
	}
	late := strings.Split(decoded, "/")
	return []string{resolve(late, true), resolve(late, false), resolve(segments, true), resolve(segments, false)}
}

// resolve resolves the dot segments of a path, and keeps a slash at the end. With merge,
// `//` is one slash.
func resolve(segments []string, merge bool) string {
	var kept []string
	if len(segments) > 1 && segments[0] == "" {
		segments = segments[1:] // before the first slash
	}
	for i, s := range segments {
		last := i == len(segments)-1
		switch s {
		case "":
			if last || !merge {
				kept = append(kept, "")
			}
		case ".":
			if last {
				kept = append(kept, "")
			}
		case "..":
			if len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
			if last {
				kept = append(kept, "")
			}
		default:
			kept = append(kept, s)
		}
	}
	return "/" + strings.Join(kept, "/")
}

// dotsAsNames makes names of dot segments: a front controller routes REQUEST_URI as it
// was sent, so that `/app/..` and `/app%2f..` are pages below /app to it, and the root
// to Caddy's matchers.
func dotsAsNames(p string) string {
	segments := strings.Split(p, "/")
	for i, s := range segments {
		if s == "." || s == ".." {
			segments[i] = "-"
		}
	}
	return strings.Join(segments, "/")
}

// plainPath reports whether every reader reads the raw path alike.
func plainPath(raw string) bool {
	for i := range len(raw) {
		switch raw[i] {
		case ';', '%', '\\':
			return false
		case '/':
			if i+1 < len(raw) && (raw[i+1] == '/' || raw[i+1] == '.') {
				return false
			}
		case '.':
			if beginsWithScript(raw[i:]) {
				return false
			}
		}
	}
	return true
}

// scriptPaths returns, for each script in the path, the path of the script and what
// stands behind it, which frameworks route.
func scriptPaths(p string) []string {
	var paths []string
	for from := 0; ; {
		i := nextScript(p[from:])
		if i < 0 {
			return append(paths, p)
		}
		end := from + i
		paths = append(paths, p[:end], p[end:])
		from = end
	}
}

// nextScript returns where the first script in the path ends, or -1. PHP's handlers
// fold ASCII only, and so does this: with Unicode's lower case the offsets would not
// be those of p.
func nextScript(p string) int {
	for i := range len(p) {
		if beginsWithScript(p[i:]) {
			return i + len(scriptEnd) - 1
		}
	}
	return -1
}

// scriptEnd is how a script in a path ends that goes on behind it.
const scriptEnd = ".php/"

func beginsWithScript(p string) bool {
	return len(p) >= len(scriptEnd) && p[0] == '.' && p[1]|0x20 == 'p' && p[2]|0x20 == 'h' && p[3]|0x20 == 'p' && p[4] == '/'
}

// withPath returns a copy of the request for another path, on which matchers can be
// evaluated without touching the real one: its own replacer, its own vars, and the
// values that other handlers put into the real replacer behind them.
func withPath(w http.ResponseWriter, r *http.Request, path string) *http.Request {
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	vars := varsOf(r)
	real, _ := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)

	c := r.Clone(r.Context())
	c.URL = &url.URL{Path: path, RawQuery: r.URL.RawQuery}
	c.RequestURI = c.URL.RequestURI()
	repl := caddy.NewReplacer()
	c = caddyhttp.PrepareRequest(c, repl, w, server)
	if real != nil {
		repl.Map(func(key string) (any, bool) {
			if strings.HasPrefix(key, "http.request.") {
				return nil, false
			}
			return real.Get(key)
		})
	}
	for k, v := range maps.All(vars) {
		caddyhttp.SetVar(c.Context(), k, v)
	}
	return c
}
