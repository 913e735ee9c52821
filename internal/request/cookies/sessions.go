package cookies

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/query"
)

// Sessions is what carries the session of an application.
type Sessions struct {
	all     bool            // every cookie
	cookies *query.Patterns //
	query   *query.Patterns // parameters that PHP takes for a session (session.use_trans_sid); nil: none
	Path    *query.Patterns // parameters of the path, as `;jsessionid=`; nil: none
}

// The names under which backends find a session in a URL if they are not told another.
const (
	sessionInQuery = "PHPSESSID"
	sessionInPath  = "jsessionid"
)

// NewSessions compiles the option cookies: the names that are cut, or all. The link carries
// the parameters with the given names.
func NewSessions(profile backend.Profile, cut []string, all bool, link *query.Names) (*Sessions, error) {
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
	s := &Sessions{all: all, cookies: query.NewPatterns(profile, cut)}
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
		s.Path = query.NewPatterns(backend.Strict, append(slices.Clone(cut), sessionInPath)) // in any case
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

// CutFrom takes cookies out of the request, and leaves the others byte for byte.
func (s *Sessions) CutFrom(h http.Header) {
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
func (s *Sessions) inCookie(part string) bool {
	for piece := range strings.SplitSeq(part, ",") {
		name, _, _ := strings.Cut(piece, "=")
		if s.cookies.Has(strings.Trim(name, " \t")) {
			return true
		}
	}
	return false
}

// InQuery reports whether a segment of the query is a session to PHP, which may split it at
// semicolons.
func (s *Sessions) InQuery(segment string) bool {
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
