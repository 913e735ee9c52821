package targets

import (
	"strings"

	"github.com/signedlink/caddy-signed-link/query"
)

// folderByLength cuts as many characters off the path as the folder of the application
// has, which is the folder that the resolved path begins with: of
// `/aaaa/app/x/../../../shop/` Drupal 7 in /shop routes `app/x/…`, where /shop/app/x is meant.
func folderByLength(_ *reader, in string, out func(path string)) {
	eachFolder(in, func(folder string) {
		if n := len(folder) + 1; len(in) > n {
			out(folder + asNames("/"+in[n:]))
		}
	})
}

// folderMissed takes the whole path for the route of an application in such a folder.
func folderMissed(_ *reader, in string, out func(path string)) {
	eachFolder(in, func(folder string) { out(folder + asNames(in)) })
}

// eachFolder calls do with the first folders of a path when it is resolved, if it does not
// begin with them as it is.
func eachFolder(in string, do func(folder string)) {
	if !strings.Contains(in, "/.") {
		return
	}
	resolved, _ := resolve(in, false, true)
	for from := 1; from < len(resolved); {
		folder := resolved
		if i := strings.IndexByte(resolved[from:], '/'); i >= 0 {
			folder = resolved[:from+i]
		}
		if strings.Count(folder, "/") > maxFolders {
			return
		}
		from = len(folder) + 1
		if rest, is := strings.CutPrefix(in, folder); !is || rest != "" && rest[0] != '/' {
			do(folder)
		}
	}
}

// maxFolders is how deep an application may live for [eachFolder].
const maxFolders = 2

func decodedAgain(r *reader, in string, out func(path string)) {
	if strings.ContainsAny(in, "%+") {
		anew(query.Unescape(in), out)
	}
}

// anew puts out a path that was decoded once more, and without the dots and the empty
// segments that came of it: whoever takes a parameter for a route trims its slashes, so
// that /%252fapp is /app.
func anew(path string, out func(path string)) {
	out(path)
	if resolved, is := resolve(rooted(path), false, true); is {
		out(resolved)
	}
}

// rewrittenQuery reads a path that a RewriteRule has put into a query: it ends at `#` and
// at `&`, and what stands behind `=` in a later parameter may take its place.
func rewrittenQuery(r *reader, in string, out func(path string)) {
	if !strings.ContainsAny(in, "&#") {
		return
	}
	in, _, _ = strings.Cut(in, "#")
	first, rest, _ := strings.Cut(in, "&")
	anew(query.Unescape(first), out)
	for parameter := range strings.SplitSeq(rest, "&") {
		if r.full() {
			return
		}
		if _, value, has := strings.Cut(parameter, "="); has {
			if strings.ContainsAny(value, "%+") {
				value = query.Unescape(value)
			}
			anew(value, out)
		}
	}
}

func plusIsBlank(r *reader, in string, out func(path string)) {
	if strings.Contains(in, "+") {
		out(strings.ReplaceAll(in, "+", " "))
	}
}

func scriptOf(r *reader, in string, out func(path string)) {
	eachScript(r, in, out, func(script, _ string) string { return script })
}

func restOf(r *reader, in string, out func(path string)) {
	eachScript(r, in, out, func(_, rest string) string { return rooted(rest) })
}

// folderOf puts what stands behind a script into the script's folder, and into that of the
// first script, whose name some remove wherever it stands.
func folderOf(r *reader, in string, out func(path string)) {
	first, has := "", false
	eachScript(r, in, out, func(script, rest string) string {
		folder := script[:strings.LastIndexByte(script, '/')]
		rest = rooted(rest)
		if !has {
			first, has = folder, true
		} else if folder != first {
			out(first + rest)
		}
		return folder + rest
	})
}

// folderTwice is folderOf where what stands behind the script begins with the folder, with
// a slash behind it or without.
func folderTwice(r *reader, in string, out func(path string)) {
	eachScript(r, in, out, func(script, rest string) string {
		folder := script[:strings.LastIndexByte(script, '/')]
		rest = rooted(rest)
		if n := len(folder); n > 0 && len(rest) > n && strings.EqualFold(rest[:n], folder) {
			return folder + rooted(rest[n:])
		}
		return folder + rest
	})
}

// eachScript puts out what of makes of each script in the path, and of what stands behind
// it.
func eachScript(r *reader, in string, out func(path string), of func(script, rest string) string) {
	if !strings.Contains(in, ".p") && !strings.Contains(in, ".P") {
		return // as all endings begin
	}
	for i := range in {
		if in[i] != '.' {
			continue
		}
		if r.full() {
			return
		}
		for n := scriptEnd(in[i:]); n > 0; n = longerEnd(in[i:], n) {
			out(of(in[:i+n], in[i+n:]))
			after := strings.TrimPrefix(in[i+n:], "/")
			if leadingDots(after) == 2 {
				out(of(in[:i+n], after[2:])) // CodeIgniter 3 drops dots when the script is gone
			}
		}
	}
}

// scriptEnd returns how long the ending of a script is with which p begins, if something
// stands behind it, and 0 if it begins with none.
//
// Behind `.php` that may be anything: Caddy's FastCGI splits at the first, and Symfony cuts
// SCRIPT_NAME off REQUEST_URI. PHP's handlers fold ASCII only, and so does this: with
// Unicode's lower case the offsets would not be those of p.
func scriptEnd(p string) int {
	if hasEnding(p, ".php") && len(p) > len(".php") {
		return len(".php")
	}
	return longerEnd(p, 0)
}

// endings are those of other scripts that Debian's mod_php has run in the last ten years,
// and whose source it shows; .php3 to .php8 stand for any digit.
var endings = []string{".php#", ".phps", ".pht", ".phtml", ".phar"}

// longerEnd returns the length of an ending longer than n with a slash or NUL behind it.
func longerEnd(p string, n int) int {
	for _, ending := range endings {
		if e := len(ending); e > n && len(p) > e && (p[e] == '/' || p[e] == 0) && hasEnding(p, ending) {
			return e
		}
	}
	return 0
}

// hasEnding reports whether p begins with the ending, in any case. '#' is any digit.
func hasEnding(p, ending string) bool {
	if len(p) < len(ending) {
		return false
	}
	for i := range len(ending) {
		switch c := p[i]; {
		case ending[i] == '#':
			if c < '0' || c > '9' {
				return false
			}
		case ending[i] == '.':
			if c != '.' {
				return false
			}
		case c|0x20 != ending[i]:
			return false
		}
	}
	return true
}

// nulCut ends a path at a NUL.
func nulCut(r *reader, in string, out func(path string)) {
	if cut, _, has := strings.Cut(in, "\x00"); has {
		out(cut)
	}
}
