package targets

import (
	"bytes"
	"slices"
	"strings"

	"github.com/signedlink/caddy-signed-link/query"
)

// networkPath takes the authority off a network path.
func networkPath(r *reader, in string, out func(path string)) {
	rest, is := strings.CutPrefix(in, "//")
	if !is {
		return
	}
	i := strings.IndexByte(rest, '/')
	if i <= 0 || rest[0] == ':' || rest[0] == '@' {
		out("/") // parse_url returns false or null, which is the front page to most
	}
	if i > 0 {
		out(rest[i:])
	}
}

// baseURL cuts off as many characters as the address of the site has, by http and https,
// with and without the port: what CakePHP makes of the request unless it is configured.
func baseURL(r *reader, in string, out func(path string)) {
	if !strings.Contains(in, "://") {
		return
	}
	folder := in // of an application that lives in one
	if i := strings.IndexByte(in[1:], '/'); i >= 0 {
		folder = in[:i+1]
	}
	put := func(path string) {
		out(rooted(path))
		if !strings.HasPrefix(path, folder+"/") {
			out(folder + rooted(path))
		}
	}
	tried := make([]int, 0, 4)
	cut := func(host string) {
		for _, scheme := range []string{"http://", "https://"} {
			n := len(scheme) + len(host)
			if slices.Contains(tried, n) {
				continue
			}
			tried = append(tried, n)
			switch {
			case n < len(in):
				put(in[n:])
			case n > len(in) && n-len(in) <= len(r.target.Query): // in the middle of the query
				path, _, _ := strings.Cut(r.target.Query[n-len(in)-1:], "?")
				put(path)
			}
		}
	}
	cut(r.target.Host)
	if i := strings.LastIndexByte(r.target.Host, ':'); i >= 0 && !strings.HasSuffix(r.target.Host, "]") {
		cut(r.target.Host[:i])
	}
}

// rooted puts a slash in front of a path that has none.
func rooted(path string) string {
	if path == "" || path[0] != '/' {
		return "/" + path
	}
	return path
}

// queryPath takes the query for the path, up to what begins another one: of the site, or of
// the folder in which the application lives.
func queryPath(r *reader, in string, out func(path string)) {
	if !strings.HasPrefix(r.target.Query, "/") {
		return
	}
	q, _, _ := strings.Cut(r.target.Query, "?")
	folder := strings.TrimRight(in, "/")
	out(q)
	out(folder + q)
	// Kohana and others take the name of the first parameter
	if i := strings.IndexAny(q, "&="); i >= 0 {
		out(q[:i])
		out(folder + q[:i])
	}
}

// withoutParameters cuts `;x` off each segment.
func withoutParameters(r *reader, in string, out func(path string)) {
	if !strings.Contains(in, ";") {
		return
	}
	kept := make([]byte, 0, len(in))
	cut := false
	for i := range len(in) {
		switch in[i] {
		case ';':
			cut = true
		case '/':
			cut = false
		}
		if !cut {
			kept = append(kept, in[i])
		}
	}
	out(string(kept))
}

func backslash(r *reader, in string, out func(path string)) {
	if strings.Contains(in, `\`) {
		out(strings.ReplaceAll(in, `\`, "/"))
	}
}

func dotsEarlyMerged(_ *reader, in string, out func(path string)) {
	if resolved, is := resolve(in, true, true); is {
		out(resolved)
	}
}

func dotsEarly(_ *reader, in string, out func(path string)) {
	if resolved, is := resolve(in, true, false); is {
		out(resolved)
	}
}

func dotsMerged(_ *reader, in string, out func(path string)) {
	if resolved, is := resolve(in, false, true); is {
		out(resolved)
	}
}

func dotsKept(_ *reader, in string, out func(path string)) {
	if resolved, is := resolve(in, false, false); is {
		out(resolved)
	}
}

// dots returns how many dots a dot segment has, and 0 for any other.
func dots(segment string, encoded bool) int {
	if encoded && len(segment) >= len("%2e") && len(segment) <= len("%2e%2e") {
		segment = query.UnescapePath(segment)
	}
	if segment == "." || segment == ".." {
		return len(segment)
	}
	return 0
}

// resolve resolves the dot segments of a path, and keeps a slash at the end. With merge,
// `//` is one slash. It reports false for a path in which there is nothing to do.
func resolve(path string, encoded, merge bool) (resolved string, is bool) {
	if !strings.Contains(path, "/.") && (!merge || !strings.Contains(path, "//")) && (!encoded || !strings.Contains(path, "/%2")) {
		return path, false
	}
	kept := make([]byte, 0, len(path)) // segments, each with the slash before it
	at := 1
	for segment := range query.Split(path[1:], '/') {
		at += len(segment) + 1
		last := at > len(path)
		switch n := dots(segment, encoded); {
		case segment == "":
			if last || !merge {
				kept = append(kept, '/')
			}
		case n == 0:
			kept = append(append(kept, '/'), segment...)
		default:
			if n == 2 && len(kept) > 0 {
				kept = kept[:bytes.LastIndexByte(kept, '/')]
			}
			if last {
				kept = append(kept, '/')
			}
		}
	}
	if len(kept) == 0 {
		return "/", true
	}
	return string(kept), true
}

// dotsAsNames makes names of dot segments: a front controller routes REQUEST_URI as it
// was sent, so that `/app/..` and `/app%2f..` are pages below /app to it, and the root
// to Caddy's matchers.
func dotsAsNames(_ *reader, in string, out func(path string)) {
	if strings.Contains(in, "/.") {
		out(asNames(in))
	}
}

func asNames(path string) string {
	named := make([]byte, 0, len(path))
	for i := 0; i < len(path); i++ {
		named = append(named, path[i])
		if path[i] != '/' {
			continue
		}
		if n := leadingDots(path[i+1:]); n > 0 {
			named = append(named, '-')
			i += n
		}
	}
	return string(named)
}

// leadingDots returns how many dots the dot segment has with which a path begins that has
// no slash in front, and 0 if it begins with none.
func leadingDots(path string) int {
	for n := 2; n > 0; n-- {
		if strings.HasPrefix(path, ".."[:n]) && (len(path) == n || path[n] == '/') {
			return n
		}
	}
	return 0
}

// dotsDropped drops the segments that lead up, and empty ones.
func dotsDropped(_ *reader, in string, out func(path string)) {
	if !strings.Contains(in, "/..") {
		return
	}
	kept := make([]byte, 0, len(in))
	for segment := range strings.SplitSeq(in, "/") {
		if segment != "" && segment != ".." {
			kept = append(append(kept, '/'), segment...)
		}
	}
	out(rooted(string(kept)))
}
