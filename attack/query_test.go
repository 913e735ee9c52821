package attack_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/signedlink/caddy-signed-link/gatewaytest"
	"github.com/signedlink/caddy-signed-link/internal/devel/fixture"
)

// TestAttackParameterPollution: a second parameter that the backend takes for the
// verified one (CVE-2022-2385; PHP takes the last, Java the first), in every spelling
// that a backend folds, whether a signature is there or not.
func TestAttackParameterPollution(t *testing.T) {
	spellings := []struct{ segment, detail string }{
		{"user=admin", "duplicate"},
		{"user=jeff", "duplicate"},
		{"user", "duplicate"},
		{"us%65r=admin", "lookalike"},
		{"%75ser=admin", "lookalike"},
		{"+user=admin", "lookalike"},
		{"%20user=admin", "lookalike"},
		{"user%00=admin", "lookalike"},
		{"user%00x=admin", "lookalike"},
		{"user%00[]=admin", "array"},
		{"user[]=admin", "array"},
		{"user%5B%5D=admin", "array"},
		{"user[0]=admin", "array"},
		{"user[x]y=admin", "array"},
		{"+user[]=admin", "array"},
		{"?user=admin", "lookalike"},
		{"USER=admin", "lookalike"},
		{"x=1;user=admin", "lookalike"},
		{";user=admin", "lookalike"},
		{"amp;user=admin", "html_escaped"},
		{"%u0075ser=admin", "lookalike"},
		{"%EF%BD%95ser=admin", "lookalike"},
		{"user%E2%80%8B=admin", "lookalike"},
		{"%09user=admin", "lookalike"},
		{"user]=admin", "lookalike"},
		{"%5Duser=admin", "lookalike"},
		{"user-=admin", "lookalike"},
		{"key[]=x", "array"},
		{"KEY=x", "lookalike"},
	}
	require, recognize := refusedAs(t, ""), refusedAs(t, "recognize")
	for _, tc := range spellings {
		for _, query := range []string{fixture.GoodLink + "&" + tc.segment, tc.segment + "&" + fixture.GoodLink} {
			if a := require.Get("/x?" + query); a.Seen != nil || a.Body.String() != "ambiguous/"+tc.detail {
				t.Errorf("%s: got %d %s, want ambiguous/%s", query, a.Code, a.Body, tc.detail)
			}
			a := recognize.Get("/x?" + query + "&a=1")
			if a.Seen == nil || a.Header1(t, "X-Verified-User") != "" {
				t.Errorf("recognize %s: got %d %s", query, a.Code, a.Body)
			} else if a.Seen.URI != "/x?a=1" || a.Seen.OrigURI != "/x?a=1" {
				t.Errorf("recognize %s: the backend sees %q, REQUEST_URI %q", query, a.Seen.URI, a.Seen.OrigURI)
			}
		}
		if tc.detail == "duplicate" {
			continue
		}
		if a := require.Get("/x?" + tc.segment); a.Seen != nil || a.Body.String() != "ambiguous/"+tc.detail {
			t.Errorf("without a signature, %s: got %d %s", tc.segment, a.Code, a.Body)
		}
	}
}

// TestAttackPHPNameFolding: `user.id`, `user id` and `user[id` are user_id to PHP.
func TestAttackPHPNameFolding(t *testing.T) {
	fixture.SetSecrets(t)
	for _, backend := range []string{"php", "strict"} {
		s := gatewaytest.LoadSite(t, `signed_link keyed_hash {env.AUTOLOGIN_SECRET} {
			algorithm md5
			message {query.user_id}{secret}
			signature {query.key}
			backend `+backend+`
		}
		test_backend`)
		link := "user_id=jeff&key=" + fixture.Key("jeff", fixture.AutologinSecret)
		if a := s.Get("/x?" + link); a.Seen == nil {
			t.Fatalf("the good link: %d", a.Code)
		}
		for _, alias := range []string{"user.id", "user%2Eid", "user+id", "user%20id", "user[id", "user%5Bid", "+user.id", "user_id%00"} {
			if a := s.Get("/x?" + link + "&" + alias + "=admin"); a.Code != http.StatusBadRequest {
				t.Errorf("%s: %s: %d", backend, alias, a.Code)
			}
		}
		// Java binders, which PHP's profile need not fear
		want := map[string]int{"php": http.StatusOK, "strict": http.StatusBadRequest}[backend]
		if a := s.Get("/x?" + link + "&user-id=admin"); a.Code != want {
			t.Errorf("%s: user-id: %d, want %d", backend, a.Code, want)
		}
	}
}

// TestAttackDroppedPair: pairs that Go's parser drops and backends keep
// (CVE-2022-2880): a broken escape, a semicolon.
func TestAttackDroppedPair(t *testing.T) {
	s := refusedAs(t, "")
	for query, want := range map[string]string{
		"user=admin%&" + fixture.GoodLink:    "ambiguous/escape",
		"user=admin%zz&" + fixture.GoodLink:  "ambiguous/escape",
		"user=admin;&" + fixture.GoodLink:    "ambiguous/semicolon",
		"user=admin;x=1&" + fixture.GoodLink: "ambiguous/semicolon",
		fixture.GoodLink + "&user=admin%":    "ambiguous/duplicate",
		"user=admin;":                        "ambiguous/semicolon",
		"user=admin%":                        "ambiguous/escape",
	} {
		if a := s.Get("/x?" + query); a.Seen != nil || a.Body.String() != want {
			t.Errorf("%s: got %d %s, want %s", query, a.Code, a.Body, want)
		}
	}
}

// TestAttackTooManyParameters: PHP and Tomcat stop reading after 1000, Go after
// 10000 (CVE-2026-39825): what stands behind is read by one side only.
func TestAttackTooManyParameters(t *testing.T) {
	for _, mode := range []string{"require", "recognize"} {
		s := refusedAs(t, mode)
		for _, query := range []string{
			"user=admin&" + strings.Repeat("a&", 999) + fixture.GoodLink,
			strings.Repeat("=&", 1001) + fixture.GoodLink,
			"a=" + strings.Repeat("x", 64<<10) + "&" + fixture.GoodLink,
		} {
			if a := s.Get("/x?" + query); a.Seen != nil || a.Code != http.StatusBadRequest {
				t.Errorf("%s: %.20s…: %d", mode, query, a.Code)
			}
		}
		if a := s.Get("/x?" + strings.Repeat("&", 20000) + fixture.GoodLink); a.Seen == nil {
			t.Errorf("%s: empty segments are no parameters: %d %s", mode, a.Code, a.Body)
		}
	}
}

// TestAttackTruncatedTarget: Caddy cuts a FastCGI parameter off at 64 KiB, so behind a
// path of that length REQUEST_URI ends where the attacker likes: in the middle of
// `user=jeffrey`, for whom a link was signed, and an application that reads REQUEST_URI
// itself sees jeff. Path and query are bounded together, whatever the server admits.
func TestAttackTruncatedTarget(t *testing.T) {
	for _, mode := range []string{"require", "recognize"} {
		s := refusedAs(t, mode)
		path := "/x/" + strings.Repeat("a", 64<<10)
		if a := s.Get(path[:65_000] + "?" + fixture.GoodLink); a.Seen != nil || a.Code != http.StatusBadRequest {
			t.Errorf("%s: a path of 65,000 bytes: %d", mode, a.Code)
		}
		if a := s.Get(path[:30_000] + "?" + fixture.GoodLink); a.Seen == nil || a.Header1(t, "X-Verified-User") != "jeff" {
			t.Errorf("%s: a path of 30,000 bytes: %d", mode, a.Code)
		}
	}
}

// TestAttackControlBytes: HTTP/2 and HTTP/3 carry blanks, control bytes and '#' in
// :path; a blank begins another parameter for PHP, '#' ends the query for others.
func TestAttackControlBytes(t *testing.T) {
	s := refusedAs(t, "")
	for _, query := range []string{fixture.GoodLink + "& user=admin", fixture.GoodLink + "&a=#&user=admin", fixture.GoodLink + "&a=\x7f", fixture.GoodLink + "&\tuser=admin"} {
		r := gatewaytest.Request(t, "GET", "/x", "")
		r.URL.RawQuery, r.RequestURI = query, "/x?"+query
		if a := s.Do(r); a.Seen != nil || a.Body.String() != "ambiguous/control" {
			t.Errorf("%q: got %d %s", query, a.Code, a.Body)
		}
	}
}

// TestAttackNobodysParameters: what recognize lets on as nobody names nobody, whatever
// stands beside the identity: a signed parameter and a semicolon, a '#', a control.
func TestAttackNobodysParameters(t *testing.T) {
	t.Setenv("TOKEN", "s3cret-of-42")
	s := gatewaytest.LoadSite(t, `signed_link recognize sial {
		user_keys inline {
			42 {env.TOKEN}
		}
		action {path} prefix /do/
		params title
		param action one_of watch
	}
	test_backend`)
	for query, want := range map[string]string{
		"title=7;user=admin":          "",
		"title=7&a=1":                 "?title=7&a=1",
		"a=1;title=7;us%65r=x":        "",
		"a=1;b=2&title=7":             "?a=1;b=2&title=7",
		"user#&a=1":                   "",
		"a=1&\x01user=admin":          "",
		"a=1& user=admin":             "",
		"title=7&user[]=admin;x&sig=": "?title=7",
	} {
		r := gatewaytest.Request(t, "GET", "/do/watch", "")
		r.URL.RawQuery, r.RequestURI = query, "/do/watch?"+query
		if a := s.Do(r); a.Seen == nil || a.Seen.URI != "/do/watch"+want || a.Seen.OrigURI != a.Seen.URI {
			t.Errorf("%q: %d %s, want %q", query, a.Code, a.Body, want)
		}
	}
}

// TestAttackRewrittenQuery: a rewrite before a nested definition copies the client's
// bytes into a signed parameter; what the backend would see is not what was verified.
func TestAttackRewrittenQuery(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.LoadSite(t, `signed_link guard
	route {
		rewrite /x /x?user={query.u}&key={query.key}&a=1
		rewrite /y /y?user={query.user}&key={query.key}&a=1
		`+fixture.Autologin("")+`
		test_backend
	}
	handle_errors {
		respond "{http.signed_link.reason}/{http.signed_link.detail}" {err.status_code}
	}`)
	if a := s.Get("/x?" + fixture.GoodLink + "&u=admin"); a.Seen != nil || a.Body.String() != "ambiguous/rewritten" {
		t.Errorf("got %d %s", a.Code, a.Body)
	}
	if a := s.Get("/y?" + fixture.GoodLink); a.Seen == nil || a.Seen.URI != "/y?user=jeff&a=1" || a.Seen.OrigURI != "/y?user=jeff" {
		t.Errorf("an honest rewrite: %d %s", a.Code, a.Body)
	}
}

// TestAttackRewrittenBefore: the same where the operator put the directive behind
// `rewrite`, so that no signed_link saw the query before.
func TestAttackRewrittenBefore(t *testing.T) {
	fixture.SetSecrets(t)
	s := gatewaytest.Load(t, "{\n\tadmin off\n\tauto_https off\n\torder signed_link after rewrite\n}\nhttp:// {\n"+`
		rewrite /x /x?user={query.u}&key={query.key}&a=1
		rewrite /y /y?user={query.user}&key={query.key}&a=1
		`+fixture.Autologin("")+`
		test_backend
		handle_errors {
			respond "{http.signed_link.reason}/{http.signed_link.detail}" {err.status_code}
		}
	}`)
	if a := s.Get("/x?" + fixture.GoodLink + "&u=admin"); a.Seen != nil || a.Body.String() != "ambiguous/rewritten" {
		t.Errorf("got %d %s", a.Code, a.Body)
	}
	if a := s.Get("/y?" + fixture.GoodLink); a.Seen == nil || a.Seen.URI != "/y?user=jeff&a=1" {
		t.Errorf("an honest rewrite: %d %s", a.Code, a.Body)
	}
}

// TestAttackDoubleEncoding: a value is decoded once, for the message and for the header.
// `%2561dmin` is `%61dmin` to the backend, and must not be admin to the gateway; nor may
// a plus sign and a blank change places.
func TestAttackDoubleEncoding(t *testing.T) {
	s := refusedAs(t, "", "strip none")
	for query, want := range map[string]string{
		"user=%2561dmin&key=" + fixture.Key("admin", fixture.AutologinSecret):   "",
		"user=%2561dmin&key=" + fixture.Key("%61dmin", fixture.AutologinSecret): "%61dmin",
		"user=a%2Bb&key=" + fixture.Key("a+b", fixture.AutologinSecret):         "a+b",
		"user=a%2Bb&key=" + fixture.Key("a b", fixture.AutologinSecret):         "",
		"user=a+b&key=" + fixture.Key("a b", fixture.AutologinSecret):           "a b",
		"user=a+b&key=" + fixture.Key("a+b", fixture.AutologinSecret):           "",
	} {
		a := s.Get("/x?" + query)
		switch {
		case want == "" && a.Seen != nil:
			t.Errorf("%s verifies", query)
		case want != "" && (a.Seen == nil || a.Header1(t, "X-Verified-User") != want):
			t.Errorf("%s: %d %s", query, a.Code, a.Body)
		case want != "" && a.Seen.URI != "/x?"+query:
			t.Errorf("%s leaves the gateway as %s", query, a.Seen.URI)
		}
	}
}

// TestAttackSecondQuery: CodeIgniter 3 takes `/?/app/login?user=mike` for the page
// /app/login with the parameter user. To everybody else the query has one parameter with a
// long name.
func TestAttackSecondQuery(t *testing.T) {
	for _, backend := range []string{"php", "strict", "servlet"} {
		require, recognize := refusedAs(t, "", "backend "+backend), refusedAs(t, "recognize", "backend "+backend)
		for _, query := range []string{
			"/app/login?user=mike", "/app/login?user=mike&" + fixture.GoodLink, "/app/x&" + fixture.GoodLink + "&z?user=mike",
			"/app?a=1&us%65r=mike", "/app?a=1&key=x", "/app?+user=mike", "/app?x;user=mike",
		} {
			a := require.Get("/?" + query)
			if backend != "servlet" && (a.Seen != nil || a.Body.String() != "ambiguous/lookalike") {
				t.Errorf("%s: %s: %d %s", backend, query, a.Code, a.Body)
			}
			a = recognize.Get("/?" + query)
			if backend != "servlet" && (a.Seen == nil || a.Seen.URI != "/" || a.Seen.OrigURI != "/" || a.Header1(t, "X-Verified-User") != "") {
				t.Errorf("%s, recognize: %s: %d %s", backend, query, a.Code, a.Body)
			}
		}
		for _, query := range []string{"/app/login?other=1", "to=/app?user=mike", "/app/login"} { // honest
			if a := recognize.Get("/?" + query); a.Seen == nil || a.Seen.URI != "/?"+query {
				t.Errorf("%s, recognize: %s: %d %s", backend, query, a.Code, a.Body)
			}
		}
		if a := require.Get("/?" + fixture.GoodLink + "&to=/app?user=mike"); a.Seen == nil {
			t.Errorf("%s: a question mark in a value: %d %s", backend, a.Code, a.Body)
		}
	}
}

// TestAttackUnsteadyValues: where the decoded values of all parameters are signed, or their
// order is lost, a client may write another query for the same message. A semicolon begins
// another parameter where arg_separator.input says so, and Tomcat drops a pair with a
// broken escape.
func TestAttackUnsteadyValues(t *testing.T) {
	t.Setenv("KEY", fixture.HMACKey)
	const refusals = `
	test_backend
	handle_errors {
		respond "{http.signed_link.reason}/{http.signed_link.detail}" {err.status_code}
	}`
	form := `signed_link sial {
		user_keys inline {
			42 {env.KEY}
		}
		action {query.do}
		params * as form
		param user digits max 10
		param action one_of delete
		ignore utm_*
		BACKEND
	}` + refusals
	bare := strings.Replace(strings.Replace(form, "params * as form", "params *", 1), "ignore", "allow unsigned_names ambiguous_message\n\t\tignore", 1)
	sorted := `signed_link keyed_hash {env.KEY} {
		algorithm hmac-sha256
		message {sorted_query}
		signature {query.sig}
		user {query.user}
		ignore utm_*
		BACKEND
	}` + refusals
	raw := strings.Replace(sorted, "{sorted_query}", "{query}", 1)
	asForm := func(pair string) string {
		return "user=42&do=delete&sig=" + fixture.Sum1("42delete"+pair+fixture.HMACKey)
	}
	asWords := func(value string) string {
		return "user=42&do=delete&sig=" + fixture.Sum1("42delete"+value+fixture.HMACKey)
	}
	whole := func(message string) string { return "user=jeff&sig=" + fixture.Sum256(fixture.HMACKey, message) }
	for _, backend := range []string{"", "backend php", "backend servlet"} {
		for _, tc := range []struct{ site, query, want string }{
			// what was signed passes, and the same in another spelling does not
			{form, asForm("note=1%3Border%3D2") + "&note=1%3Border%3D2", ""},
			{form, asForm("note=1%3Border%3D2") + "&note=1;order=2", "ambiguous/semicolon"},
			{form, asForm("note=1%3Border%3D2") + "&note=1;order%3D2", "ambiguous/semicolon"},
			{form, asForm("no%3Bte=1") + "&no;te=1", "ambiguous/semicolon"},
			{form, asForm("note=5%25zz") + "&note=5%25zz", ""},
			{form, asForm("note=5%25zz") + "&note=5%zz", "ambiguous/escape"},
			{form, asForm("note=5%25") + "&note=5%", "ambiguous/escape"},
			{form, asForm("no%25te=5") + "&no%te=5", "ambiguous/escape"},
			{bare, asWords("1;order=2") + "&note=1%3Border%3D2", ""},
			{bare, asWords("1;order=2") + "&note=1;order=2", "ambiguous/semicolon"},
			{bare, asWords("5%zz") + "&note=5%25zz", ""},
			{bare, asWords("5%zz") + "&note=5%zz", "ambiguous/escape"},
			// the order of the two b is not signed
			{sorted, whole("a=1%3Bb=2&b=3&user=jeff") + "&b=3&a=1%3Bb=2", ""},
			{sorted, whole("a=1;b=2&b=3&user=jeff") + "&b=3&a=1;b=2", "ambiguous/semicolon"},
			{sorted, whole("a=5%zz&user=jeff") + "&a=5%zz", "ambiguous/escape"},
			{raw, whole("user=jeff&a=1;b=2") + "&a=1;b=2", ""},
			// behind what is ignored stands what nobody signed
			{form, asForm("note=1") + "&note=1&utm_x=1;order=2", "ambiguous/semicolon"},
			{sorted, whole("user=jeff") + "&utm_x=1;order=2", "ambiguous/semicolon"},
			{raw, whole("user=jeff") + "&utm_x=1;order=2", "ambiguous/semicolon"},
			{raw, whole("user=jeff") + "&utm_x=50%off", ""},
			{sorted, whole("user=jeff") + "&utm_x=50%off", ""},
		} {
			s := gatewaytest.LoadSite(t, strings.Replace(tc.site, "BACKEND", backend, 1))
			switch a := s.Get("/x?" + tc.query); {
			case tc.want == "" && a.Seen == nil, tc.want != "" && (a.Seen != nil || a.Body.String() != tc.want):
				t.Errorf("%s %s: %d %s, want %q", backend, tc.query, a.Code, a.Body, tc.want)
			}
		}
	}
}
