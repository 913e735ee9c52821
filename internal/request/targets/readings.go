// Package targets reads the path of a request as backends do. It knows no Caddy.
package targets

import (
	"slices"
	"strings"

	"github.com/signedlink/caddy-signed-link/backend"
	"github.com/signedlink/caddy-signed-link/query"
)

// A definition covers the requests that its matcher accepts, and the matcher reads the
// path in another way than the backend does: Tomcat serves `/app;x/` from /app, PHP runs
// /autologin.php for `/autologin.php/`, and Symfony routes `/index.phpapp/1` as /app/1.
// Each such way is a row of [Rows], and what it makes of a path is a reading. A
// definition applies where its matcher accepts the path as sent or any reading of it, so
// a reading too many judges a request too many, and a reading too few is a hole (the
// class of CVE-2020-5902, CVE-2020-11989 and CVE-2018-14371).

// MaxPath is how long a path may be, as sent, whose readings are made. No browser, mail
// program or proxy sends longer ones through: nginx and Apache admit 8 KiB of request line.
const MaxPath = 8 << 10

// MaxReadings is how many readings a path may have. Of 765 honest addresses, one has up to
// 54 (a script in a web archive, on a site with a port) and all others up to 17; hostile
// ones with one trick have up to 25, and each further script in a path makes three or four.
// More is nobody's link, but work for the matchers.
const MaxReadings = 64

// maxWork is how many bytes may be looked at and copied to make the readings of a path. An
// address of 200 bytes with 54 readings needs a twentieth of it, and none was found of
// 2 KiB that needs more; one of 8 KiB that tries each trick once would need twice as
// much, and each of its readings is 8 KiB of work for each matcher.
const maxWork = 2 << 20

// Target is what a request asks for, as it was sent.
type Target struct {
	Path  string // percent-encoded
	Query string // without the question mark
	Host  string // with the port, if there is one
}

// step says where in the chain a row stands. Each step hands on what it was given and
// what its rows make of it.
type step uint8

const (
	source    step = iota // as sent: which part of the target is the path
	parameter             // as sent: what a segment is
	early                 // as sent: dots, before anything is decoded
	letter                // decoded: what a letter is
	dot                   // decoded: dots
	again                 // decoded, dots resolved: what is decoded once more
	script                // what a script leaves of a path
	end                   // where a path ends
	steps
)

// Row is one way of reading.
type Row struct {
	Name                 string
	PHP, Servlet, Strict bool
	Backend              string // who reads so

	step step
	read func(r *reader, in string, out func(path string))
}

// Rows is the table of the readings, the one place that says which profile has which. A
// test takes out one row after the other and sees the tests fail. What is said of Caddy,
// PHP, Symfony, Laravel, Slim, Apache, Tomcat and Jetty was run; the others were read.
var Rows = []Row{
	{"network_path", true, false, true, "PHP's parse_url, in countless small front controllers: //x/app and //x:80/app are /app, ///x is nothing", source, networkPath},
	{"base_url", true, false, true, "CakePHP 2: of path and query with :// in the path, as many characters go as http://host has", source, baseURL},
	{"query_path", true, false, true, "CodeIgniter 3 and 4: /?/app and /index.php?/app are /app, /shop/?/app is /shop/app", source, queryPath},
	{"path_parameters", false, true, true, "Tomcat 9 and 10, Jetty 9.4: /app;x/ is /app, /x/..;/app is /app", parameter, withoutParameters},
	{"dots_early_merged", true, true, true, "Apache 2.4: %2F is a letter when dots are resolved, // is one slash: /x%2F../app", early, dotsEarlyMerged},
	{"dots_early", true, true, true, "RFC 3986, Jetty 9.4: the same, but // has an empty segment in it", early, dotsEarly},
	{"backslash", false, true, true, "Tomcat (ALLOW_BACKSLASH) and Jetty on Windows: \\app is /app", letter, backslash},
	{"dots_merged", true, true, true, "Caddy's FastCGI, nginx, Tomcat: dots are resolved when all is decoded, // is one slash", dot, dotsMerged},
	{"dots", true, true, true, "Jetty 9.4: the same, but // has an empty segment in it: /app//.. is /app/", dot, dotsKept},
	{"dots_as_names", true, false, true, "Symfony, Laravel, Slim route REQUEST_URI as sent: /app/.. is below /app", dot, dotsAsNames},
	{"dots_dropped", true, false, true, "CodeIgniter 3: empty segments and .. go, and take nothing along: /app/../login is /app/login", dot, dotsDropped},
	{"folder_by_length", true, false, true, "Drupal 7, Joomla 3 in /shop: five characters of REQUEST_URI go, whatever they are: /a/../shop/", dot, folderByLength},
	{"folder_missed", true, false, true, "Slim, CodeIgniter 3 in /shop: where REQUEST_URI does not begin with it, all of it is the route: /app/../shop", dot, folderMissed},
	{"decoded_again", true, false, true, "Apache's RewriteRule ^(.*)$ index.php?url=$1 decodes, and PHP once more: /%2561pp and /%252fapp are /app", again, decodedAgain},
	{"rewritten_query", true, false, true, "the same RewriteRule: %23 ends the path, & begins another parameter: /app%23x, /app%26x, /x%26url=app", again, rewrittenQuery},
	{"plus_is_blank", true, false, true, "Slim 3, Yii 2 and Drupal 7 decode paths as queries: /my+app is /my app", again, plusIsBlank},
	{"script", true, false, true, "PHP-FPM, mod_php, Caddy's FastCGI: /autologin.php/x and /autologin.phpx.php run /autologin.php", script, scriptOf},
	{"script_rest", true, false, true, "Symfony, Laravel, Slim, Yii 2, WordPress: /index.php/app and /index.phpapp are /app", script, restOf},
	{"script_folder", true, false, true, "the same in a folder: /shop/index.php/app is the page /shop/app", script, folderOf},
	{"folder_twice", true, false, true, "WordPress in /shop drops the folder once more: /shop/index.php/shopapp is /shop/app", script, folderTwice},
	{"nul_cut", true, false, true, "PHP-FPM ends PATH_INFO and SCRIPT_NAME at a NUL: /index.php/app%00x is /app", end, nulCut},
}

// chains are the rows of each profile, by step.
var chains = chainsOf(Rows)

func chainsOf(rows []Row) (c [3][steps][]Row) {
	for _, row := range rows {
		for p, has := range [...]bool{backend.Strict: row.Strict, backend.PHP: row.PHP, backend.Servlet: row.Servlet} {
			if has {
				c[p][row.step] = append(c[p][row.step], row)
			}
		}
	}
	return c
}

// PlusIsBlank reports whether some backend of the profile reads a '+' in a path as a blank.
func PlusIsBlank(profile backend.Profile) bool {
	return slices.ContainsFunc(chains[profile][again], func(r Row) bool { return r.Name == "plus_is_blank" })
}

// Readings are what [Read] returns, for those who keep it.
type Readings struct {
	Paths []string
	All   bool
}

// ReadAll is [Read].
func ReadAll(profile backend.Profile, t Target) *Readings {
	r := new(Readings)
	r.Paths, r.All = Read(profile, t)
	return r
}

// Read returns how a backend of the profile may read the target, where that differs from
// the path decoded once, which is what matchers see. It reports false for a target beyond
// the bounds: then the readings are not all. What every reader reads alike has none, and
// costs nothing.
func Read(profile backend.Profile, t Target) (readings []string, ok bool) {
	if len(t.Path) > MaxPath {
		return nil, false
	}
	if t.Path == "" {
		return []string{"/"}, true // http://host without a path
	}
	if Plain(profile, t) {
		return nil, true
	}
	if q, _, _ := strings.Cut(t.Query, "?"); len(q) > MaxPath && q[0] == '/' {
		return nil, false // which may be the path
	}
	r := reader{chain: &chains[profile], target: t}
	return r.read(), !r.full()
}

// reader makes the readings of one target.
type reader struct {
	chain    *[steps][]Row
	target   Target
	sent     string   // the path decoded once
	spelled  []string // with dots done with
	paths    []string // whose scripts were looked for
	readings []string
	work     int // bytes looked at and copied
}

// full reports whether there are too many readings already, or too long ones, so that no
// more are made.
func (r *reader) full() bool { return len(r.readings) > MaxReadings || r.work > maxWork }

// each calls do with the path and with all that the rows of this step make of it.
func (r *reader) each(s step, in string, do func(path string)) {
	do(in)
	r.rows(s, in, do)
}

func (r *reader) rows(s step, in string, do func(path string)) {
	for _, row := range r.chain[s] {
		if r.full() {
			return
		}
		r.work += len(in)
		row.read(r, in, func(path string) {
			r.work += len(path)
			do(path)
		})
	}
}

// read goes the whole chain.
func (r *reader) read() []string {
	r.sent = r.decode(r.target.Path)
	r.each(source, rooted(r.target.Path), func(path string) {
		r.each(parameter, path, func(path string) {
			r.each(letter, r.decode(path), func(path string) { r.each(dot, path, r.spell) })
			r.rows(early, path, func(path string) { r.spell(r.decode(path)) })
		})
	})
	return r.readings
}

// spell goes the part of the chain in which dots are done with.
func (r *reader) spell(path string) {
	if path = rooted(path); r.full() || slices.Contains(r.spelled, path) {
		return
	}
	r.spelled = append(r.spelled, path)
	r.each(again, path, r.run)
}

// run looks for scripts in a path.
func (r *reader) run(path string) {
	if path = rooted(path); r.full() || slices.Contains(r.paths, path) {
		return
	}
	r.paths = append(r.paths, path)
	r.each(script, path, func(path string) { r.each(end, path, r.add) })
}

func (r *reader) add(path string) {
	if path != r.sent && !r.full() && !slices.Contains(r.readings, path) {
		r.readings = append(r.readings, path)
	}
}

func (r *reader) decode(path string) string {
	r.work += len(path)
	return query.UnescapePath(path)
}

// Plain reports whether every reader reads the target alike.
func Plain(profile backend.Profile, t Target) bool {
	php := profile != backend.Servlet
	if t.Path == "*" {
		return true // OPTIONS *
	}
	if t.Path == "" || t.Path[0] != '/' || php && strings.HasPrefix(t.Query, "/") {
		return false
	}
	for i := range len(t.Path) {
		switch t.Path[i] {
		case ';', '%', '\\':
			return false
		case '+', '&', '#', 0:
			if php {
				return false
			}
		case '/':
			if i+1 < len(t.Path) && (t.Path[i+1] == '/' || t.Path[i+1] == '.') {
				return false
			}
		case '.':
			if php && scriptEnd(t.Path[i:]) > 0 {
				return false
			}
		}
	}
	return true
}
