package signedlink

import (
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/query"
)

// The link wins over another person's session. A browser in which jeff is logged in sends
// jeff's cookie with mike's link, and applications (Cacti, DokuWiki, tt-rss) show jeff.
// `cookies cut` takes the session from verified requests, wherever a backend finds one.

// sessions is what carries the session of an application.
type sessions struct {
	all     bool            // every cookie
	cookies *query.Patterns //
	query   *query.Patterns // parameters that PHP takes for a session (session.use_trans_sid); nil: none
	path    *query.Patterns // parameters of the path, as `;jsessionid=`; nil: none
}

// The names under which backends find a session in a URL if they are not told another.
const (
	sessionInQuery = "PHPSESSID"
	sessionInPath  = "jsessionid"
)

// newSessions compiles the option cookies: the names that are cut, or all. The link carries
// the parameters with the given names.
func newSessions(profile backend.Profile, cut []string, all bool, link *query.Names) (*sessions, error) {
	switch {
	case all && len(cut) > 0:
		return nil, fmt.Errorf("cookies cut: all is every cookie, so leave %s out", strings.Join(cut, " "))
	case !all && len(cut) == 0:
		return nil, fmt.Errorf("cookies: name what is cut, as in `cookies cut PHPSESSID`, or write `cookies cut all`")
	}
	for i, name := range cut {
		if err := checkCookie(name); err != nil {
			return nil, err
		}
		if slices.Contains(cut[:i], name) {
			return nil, fmt.Errorf("cookies cut: %s is named twice", name)
		}
	}
	s := &sessions{all: all, cookies: query.NewPatterns(profile, cut)}
	if profile != backend.Servlet { // PHP may stand behind
		names := cut
		if all {
			names = []string{sessionInQuery}
		}
		s.query = query.NewPatterns(profile, names)
		for i := range link.Len() {
			if name := link.Name(i); s.query.Has(name) {
				return nil, fmt.Errorf("cookies cut: the link carries a parameter %s, and PHP takes one of that name for a session, "+
					"so it would be cut out of the link; name the cookies without it, or write `backend servlet` if no PHP stands behind", name)
			}
		}
	}
	if profile != backend.PHP { // a servlet container may stand behind
		s.path = query.NewPatterns(backend.Strict, append(slices.Clone(cut), sessionInPath)) // in any case
	}
	return s, nil
}

// checkCookie: a name, or the beginning of names with one * at the end.
func checkCookie(name string) error {
	bare := strings.TrimSuffix(name, "*")
	if bare == "" || len(name) > 128 || strings.ContainsFunc(bare, func(c rune) bool {
		return c <= ' ' || c >= 0x7F || strings.ContainsRune(`()<>@,;:\"/[]?={}*`, c)
	}) {
		return fmt.Errorf("cookies cut %q: write the name of a cookie, or the beginning of names with one * at the end, as in `wordpress_logged_in_*`", name)
	}
	return nil
}

// compileCookies compiles the option cookies.
func (h *Handler) compileCookies() error {
	if h.Cookies == nil {
		return nil
	}
	var err error
	h.sessions, err = newSessions(h.def.profile, h.Cookies.Cut, h.Cookies.CutAll, h.def.names)
	return err
}

// cutSessions takes the session from a request that verified: the verdict is about what
// was received, and the backend gets the rest, byte for byte. That in the query goes with
// the signature ([Handler.cutsVerified]).
func (h *Handler) cutSessions(r *http.Request, st *state) {
	s := h.sessions
	if s == nil {
		return
	}
	s.cutCookies(r.Header)
	if s.path != nil {
		st.cutPath(r, s.path)
	}
}

// cutCookies takes cookies out of the request, and leaves the others byte for byte.
func (s *sessions) cutCookies(h http.Header) {
	lines, ok := h["Cookie"]
	switch {
	case !ok:
		return
	case s.all:
		delete(h, "Cookie")
		return
	}
	cut := false
	left := make([]string, 0, len(lines))
	for _, line := range lines {
		var kept []string
		for part := range strings.SplitSeq(line, ";") {
			if s.inCookie(part) {
				cut = true
				continue
			}
			kept = append(kept, part)
		}
		if clean := strings.TrimLeft(strings.Join(kept, ";"), " "); clean != "" {
			left = append(left, clean)
		}
	}
	switch {
	case !cut:
	case len(left) == 0:
		delete(h, "Cookie")
	default:
		h["Cookie"] = left
	}
}

// inCookie reports whether what stands between two semicolons is a cookie that is cut. To
// old servlet containers a comma separates cookies, too.
func (s *sessions) inCookie(part string) bool {
	for piece := range strings.SplitSeq(part, ",") {
		name, _, _ := strings.Cut(piece, "=")
		if s.cookies.Has(strings.Trim(name, " \t")) {
			return true
		}
	}
	return false
}

// inQuery reports whether a segment of the query is a session to PHP, which may split it at
// semicolons.
func (s *sessions) inQuery(segment string) bool {
	if s == nil || s.query == nil {
		return false
	}
	for part := range strings.SplitSeq(segment, ";") {
		name, _, _ := strings.Cut(part, "=")
		if s.query.Has(name) {
			return true
		}
	}
	return false
}

// cutPath takes parameters out of the path, in every place in which a later handler can
// find one: the URL, RequestURI and the original request of the context.
func (st *state) cutPath(r *http.Request, names *query.Patterns) {
	uri := r.RequestURI
	cutURLPath(r.URL, names)
	r.RequestURI = cutTargetPath(uri, names)
	original, ok := r.Context().Value(caddyhttp.OriginalRequestCtxKey).(http.Request)
	if !ok {
		return
	}
	changed := cutURLPath(original.URL, names) // in place, as in [state.cut]
	target := cutTargetPath(original.RequestURI, names)
	if changed || target != original.RequestURI {
		st.replaceTarget(r, target)
	}
}

// cutURLPath takes parameters out of the path of a URL.
func cutURLPath(u *url.URL, names *query.Patterns) bool {
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

// cutTargetPath takes parameters out of the path of a request's target.
func cutTargetPath(target string, names *query.Patterns) string {
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
