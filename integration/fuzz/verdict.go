package main

import (
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/signedlink/caddy-signed-link/integration/backends"
)

// excuses are rules that a configuration may break because that was said when it loaded,
// by the code of what was said.
var excuses = map[string][]string{
	"exact_path":          {"nobody", "nobody's"},
	"php_lookup":          {"nobody", "nobody's"},
	"rewrite_unknown":     {"nobody", "nobody's"},
	"matcher_beside_path": {"nobody", "nobody's"},
	"early_reader":        {"leak", "source", "signature", "nobody's", "unsigned", "REMOTE_USER"},
	"overwritten_header":  {"forged", "headers", "identity", "REMOTE_USER", "honest", "nobody's"},
	"files_first":         {"file"},
	"identity_first":      {},
	"open_target":         {"nobody"},
}

// excused tells whether a rule may be broken after what was said.
func excused(rule, said string) bool {
	for code, rules := range excuses {
		if strings.Contains(said, `"code":"`+code+`"`) && slices.ContainsFunc(rules, func(r string) bool { return rule == r || strings.HasPrefix(rule, r+" ") }) {
			return true
		}
	}
	return false
}

// ran tells whether what is protected has answered.
func (c *configuration) ran(s *backends.Seen) bool {
	switch c.protects {
	case "app":
		return isApp(s)
	case "below":
		return isApp(s) && strings.HasPrefix(front(s), "/app/") && strings.Trim(front(s), "/") != "app"
	case "login":
		if servlet(s) {
			return front(s) == "/app/login"
		}
		return s.App == "route login"
	case "none":
		return false
	case "page":
		return kindOf(c.kind).protects(s)
	}
	return s.App == c.protects
}

// honestRule is the rule that honest requests pass.
func honestRule(q *request) string {
	if q.Body != "" {
		return "honest form"
	}
	return "honest"
}

// linked tells whether the signature of a good link is in the request, wherever.
func (c *configuration) linked(q *request) bool {
	evidence := q.evidence()
	return slices.ContainsFunc([]string{ownKey, ownAKID, ownForm}, func(s string) bool { return strings.Contains(evidence, s) })
}

// role is what the site has of this module.
func (c *configuration) role(site string) string {
	l := c.site(site)
	switch {
	case site == "SITE1" || l == nil:
		return "definition"
	case hasLine(l.body, "signed_link unguarded"):
		return "unguarded"
	default:
		return "guard" // or nothing at all: then a forged identity is a hole
	}
}

// judge says what is wrong with the answer to a request.
func (c *configuration) judge(r *run, b *backend, q *request, a *answer, reached, old bool) (found []violation) {
	report := func(rule, format string, args ...any) {
		found = append(found, violation{rule, fmt.Sprintf(format, args...)})
	}
	errorRoute := a.Header.Get(errorRoute) != ""
	refused := a.Header.Get("Cache-Control") == "no-store"
	if refused && reached && !errorRoute && !c.has("handle_errors") {
		report("refused", "a refused request reached the backend (%d)", a.Status)
	}
	// What an application says to a request that is broken in itself is its own: it may be
	// asked only because the gateway cut what it would have refused before.
	if a.Status == http.StatusInternalServerError && !reached {
		report("failure", "%d %.300q", a.Status, a.Body)
	}
	s, err := backends.Decode(a.Body)
	if err != nil {
		if c.mode == modeRequire && strings.HasPrefix(string(a.Body), "<?php\n$app = '"+c.protects) && !q.Honest && !c.linked(q) {
			report("file", "the answer is the script itself: %.100q", a.Body)
		}
		if q.Honest {
			report(honestRule(q), "an honest link is refused: %d %.200q", a.Status, a.Body)
		}
		return found
	}
	role := c.role(q.Site)
	if role == "unguarded" {
		return nil
	}
	k := kindOf(c.kind)
	k2 := *k
	k2.protects = c.ran
	check := &check{
		target: &target{run: r, kind: &k2, mode: c.mode, profile: c.profile, backend: b},
		q:      q, s: s, evidence: q.evidence(), errorRoute: errorRoute, refused: refused, own: true,
	}
	check.drawn(c, role, old, report)
	return found
}

// drawn holds what an application saw behind a drawn configuration against the promise.
func (c *check) drawn(of *configuration, role string, old bool, report func(rule, format string, args ...any)) {
	s := c.s
	ran := of.ran(s)
	for name, values := range s.Headers {
		f := fold(name)
		if f == "remote-user" && of.has("accept Remote-User") && hasLine(of.options, "trusted_proxies") {
			continue // the client is the proxy that is trusted
		}
		if isIdentity(f) && slices.ContainsFunc(values, func(v string) bool { return strings.Contains(v, forged) }) {
			report("identity", "%s: %q", name, values)
		}
	}
	headers := trusted(s)
	if !of.has("request_header X-Member") {
		delete(headers, "x-member") // anybody's
	}
	users := headers["x-verified-user"]
	if s.RemoteUser != "" && strings.Contains(s.RemoteUser, forged) {
		report("REMOTE_USER", "the remote user is %q", s.RemoteUser)
	}
	if c.kind.inPath() && role == "guard" {
		values, ran := c.kind.carried.Shown(s)
		if c.kind.carried.Name == "cut" { // the page has one segment
			ran = slices.ContainsFunc(values, func(v string) bool { return !strings.Contains(v, "/") })
		}
		if ran && of.mode != modeObserve && !c.kind.open() && !c.kind.carried.Whole {
			report("nobody internal", "another site leads to the page of %q, at %q", values, s.RequestURI)
		}
	}
	if role != "definition" {
		if len(headers) > 0 {
			report("forged", "%s without a definition: %q", of.shape, headers)
		}
		return
	}
	operator := of.has("request_header X-Verified-User") // who sets it is believed
	var proof verified
	known := false
	switch {
	case c.mode == modeObserve:
		if len(headers) > 0 && !operator {
			report("headers", "observe sets, or lets through, %q", headers)
		}
		return
	case len(users) > 1:
		report("headers", "X-Verified-User is there %d times: %q", len(users), users)
		return
	case len(users) == 1:
		user := c.text(users[0])
		if proof, known = c.kind.prove(user, s, c.evidence); !known {
			report("forged", "X-Verified-User is %q, for which there was no link", user)
			break
		}
		want := map[string]string{"x-verified-user": users[0], "x-verified-scheme": proof.scheme}
		if of.has("request_header X-Member") {
			want["x-member"] = "member-" + users[0]
		}
		if proof.scheme == "akid" {
			want["x-verified-mailing"] = mailing
		}
		if f := "x-member"; headers[f] == nil && countLines(of.sites, "request_header X-Member") < definitions(of.sites) {
			delete(want, f) // not all of them set it
		}
		for name, values := range headers {
			if len(values) != 1 || values[0] != want[name] {
				report("headers", "%s is %q, not %q", name, values, want[name])
			}
		}
		for name := range want {
			if headers[name] == nil {
				report("headers", "%s is missing", name)
			}
		}
	case of.kind == "two" && slices.Equal(headers["x-verified-scheme"], []string{"referrer"}):
		if !slices.Equal(headers["x-verified-mailing"], []string{"9999"}) || !slices.Equal(headers["x-verified-key-id"], []string{"k1"}) || !strings.Contains(c.evidence, otherAKID) {
			report("headers", "of two links: %q", headers)
		}
	case len(headers) > 0:
		report("headers", "headers without a verified user: %q", headers)
	}
	// With `authorization keep` a password counts beside the link, and the operator has said so.
	if s.Backend == backends.BackendFPM && !of.has("env REMOTE_USER") && (!of.has("authorization keep") || !of.has("basic_auth")) {
		want := strings.Join(users, "")
		if s.RemoteUser != want && (want != "" || s.RemoteUser != "staging" || !of.has("basic_auth")) {
			report("REMOTE_USER", "REMOTE_USER is %q, X-Verified-User %q", s.RemoteUser, want)
		}
	}
	otherHost := of.has("host") && (strings.Contains(c.q.target(), "://") || c.q.has("host"))
	c.carriedIn(users, known, report)
	if ran && len(users) == 0 && !c.nobodyPasses() && !c.errorRoute && !otherHost && !c.kind.open() {
		report("nobody", "%s answered nobody, at %q", s.App, s.RequestURI)
	}
	if c.q.Honest && of.kind != "two" && (!known || !ran) && (!c.errorRoute || !c.failed) {
		report(honestRule(c.q), "an honest link is not recognized: %s at %q for %q", s.App, s.RequestURI, users)
	}
	if known {
		c.beside(of, old, report)
		if ran {
			c.values(proof.values, report)
		}
	}
	switch {
	case known:
	case c.errorRoute && c.refused && (ran || strings.HasPrefix(string(c.q.Path), "/app")):
		c.nothing(slices.Concat(c.kind.signed, c.kind.signature), true, report)
	case ran && c.nobodyPasses() && of.kind != "two" && !otherHost:
		c.nothing(slices.Concat(c.kind.identity, c.kind.signature), false, report)
	}
}

// beside checks what else could say who the user is, beside a verified one.
func (c *check) beside(of *configuration, old bool, report func(rule, format string, args ...any)) {
	s := c.s
	if got := s.Header("Authorization"); (len(got) > 0 || s.Server["PHP_AUTH_USER"] != "") && !of.has("authorization keep") {
		report("authorization", "Authorization %q and PHP_AUTH_USER %q beside a verified user", got, s.Server["PHP_AUTH_USER"])
	}
	if cookies := s.Cookies[session]; len(cookies) > 0 && (old || countLines(of.sites, "cookies cut") >= definitions(of.sites)) {
		report("session", "the cookie %s is %q beside a verified user", session, cookies)
	}
	if c.mode == modeRecognize {
		return // bodies are not judged
	}
	for source, parameters := range map[string]map[string][]string{"parameters": s.Params, "$_POST": s.Post} {
		for name, values := range parameters {
			if (name == "_method" || !servlet(s) && strings.EqualFold(name, "_method")) && slices.Contains(values, http.MethodDelete) {
				report("override", "%s of %s is %q on a request whose method was judged", name, source, values)
			}
		}
	}
	if got := s.Header("X-HTTP-Method-Override"); len(got) > 0 {
		report("override", "X-HTTP-Method-Override is %q", got)
	}
}

// decodeSeen is what an application saw, or nil.
func decodeSeen(a *answer) *backends.Seen {
	s, err := backends.Decode(a.Body)
	if err != nil {
		return nil
	}
	return s
}
