package targets

import (
	"net/url"
	"strings"

	"github.com/signedlink/caddy-signed-link/query"
)

// CutURLPath takes parameters out of the path of a URL.
func CutURLPath(u *url.URL, names *query.Patterns) bool {
	raw := u.EscapedPath()
	left := cutPathParameters(raw, names)
	if left == raw {
		return false
	}
	path, err := url.PathUnescape(left)
	if err != nil {
		return false // it cannot be: of an escaped path whole parameters are gone
	}
	u.Path, u.RawPath = path, left
	if u.RawPath == (&url.URL{Path: path}).EscapedPath() {
		u.RawPath = ""
	}
	return true
}

// CutTargetPath takes parameters out of the path of a request's target.
func CutTargetPath(target string, names *query.Patterns) string {
	path, rest := target, ""
	if i := strings.IndexByte(target, '?'); i >= 0 {
		path, rest = target[:i], target[i:]
	}
	if left := cutPathParameters(path, names); left != path {
		return left + rest
	}
	return target
}

// cutPathParameters takes parameters out of a raw path: `/a/b;jsessionid=1;v=2` becomes
// `/a/b;v=2`. No backend may read the rest as a path that it did not read before, and that
// nobody judged: of `/;jsessionid=1/x` would become the network path `//x`, and of
// `/..;jsessionid=1/x` a step up. So a bare semicolon stays in a segment that others
// follow, and behind dots.
func cutPathParameters(raw string, names *query.Patterns) string {
	if strings.IndexByte(raw, ';') < 0 {
		return raw
	}
	var b strings.Builder
	for rest, more := raw, true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		name, parameters, has := strings.Cut(segment, ";")
		b.WriteString(name)
		cut, kept := false, false
		for has {
			var parameter string
			parameter, parameters, has = strings.Cut(parameters, ";")
			if key, _, _ := strings.Cut(parameter, "="); names.Has(key) {
				cut = true
				continue
			}
			kept = true
			b.WriteByte(';')
			b.WriteString(parameter)
		}
		if cut && !kept && (more || isDots(name)) {
			b.WriteByte(';')
		}
		if more {
			b.WriteByte('/')
		}
	}
	return b.String()
}

// isDots reports whether the raw segment is `.` or `..`.
func isDots(segment string) bool {
	var buf [8]byte
	if len(segment) > len("%2e%2e") {
		return false
	}
	decoded := string(query.AppendUnescapedPath(buf[:0], segment))
	return decoded == "." || decoded == ".."
}
