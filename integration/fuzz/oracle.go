package main

import (
	"bytes"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/signedlink/caddy-signed-link/integration/backends"
	"github.com/signedlink/caddy-signed-link/integration/corpora"
)

// The reference. It knows what the promise says and which secrets there are; how the
// gateway reads a request it does not know.

// modes of a definition.
const (
	modeRequire   = "require"
	modeRecognize = "recognize"
	modeErrors    = "errors" // require, with an error route that asks the application
	modePass      = "pass"   // require, with `missing pass`
	modeObserve   = "observe"
)

// errorRoute is the header of answers that an error route has fetched.
const errorRoute = "X-Error-Route"

// violation is one way in which an answer breaks the promise.
type violation struct {
	Rule string // which part of the promise; the same for all of its kind
	What string
}

// judge says what is wrong with an answer to the request. reached tells whether the
// gateway asked the backend.
func (t *target) judge(q *request, a *answer, id string, reached bool) (found []violation, s *backends.Seen) {
	report := func(rule, format string, args ...any) {
		found = append(found, violation{rule, fmt.Sprintf(format, args...)})
	}
	fromErrorRoute := a.Header.Get(errorRoute) != ""
	refused := a.Header.Get("Cache-Control") == "no-store" // no backend says so
	if refused && !fromErrorRoute && reached {
		report("refused", "a refused request reached the backend (%d)", a.Status)
	}
	if refused && t.mode == modeObserve {
		report("observe", "a request is refused: %d %q", a.Status, a.Body)
	}
	if refused && q.Honest {
		report("honest", "an honest link is refused: %d %q", a.Status, a.Body)
	}
	// Caddy refuses some requests before all routes, its proxies some behind.
	verdict := strings.TrimLeft(a.Header.Get(errorRoute), "0123456789 ")
	if a.Status == http.StatusInternalServerError && !reached {
		report("failure", "the gateway fails: %q", a.Body)
	}
	s, err := backends.Decode(a.Body)
	if err != nil {
		if bytes.Contains(a.Body, []byte(`"backend":`)) && a.Status == http.StatusOK && q.Method != http.MethodHead {
			report("answer", "unreadable answer: %q", a.Body)
		}
		return found, nil
	}
	own := true
	if ids := s.Header(idHeader); len(ids) > 0 {
		if own = ids[0] == id; !own && strings.HasPrefix(ids[0], t.runID()) {
			report("desync", "the answer is that to another request")
		}
	}
	c := &check{target: t, q: q, s: s, errorRoute: fromErrorRoute, refused: refused, failed: verdict == "valid", own: own, evidence: q.evidence()}
	c.run(report)
	return found, s
}

// check is one answer of an application.
type check struct {
	*target
	q          *request
	s          *backends.Seen
	evidence   string
	errorRoute bool
	refused    bool
	failed     bool // on the error route, although the link verified
	trimmed    bool // php -S leaves the first '?' of a query out
	own        bool // the answer is that to the request, not to one hidden in its body
}

// nobodyPasses tells whether a request may reach the application without an identity.
func (c *check) nobodyPasses() bool { return c.mode == modeRecognize || c.mode == modePass }

func (c *check) run(report func(rule, format string, args ...any)) {
	s := c.s
	app := c.kind.protects(s)
	about := ""
	if strings.ContainsFunc(string(c.q.Query), undelimited) {
		about = "raw byte, " // about where the query ends
	}
	if app && s.App == "index.php" {
		about += "front controller, " // protected only because of how it routes
	}
	always := report
	report = func(rule, format string, args ...any) { always(about+rule, format, args...) }
	headers := trusted(s)
	users := headers["x-verified-user"]
	var proof verified
	known := false
	switch {
	case c.mode == modeObserve:
		if len(headers) > 0 {
			report("headers", "observe sets, or lets through, %q", headers)
		}
	case len(users) == 0:
		if len(headers) > 0 {
			report("headers", "headers without a verified user: %q", headers)
		}
		if app && !c.nobodyPasses() && !c.kind.open() && (!c.errorRoute || c.failed) {
			report("nobody", "%s answered nobody, at %q", s.App, s.RequestURI)
		}
		if app && c.q.Honest && c.own && !c.failed {
			report("honest", "an honest link is not recognized")
		}
	case len(users) == 1:
		user := c.text(users[0])
		if proof, known = c.kind.prove(user, s, c.evidence); !known {
			report("forged", "X-Verified-User is %q, for which there was no link", user)
		} else {
			want := map[string][]string{"x-verified-user": users, "x-verified-scheme": {proof.scheme}, "x-member": {"member-" + users[0]}}
			if proof.scheme == "akid" {
				want["x-verified-mailing"] = []string{mailing}
			}
			for name, values := range headers {
				if !slices.Equal(values, want[name]) {
					report("headers", "%s is %q, not %q", name, values, want[name])
				}
			}
			for name := range want {
				if headers[name] == nil {
					report("headers", "%s is missing", name)
				}
			}
		}
		if c.errorRoute && !c.failed {
			report("error route", "X-Verified-User is %q on the error route", user)
		}
		if !app && !c.near() {
			report("elsewhere", "X-Verified-User went to %q, at %q", s.App, s.RequestURI)
		}
	default:
		report("headers", "X-Verified-User is there %d times: %q", len(users), users)
	}
	if s.Backend == backends.BackendFPM {
		if user := strings.Join(users, ""); s.RemoteUser != user && len(users) < 2 {
			report("REMOTE_USER", "REMOTE_USER is %q, X-Verified-User %q", s.RemoteUser, user)
		}
	}
	for name, values := range s.AllHeaders { // Apache's mod_php shows trailers here only
		if f := fold(name); isTrusted(f) && !slices.Equal(values, headers[f]) {
			report("getallheaders", "getallheaders() has %s: %q, $_SERVER %q", name, values, headers[f])
		}
	}
	for name := range s.Headers {
		switch f := fold(name); {
		case slices.Contains(rerouting, f):
			report("rerouting", "%s: %q", name, s.Headers[name])
		case isIdentity(f):
			report("identity", "%s: %q", name, s.Headers[name])
		}
	}
	for name := range s.AllHeaders {
		if isIdentity(fold(name)) {
			report("getallheaders identity", "%s: %q", name, s.AllHeaders[name])
		}
	}
	if len(users) > 0 && c.mode != modeObserve { // PHP makes PHP_AUTH_USER of it
		if got := s.Header("Authorization"); len(got) > 0 || s.Server["PHP_AUTH_USER"] != "" {
			report("authorization", "Authorization %q and PHP_AUTH_USER %q beside a verified user", got, s.Server["PHP_AUTH_USER"])
		}
	}
	switch {
	case known:
		c.values(proof.values, report)
	case c.errorRoute && (app || c.refused):
		c.nothing(slices.Concat(c.kind.signed, c.kind.signature), true, report)
	case app && c.nobodyPasses():
		c.nothing(slices.Concat(c.kind.identity, c.kind.signature), false, report)
	}
	c.carriedIn(users, known, report)
	if c.own {
		c.bytes(known, app, report)
	}
}

// rerouting are headers by which frameworks take another URL.
var rerouting = []string{"x-original-url", "x-original-uri", "x-rewrite-url", "x-rewrite-uri", "x-script-name", "x-forwarded-prefix", "x-forwarded-uri", "x-forwarded-path", "forwarded"}

// identityNames and identityPrefixes are headers in which other gateways say who the user
// is. No definition of the fuzzer sets one.
var (
	identityNames = []string{
		"remote-user", "remote-groups", "remote-name", "remote-email", "x-remote-user", "redirect-remote-user", "auth-user", "x-auth-user", "x-auth-username",
		"x-webauth-user", "x-authenticated-user", "x-forwarded-user", "x-forwarded-email", "sm-user",
	}
	identityPrefixes = []string{
		"php-auth-", "x-auth-request-", "x-authentik-", "x-pomerium-", "cf-access-", "x-goog-authenticated-user-", "x-amzn-oidc-", "x-ms-client-principal", "tailscale-user-", "ssl-client-",
	}
)

func isIdentity(fold string) bool {
	return slices.Contains(identityNames, fold) || slices.ContainsFunc(identityPrefixes, func(p string) bool { return strings.HasPrefix(fold, p) })
}

// trusted are the headers that only the gateway may set, by their fold.
func trusted(s *backends.Seen) map[string][]string {
	found := make(map[string][]string)
	for name, values := range s.Headers {
		if f := fold(name); isTrusted(f) {
			found[f] = append(found[f], values...)
		}
	}
	return found
}

// isTrusted tells whether only the gateway may set a header with that fold.
func isTrusted(fold string) bool {
	return strings.HasPrefix(fold, "x-verified-") || fold == "x-member"
}

// fold is the name under which the most lenient application finds a header.
func fold(name string) string {
	b := []byte(strings.ToLower(strings.TrimPrefix(name, "HTTP_")))
	for i, c := range b {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') {
			b[i] = '-'
		}
	}
	return string(b)
}

// text are the bytes of a header: getHeader makes a character of each.
func (c *check) text(value string) string {
	if !servlet(c.s) {
		return value
	}
	b, err := corpora.Bytes(value)
	if err != nil {
		return value
	}
	return b
}

// servlet tells whether a servlet container answered.
func servlet(s *backends.Seen) bool {
	return s.Backend == backends.BackendTomcat || s.Backend == backends.BackendTomcat9 || s.Backend == backends.BackendJetty
}

// near tells whether the path that was sent may be read as the protected one: the matcher
// does not mind case, some backends decode twice, and the link is good, so that nobody is
// fooled.
func (c *check) near() bool {
	if c.kind.inPath() { // it leads to the page, or nowhere; but of `signature {path.2}` nobody signs the first segment
		return c.kind.carried.Name == "cut" && strings.Contains(strings.ToLower(decode(decode(string(c.q.Path), false), false)), "/v/")
	}
	path := strings.ToLower(decode(decode(string(c.q.Form+c.q.Path+"?"+c.q.Query), false), false))
	return strings.Contains(path, "app") || strings.Contains(path, "autologin.php")
}

// values checks that every source has what was verified, or nothing.
func (c *check) values(want map[string]string, report func(rule, format string, args ...any)) {
	for source, parameters := range c.sources(!c.nobodyPasses()) {
		if c.kind.covers {
			for name, values := range parameters {
				if c.isCookie(source, name) || name == c.backend.path {
					continue
				}
				if _, signed := want[name]; !signed && !strings.HasPrefix(name, ignorePrefix) {
					report("unsigned "+source, "%s has %s=%q, which nobody signed", source, name, values)
				}
			}
		}
		for _, name := range c.kind.signed {
			values, there := parameters[name]
			value, signed := want[name]
			switch {
			case !there:
			case !signed:
				report("unsigned "+source, "%s has %s=%q, which nobody signed", source, name, values)
			case len(values) != 1 || values[0] != value:
				report("source "+source, "%s has %s=%q, not %q", source, name, values, value)
			}
		}
		for _, name := range c.kind.signature {
			if values, there := parameters[name]; there {
				report("signature "+source, "%s has the signature %s=%q", source, name, values)
			}
		}
	}
	for _, name := range slices.Concat(c.kind.signed, c.kind.signature) {
		if c.s.Arrays[name] {
			report("array", "$_GET[%s] is an array", name)
		}
	}
}

// nothing checks that no source has one of the parameters.
func (c *check) nothing(names []string, bodies bool, report func(rule, format string, args ...any)) {
	for source, parameters := range c.sources(bodies) {
		for _, name := range names {
			if c.isCookie(source, name) && slices.Contains(c.kind.signed, name) && !slices.Contains(c.kind.identity, name) {
				continue
			}
			if values, there := parameters[name]; there && !c.fromPath() {
				report("nobody's "+source, "%s has %s=%q", source, name, values)
			}
		}
	}
}

// fromPath tells whether the server has made parameters of the path: without [B] on its
// RewriteRule, which docs/threat-model.md asks for, nobody's request may have any.
func (c *check) fromPath() bool {
	path := strings.ToLower(string(c.q.Path))
	return c.backend.name == "url-twice" && (strings.Contains(path, "&") || strings.Contains(path, "%26"))
}

// isCookie tells whether the parameter is a cookie that stands in the place of none, where
// the message covers every parameter and names none.
func (c *check) isCookie(source, name string) bool {
	return c.kind.covers && source == "$_REQUEST" && c.s.Params[name] == nil && c.s.Post[name] == nil
}

// sources are the places from which an application could read parameters. Without
// bodies, those that may come from one are left out.
func (c *check) sources(bodies bool) map[string]map[string][]string {
	s := c.s
	_, uri, _ := strings.Cut(s.RequestURI, "?")
	if servlet(s) {
		found := map[string]map[string][]string{"getQueryString": parseServlet(s.QueryString)}
		if bodies || c.q.Body == "" {
			found["getParameterValues"] = s.Params
		}
		return found
	}
	separators := "&"
	if c.backend.lenient {
		separators = "&;"
	}
	found := map[string]map[string][]string{
		"$_GET": s.Params, "QUERY_STRING": parsePHP(s.QueryString, separators), "REQUEST_URI": parsePHP(uri, separators),
	}
	if bodies {
		found["$_POST"], found["$_REQUEST"] = s.Post, s.Request
		return found
	}
	request := make(map[string][]string)
	for name, values := range s.Request {
		if _, posted := s.Post[name]; !posted {
			request[name] = values
		}
	}
	found["$_REQUEST"] = request
	return found
}

// parseServlet reads a query as a servlet container does.
func parseServlet(query string) map[string][]string {
	found := make(map[string][]string)
	for segment := range strings.SplitSeq(query, "&") {
		name, value, _ := strings.Cut(segment, "=")
		if name = decode(name, true); name != "" {
			found[name] = append(found[name], decode(value, true))
		}
	}
	return found
}

// parsePHP reads a query as parse_str does, but keeps all values of a name.
func parsePHP(query, separators string) map[string][]string {
	found := make(map[string][]string)
	for segment := range strings.FieldsFuncSeq(query, func(c rune) bool { return strings.ContainsRune(separators, c) }) {
		name, value, _ := strings.Cut(segment, "=")
		name, _, _ = strings.Cut(strings.TrimLeft(decode(name, true), " "), "\x00")
		if open := strings.IndexByte(name, '['); open > 0 && strings.IndexByte(name[open:], ']') > 0 {
			name = name[:open]
		}
		if name = strings.NewReplacer(" ", "_", ".", "_", "[", "_").Replace(name); name != "" {
			found[name] = append(found[name], decode(value, true))
		}
	}
	return found
}

// undelimited tells whether the byte is one that no URL may hold.
func undelimited(r rune) bool { return r <= ' ' || r == 0x7F || r == '#' }

// maxSegments is how many segments a query may have to be looked at.
const maxSegments = 5000

// record is a length that a FastCGI parameter surely has room for: Caddy cuts off what
// does not fit into one record of 64 KiB. So long a query reaches open paths only.
const record = 60 << 10

// bytes checks that everything but what the mode cuts left the gateway as it came.
func (c *check) bytes(known, app bool, report func(rule, format string, args ...any)) {
	sent, got := string(c.q.Query), c.s.QueryString
	if !strings.HasPrefix(c.q.target(), "/") && c.q.Form == "" || strings.Contains(string(c.q.Path), "?") || c.q.has(":path") {
		return // who knows what the query is
	}
	if strings.ContainsFunc(string(c.q.Method)+sent+string(c.q.Path), undelimited) {
		return // where a query ends is not the gateway's to say
	}
	if strings.Count(sent, "&") > maxSegments {
		return // refused where a link is looked for; elsewhere php_fastcgi drops such a query
	}
	if !known && strings.HasPrefix(sent, "/") && strings.Contains(sent, "?") {
		return // a path in the query has another query, of which the gateway cuts what it protects
	}
	switch c.s.Backend {
	case backends.BackendTomcat, backends.BackendTomcat9:
		sent = corpora.Latin1(sent) // getQueryString has bytes as characters
	case backends.BackendPHPServer:
		c.trimmed = true
	}
	switch {
	case c.mode == modeObserve:
		if len(sent) < record && got != sent && (!c.trimmed || got != strings.TrimLeft(sent, "?")) {
			report("bytes", "the query left the gateway as %q, although it is only observed", got)
		}
	case known:
		want := strings.Join(slices.DeleteFunc(strings.Split(sent, "&"), func(segment string) bool {
			name, _, _ := strings.Cut(segment, "=")
			if c.kind.keeps != nil {
				return segment != "" && !c.kind.keeps(name)
			}
			return slices.Contains(c.kind.signature, name)
		}), "&")
		if got != want && (!c.trimmed || got != strings.TrimLeft(want, "?")) {
			report("bytes", "the query left the gateway as %q, not %q", got, want)
		}
	case app || c.refused:
		if c.errorRoute && strings.Trim(got, "&") == "" {
			return // a query that cannot be read is dropped whole
		}
		if lost := c.lostSegment(sent, got); lost != "" {
			report("bytes", "the query left the gateway as %q; %q is missing or out of place", got, lost)
		}
	case !c.near() && !c.errorRoute && len(sent) < record && got != sent && (!c.trimmed || got != strings.TrimLeft(sent, "?")):
		report("bytes", "the query of an open path left the gateway as %q", got)
	}
	if !servlet(c.s) && len(c.s.RequestURI) < record {
		if _, uri, _ := strings.Cut(c.s.RequestURI, "?"); uri != got && strings.TrimLeft(uri, "?") != got {
			report("REQUEST_URI", "REQUEST_URI has the query %q, QUERY_STRING %q", uri, got)
		}
	}
}

// lostSegment returns a segment that is not in got, or not in its place, although it
// could be nobody's idea of a protected parameter.
func (c *check) lostSegment(sent, got string) string {
	left := strings.Split(got, "&")
	first := true // of those that are left
	for segment := range strings.SplitSeq(sent, "&") {
		switch {
		case len(left) > 0 && (left[0] == segment || c.trimmed && first && left[0] == strings.TrimLeft(segment, "?")):
			left, first = left[1:], false
		case segment != "" && !c.suspicious(segment):
			return segment
		}
	}
	if len(left) > 0 && got != "" {
		return left[0]
	}
	return ""
}

// suspicious tells whether anybody could take the segment for a protected parameter:
// letters of the name in their order, somewhere before the value's end.
func (c *check) suspicious(segment string) bool {
	name, _, _ := strings.Cut(segment, "=")
	if strings.Contains(segment, ";") {
		name = segment
	}
	name = strings.ReplaceAll(strings.ToLower(decode(name, false)), "%u", "\uFFFD")
	name = plain(decode(name, false))
	names := slices.Concat(c.kind.signed, c.kind.signature)
	if c.errorRoute {
		for _, k := range kinds { // what any definition protects is cut
			names = slices.Concat(names, k.signed, k.signature)
		}
	}
	return strings.ContainsAny(name, "\uFFFD") || slices.ContainsFunc(names, func(protected string) bool {
		return strings.Contains(name, plain(protected))
	})
}

// plain are the letters and digits of a text in lower case; other letters stand as
// U+FFFD.
func plain(s string) string {
	return strings.Map(func(c rune) rune {
		switch {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9':
			return c
		case 'A' <= c && c <= 'Z':
			return c + 'a' - 'A'
		case c > 0x7F:
			return 0xFFFD
		default:
			return -1
		}
	}, s)
}
