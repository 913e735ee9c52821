// Package cookies cuts cookies out of requests: those that PHP would show in place of a
// parameter that was verified, and those that carry another person's session.
package cookies

import (
	"net/http"
	"slices"
	"strings"

	"github.com/signedlink/caddy-signed-link/query"
)

// Shadows are the names of cookies that PHP would show in place of a parameter.
type Shadows struct {
	Protected *query.Names   // nil: no PHP can stand behind
	Sent      *query.NameSet // of the link's parameters, where its message covers all
}

// CutFrom removes the cookies that PHP would file under the name of what was verified,
// which $_REQUEST shows in place of the parameter where request_order holds C. Nobody is
// refused for a cookie: another site of the same domain can set it. cutFrom returns how
// many there were.
func (s *Shadows) CutFrom(h http.Header) int {
	if s.Protected == nil {
		return 0
	}
	lines, ok := h["Cookie"]
	if !ok {
		return 0
	}
	left, cut := lines, 0
	if slices.ContainsFunc(lines, s.stand) {
		left = make([]string, 0, len(lines))
		for _, line := range lines {
			clean, n := s.cut(line)
			cut += n
			if clean != "" {
				left = append(left, clean)
			}
		}
	}
	left, n := fitCookies(left)
	cut += n
	switch {
	case cut == 0:
	case len(left) == 0:
		delete(h, "Cookie")
	default:
		h["Cookie"] = left
	}
	return cut
}

// maxCookies is how long HTTP_COOKIE may be. Of a parameter and its name Caddy's FastCGI
// client sends 65,500 bytes less eight, and cuts off what is more.
const maxCookies = 65500 - 8 - len("HTTP_COOKIE")

// fitCookies drops the cookies that do not fit into HTTP_COOKIE whole, and returns how many
// those were: of `userX=1` the backend would get `user`, which nobody has judged.
func fitCookies(lines []string) (fitting []string, dropped int) {
	room := maxCookies
	for i, line := range lines {
		if i > 0 {
			room -= len(", ") // by which Caddy joins the lines
		}
		if len(line) <= room {
			room -= len(line)
			continue
		}
		fitting = slices.Clone(lines[:i])
		for _, rest := range lines[i:] {
			dropped += 1 + strings.Count(rest, ";")
		}
		if end := strings.LastIndexByte(line[:max(room+1, 0)], ';'); end > 0 {
			fitting = append(fitting, line[:end])
			dropped -= 1 + strings.Count(line[:end], ";")
		}
		return fitting, dropped
	}
	return lines, 0
}

// has reports whether PHP files the cookie under one of the names.
func (s *Shadows) has(part string) bool {
	name := query.NameOf(strings.TrimLeft(part, " \t"))
	if s.Sent == nil && !s.Protected.Within(query.LettersOf(name)) {
		return false
	}
	// PHP 8 takes cookie names as they are, PHP 7 decodes them: `user[%00]` is an
	// array to the one and a text to the other.
	_, spelling := s.Protected.ClassifyEither(name)
	return spelling != query.Other || s.Sent.HasEither(name)
}

// stand reports whether one of the cookies of the line is to be cut.
func (s *Shadows) stand(line string) bool {
	if s.Sent == nil && !s.Protected.Within(query.LettersOf(line)) {
		return false
	}
	for part := range query.Split(line, ';') {
		if s.has(part) {
			return true
		}
	}
	return false
}

// cut removes cookies from a Cookie header, and leaves the others byte for byte.
func (s *Shadows) cut(line string) (string, int) {
	var kept []string
	n := 0
	for part := range query.Split(line, ';') {
		if s.has(part) {
			n++
			continue
		}
		kept = append(kept, part)
	}
	if n == 0 {
		return line, 0
	}
	return strings.TrimLeft(strings.Join(kept, ";"), " "), n
}
